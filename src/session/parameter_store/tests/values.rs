//! Types, rules, and what viewers are answered.

use super::*;

#[test]
fn every_type_is_kept_exactly() {
    fn keeps<T: ParameterData + Clone + PartialEq + std::fmt::Debug>(value: T) {
        let (store, wire) = attached();
        store.declare("/p", value.clone(), ParameterOptions::new()).unwrap();
        assert_eq!(store.get::<T>("/p").unwrap(), value);
        assert_eq!(viewer_gets(&store, &wire, &[]), [value.into_parameter("/p")]);
    }
    keeps(true);
    keeps(i64::MIN);
    keeps(i64::MAX);
    keeps(1.0);
    keeps(f64::MIN_POSITIVE);
    keeps(String::new());
    keeps("héllo".to_owned());
    keeps(Vec::<u8>::new());
    keeps(vec![0u8, 1, 255]);
    keeps(Vec::<bool>::new());
    keeps(vec![true, false]);
    keeps(vec![1i64, -2]);
    keeps(Vec::<f64>::new());
    keeps(vec![1.0, 2.5]);
    keeps(vec!["a".to_owned(), String::new()]);
    keeps(vec![ParameterValue::Bool(true), ParameterValue::Array(vec![ParameterValue::Integer(1)])]);
    let inner = BTreeMap::from([("c".to_owned(), ParameterValue::String("x".into()))]);
    keeps(BTreeMap::from([("a".to_owned(), ParameterValue::Integer(1)), ("b".into(), ParameterValue::Dict(inner))]));
}

#[test]
fn an_integer_becomes_a_float_and_nothing_else_changes_its_type() {
    let (store, wire) = attached();
    store.declare("/gain", 1.5, ParameterOptions::new()).unwrap();
    store.declare("/count", 3i64, ParameterOptions::new()).unwrap();
    store.declare("/gains", vec![1.5], ParameterOptions::new()).unwrap();
    store.declare("/raw", vec![1u8], ParameterOptions::new()).unwrap();

    store.set("/gain", 2i64).unwrap();
    assert_eq!(store.get::<f64>("/gain").unwrap(), 2.0);
    store.set("/gains", vec![2i64, 3]).unwrap();
    assert_eq!(store.get::<Vec<f64>>("/gains").unwrap(), [2.0, 3.0]);
    // A viewer in JavaScript cannot say what an empty array is made of.
    wire.take();
    viewer_sets(&store, &wire, vec![Parameter::new("/gains", ParameterValue::Array(vec![]))]);
    assert_eq!(wire.take()[0], Out::Answer(vec![Parameter::float_array("/gains", &[])]));

    assert_eq!(refusal(store.set("/count", 2.0)), "/count is an integer, not a float");
    assert_eq!(refusal(store.set("/gain", "2".to_owned())), "/gain is a float, not a string");
    assert_eq!(refusal(store.set("/raw", "AQ==".to_owned())), "/raw is a byte array, not a string");
    assert_eq!(refusal(store.set_parameter(Parameter::unset("/gain"))), "/gain cannot be set to nothing; remove it");
    assert_eq!(store.get::<i64>("/gain").unwrap_err().message, "/gain is a float, not an integer");
    assert_eq!(store.set("/other", 1i64).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.get::<i64>("/other").unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn p_180_nan_and_infinities_are_refused() {
    let (store, _wire) = attached();
    assert!(refusal(store.declare("/a", f64::NAN, ParameterOptions::new())).contains("NaN"));
    store.declare("/a", 1.0, ParameterOptions::new()).unwrap();
    assert!(refusal(store.set("/a", f64::INFINITY)).contains("/a"));
    store.declare("/b", vec![1.0], ParameterOptions::new()).unwrap();
    assert!(refusal(store.set("/b", vec![1.0, f64::NEG_INFINITY])).contains("/b"));
    let nan = ParameterOptions::new().range(0.0, f64::NAN);
    assert!(refusal(store.declare("/c", 1.0, nan)).contains("max has to be a finite number"));
}

#[test]
fn ranges_hold_at_their_very_ends() {
    let (store, _wire) = attached();
    let options = ParameterOptions::new().range(i64::MIN, i64::MAX).step(2i64);
    store.declare("/wide", i64::MIN, options).unwrap();
    store.set("/wide", i64::MAX).unwrap();
    store.set("/wide", 0i64).unwrap();
    assert!(refusal(store.set("/wide", 1i64)).contains("between two"));

    let options = ParameterOptions::new().range(0.0, 1.0).step(0.1);
    store.declare("/fine", 0.0, options).unwrap();
    for tenth in 0..=10 {
        store.set("/fine", f64::from(tenth) * 0.1).unwrap();
    }
    assert!(refusal(store.set("/fine", 0.05)).contains("in steps of 0.1 from 0"));
    assert_eq!(refusal(store.set("/fine", 1.1)), "/fine is limited to 0 to 1; 1.1 is outside");

    let options = ParameterOptions::new().range(0i64, 9);
    store.declare("/digits", vec![1i64, 2], options).unwrap();
    assert!(refusal(store.set("/digits", vec![1i64, 10])).contains("10 is outside"));
    store.declare("/mode", "idle".to_owned(), ParameterOptions::new().allowed(["idle", "drive"])).unwrap();
    assert_eq!(refusal(store.set("/mode", "fly".to_owned())), "/mode can be one of idle, drive");
    store.set("/mode", "drive".to_owned()).unwrap();
}

#[test]
fn options_have_to_go_with_the_type_and_the_first_value() {
    let (store, _wire) = attached();
    let declare = |value: i64, options| refusal(store.declare("/n", value, options));
    assert_eq!(declare(5, ParameterOptions::new().range(0i64, 4)), "/n is limited to 0 to 4; 5 is outside");
    assert_eq!(declare(5, ParameterOptions::new().range(4i64, 0)), "min of /n is larger than its max");
    assert_eq!(declare(5, ParameterOptions::new().step(0i64)), "step of /n is not positive");
    assert_eq!(
        declare(5, ParameterOptions::new().range(0.5, 9.0)),
        "/n is an integer, so its min has to be an integer"
    );
    assert!(declare(5, ParameterOptions::new().allowed(["5"])).contains("only strings"));
    let text = store.declare("/s", String::new(), ParameterOptions::new().range(0i64, 1));
    assert_eq!(refusal(text), "/s is a string, and only numbers can have a range");
    assert!(refusal(store.declare("", 1i64, ParameterOptions::new())).contains("1 to 1024 bytes"));
    assert!(refusal(store.declare(&"n".repeat(1025), 1i64, ParameterOptions::new())).contains("1025"));
    assert!(store.list().is_empty());
    store.declare("/n", 5i64, ParameterOptions::new()).unwrap();
    assert_eq!(store.declare("/n", 6i64, ParameterOptions::new()).unwrap_err().kind, ErrorKind::Duplicate);
    assert_eq!(store.get::<i64>("/n").unwrap(), 5);
}

#[test]
fn s_212_the_setter_is_answered_before_anybody_is_updated() {
    let (store, wire) = attached();
    store.declare("/gain", 1.0, ParameterOptions::new()).unwrap();
    viewer_sets(&store, &wire, vec![float("/gain", 2.0)]);
    let changed = vec![float("/gain", 2.0)];
    assert_eq!(wire.take(), [Out::Answer(changed.clone()), Out::Published(changed)]);
    // No change, no update.
    viewer_sets(&store, &wire, vec![float("/gain", 2.0)]);
    assert_eq!(wire.take(), [Out::Answer(vec![float("/gain", 2.0)])]);
    store.set("/gain", 2.0).unwrap();
    assert_eq!(wire.take(), []);
    store.set("/gain", 3.0).unwrap();
    assert_eq!(wire.take(), [Out::Published(vec![float("/gain", 3.0)])]);
}

#[test]
fn each_parameter_of_a_message_is_decided_by_itself() {
    let (store, wire) = attached();
    store.declare("/readonly", 7i64, ParameterOptions::new().read_only()).unwrap();
    store.declare("/speed", 1.0, ParameterOptions::new().range(0.0, 2.0)).unwrap();
    store.declare("/mode", "idle".to_owned(), ParameterOptions::new()).unwrap();
    let refuse = ParameterOptions::new().validate(|_| Err("not while driving".into()));
    store.declare("/arm", false, refuse).unwrap();
    viewer_sets(
        &store,
        &wire,
        vec![
            integer("/readonly", 8),
            float("/speed", 3.0),
            integer("/unknown", 1),
            Parameter::new("/arm", ParameterValue::Bool(true)),
            text("/mode", "drive"),
            Parameter::unset("/speed"),
        ],
    );
    let kept = Parameter::new("/arm", ParameterValue::Bool(false));
    let answer = vec![integer("/readonly", 7), float("/speed", 1.0), kept, text("/mode", "drive")];
    assert_eq!(wire.take(), [Out::Answer(answer), Out::Published(vec![text("/mode", "drive")])]);
    let error = store.set("/arm", true).unwrap_err();
    assert_eq!(error.message, "/arm was refused: not while driving");
    // The robot may change what viewers may only read.
    store.set("/readonly", 9i64).unwrap();
    assert_eq!(wire.take(), [Out::Published(vec![integer("/readonly", 9)])]);
}

#[test]
fn viewers_delete_only_what_they_may() {
    let (store, wire) = attached();
    let seen = Arc::<Mutex<Vec<Parameter>>>::default();
    let seen_too = seen.clone();
    let options = ParameterOptions::new().deletable().on_change(move |p| seen_too.lock().push(p.clone()));
    store.declare("/note", "x".to_owned(), options).unwrap();
    store.declare("/keep", 1i64, ParameterOptions::new()).unwrap();
    viewer_sets(&store, &wire, vec![Parameter::unset("/note"), Parameter::unset("/keep")]);
    assert_eq!(wire.take(), [Out::Answer(vec![integer("/keep", 1)])]);
    assert_eq!(*seen.lock(), [Parameter::unset("/note")]);
    assert_eq!(store.get::<String>("/note").unwrap_err().kind, ErrorKind::NotFound);
    store.declare("/note", 1i64, ParameterOptions::new()).unwrap();
    assert_eq!(viewer_gets(&store, &wire, &["/note", "/none", "/note"]), [integer("/note", 1)]);
    assert!(store.remove("/note"));
    assert!(!store.remove("/note"));
    assert_eq!(viewer_gets(&store, &wire, &[]), [integer("/keep", 1)]);
}

#[test]
fn the_list_says_what_was_declared() {
    let (store, _wire) = attached();
    let options = ParameterOptions::new().description("metres per second").range(0.0, 2.0).step(0.5);
    store.declare("/speed", 1.0, options).unwrap();
    store.declare("/a", true, ParameterOptions::new().read_only()).unwrap();
    let list = store.list();
    assert_eq!(list.iter().map(|info| info.parameter.name.as_str()).collect::<Vec<_>>(), ["/a", "/speed"]);
    assert_eq!((list[0].kind, list[0].options.read_only), (ParameterKind::Bool, true));
    assert_eq!(list[1].options.description, "metres per second");
    assert_eq!(list[1].options.max, Some(ParameterValue::Float(2.0)));
    assert_eq!(list[1].parameter, float("/speed", 1.0));
}

#[test]
fn a_store_has_an_end() {
    let (store, wire) = attached();
    assert!(refusal(store.declare("/big", "x".repeat(MAX_VALUE), ParameterOptions::new())).contains("/big is larger"));
    let large = "x".repeat(MAX_VALUE - 1024);
    let declared =
        (0..20).take_while(|n| store.declare(&format!("/{n}"), large.clone(), ParameterOptions::new()).is_ok());
    assert_eq!(declared.count(), 12);
    store.declare("/small", String::new(), ParameterOptions::new()).unwrap();
    assert!(refusal(store.set("/small", large.clone())).contains("full"));
    // What viewers get of it all fits into one message.
    let all = crate::protocol::ToViewer::ParameterValues { parameters: viewer_gets(&store, &wire, &[]), id: None };
    assert!(all.to_frame().is_ok());
    assert!(store.remove("/3"));
    store.set("/small", large).unwrap();
}

#[test]
fn weights_are_upper_bounds_of_the_wire() {
    let dict = |n: usize| {
        let entry = |i| (format!("k{i}"), ParameterValue::Dict(BTreeMap::new()));
        ParameterValue::Dict((0..n).map(entry).collect())
    };
    for parameter in [
        text("\u{1}\"\\", "\u{0}\u{1f}\"\\é\u{7f}"),
        integer("/i", i64::MIN),
        float("/f", -f64::MIN_POSITIVE),
        float("/g", -f64::MAX),
        Parameter::byte_array("/b", &[7; 1000]),
        Parameter::float_array("/fa", &vec![-1.234_567_890_123_456_7e-300; 100]),
        Parameter::new("/d", dict(1000)),
        Parameter::new("/n", ParameterValue::Array(vec![dict(0); 1000])),
    ] {
        let bound = weight(&parameter);
        let message = crate::protocol::ToViewer::ParameterValues { parameters: vec![parameter], id: None };
        let frame = message.to_frame().unwrap();
        let envelope = 64;
        assert!(frame.len() <= bound + envelope, "{} > {bound}", frame.len());
    }
    // The reader's own limit: a store full of the costliest values is still one readable message.
    const { assert!(MAX_TOTAL / 16 < crate::protocol::MAX_ENTRIES) };
}

#[test]
fn hints_of_the_type_are_what_the_declaration_says() {
    let (store, wire) = attached();
    store.declare("/gains", vec![1.0], ParameterOptions::new()).unwrap();
    let wrong =
        Parameter { kind: Some(ParameterType::Float64Array), ..Parameter::new("/gains", ParameterValue::Bool(true)) };
    viewer_sets(&store, &wire, vec![wrong]);
    assert_eq!(wire.take(), [Out::Answer(vec![Parameter::float_array("/gains", &[1.0])])]);
}
