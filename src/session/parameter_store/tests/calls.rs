//! Observers and validators: order, reentrancy, panics, threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

/// An observer that keeps what it sees.
fn seen() -> (Arc<Mutex<Vec<Parameter>>>, impl Fn(&Parameter) + Send + Sync + 'static) {
    let seen = Arc::<Mutex<Vec<Parameter>>>::default();
    let into = seen.clone();
    (seen, move |parameter: &Parameter| into.lock().push(parameter.clone()))
}

#[test]
fn an_observer_sees_changes_by_robot_and_viewers_and_nothing_else() {
    let (store, wire) = attached();
    let (seen, observe) = seen();
    store.declare("/gain", 1.0, ParameterOptions::new().range(0.0, 5.0).on_change(observe)).unwrap();
    assert!(seen.lock().is_empty(), "declaring is no change");
    store.set("/gain", 2.0).unwrap();
    store.set("/gain", 2.0).unwrap();
    store.set("/gain", 9.0).unwrap_err();
    viewer_sets(&store, &wire, vec![integer("/gain", 3)]);
    assert_eq!(*seen.lock(), [float("/gain", 2.0), float("/gain", 3.0)]);
}

#[test]
fn callbacks_may_use_the_store() {
    let store = ParameterStore::new();
    let wire = Arc::<Wire>::default();
    let weak: Weak<Wire> = Arc::downgrade(&wire);
    store.attach(weak);
    let (in_validate, in_change) = (Arc::downgrade(&store), Arc::downgrade(&store));
    let (seen, observe) = seen();
    store.declare("/double", 0i64, ParameterOptions::new().on_change(observe)).unwrap();
    let options = ParameterOptions::new()
        .validate(move |new| {
            let store = in_validate.upgrade().unwrap();
            let now: i64 = store.get("/n").unwrap();
            let wanted = i64::from_parameter(new).unwrap();
            if wanted < now {
                return Err(format!("{wanted} is less than {now}"));
            }
            Ok(())
        })
        .on_change(move |new| {
            let store = in_change.upgrade().unwrap();
            let n = i64::from_parameter(new).unwrap();
            store.set("/double", 2 * n).unwrap();
            store.declare(&format!("/made/{n}"), n, ParameterOptions::new()).unwrap();
            store.remove("/made/1");
            // Itself: told after this call, not inside it.
            if n < 3 {
                store.set("/n", n + 1).unwrap();
            }
        });
    store.declare("/n", 0i64, options).unwrap();
    viewer_sets(&store, &wire, vec![integer("/n", 1)]);
    assert_eq!(store.get::<i64>("/n").unwrap(), 3);
    assert_eq!(seen.lock().last(), Some(&integer("/double", 6)));
    let names: Vec<_> = store.list().into_iter().map(|info| info.parameter.name).collect();
    assert_eq!(names, ["/double", "/made/2", "/made/3", "/n"]);
    assert_eq!(refusal(store.set("/n", 2i64)), "/n was refused: 2 is less than 3");
}

#[test]
fn a_callback_that_panics_harms_nobody() {
    let (store, wire) = attached();
    let options = ParameterOptions::new().validate(|_| panic!("validator")).on_change(|_| panic!("observer"));
    store.declare("/refuses", 1i64, options).unwrap();
    store.declare("/takes", 1i64, ParameterOptions::new().on_change(|_| panic!("observer"))).unwrap();
    let (seen, observe) = seen();
    store.declare("/other", 1i64, ParameterOptions::new().on_change(observe)).unwrap();
    viewer_sets(&store, &wire, vec![integer("/refuses", 2), integer("/takes", 2), integer("/other", 2)]);
    let answer = vec![integer("/refuses", 1), integer("/takes", 2), integer("/other", 2)];
    assert_eq!(wire.take()[0], Out::Answer(answer));
    assert_eq!(*seen.lock(), [integer("/other", 2)]);
    store.set("/other", 3i64).unwrap();
    assert_eq!(seen.lock().len(), 2);
}

#[test]
fn a_slow_observer_delays_no_setter_and_then_sees_the_newest_value() {
    let (store, wire) = attached();
    let (entered, entered_seen) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let values = Arc::<Mutex<Vec<Parameter>>>::default();
    let into = values.clone();
    let options = ParameterOptions::new().on_change(move |new| {
        into.lock().push(new.clone());
        entered.send(()).unwrap();
        gate.lock().recv().unwrap();
    });
    store.declare("/n", 0i64, options).unwrap();
    let slow = store.clone();
    let thread = std::thread::spawn(move || slow.set("/n", 1i64));
    entered_seen.recv().unwrap();
    // The observer is stuck; these return, and their updates go out.
    store.set("/n", 2i64).unwrap();
    store.set("/n", 3i64).unwrap();
    let updates: Vec<_> = (1..=3).map(|n| Out::Published(vec![integer("/n", n)])).collect();
    assert_eq!(wire.take(), updates);
    go.send(()).unwrap();
    go.send(()).unwrap();
    thread.join().unwrap().unwrap();
    assert_eq!(*values.lock(), [integer("/n", 1), integer("/n", 3)]);
}

#[test]
fn removal_drops_the_callbacks_and_their_waiting_call() {
    let (store, _wire) = attached();
    let token = Arc::new(());
    let held = token.clone();
    let options = ParameterOptions::new().on_change(move |_| drop(held.clone()));
    store.declare("/n", 0i64, options).unwrap();
    let remover = Arc::downgrade(&store);
    let first = ParameterOptions::new().on_change(move |_| {
        let store = remover.upgrade().unwrap();
        // While this runs, the call for /n waits; removing takes it away.
        store.set("/n", 1i64).unwrap();
        assert!(store.remove("/n"));
    });
    store.declare("/first", 0i64, first).unwrap();
    store.set("/first", 1i64).unwrap();
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn what_is_removed_and_declared_anew_during_validation_is_not_touched() {
    let (store, _wire) = attached();
    let inside = Arc::downgrade(&store);
    let options = ParameterOptions::new().validate(move |_| {
        let store = inside.upgrade().unwrap();
        store.remove("/n");
        store.declare("/n", "another".to_owned(), ParameterOptions::new()).unwrap();
        Ok(())
    });
    store.declare("/n", 0i64, options).unwrap();
    assert_eq!(store.set("/n", 1i64).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.get::<String>("/n").unwrap(), "another");
}

#[test]
fn updates_of_many_threads_end_with_the_value_that_counts() {
    let (store, wire) = attached();
    let calls = Arc::new(AtomicUsize::new(0));
    let last = Arc::<Mutex<Option<Parameter>>>::default();
    let (counted, kept) = (calls.clone(), last.clone());
    let options = ParameterOptions::new().on_change(move |new| {
        counted.fetch_add(1, Ordering::Relaxed);
        *kept.lock() = Some(new.clone());
    });
    store.declare("/n", 0i64, options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4i64 {
            let store = &store;
            scope.spawn(move || (1..=200).for_each(|n| store.set("/n", thread * 1000 + n).unwrap()));
        }
    });
    let now = (*store.find("/n").unwrap()).clone();
    let published = wire.take();
    assert_eq!(published.len(), 800, "one update per change");
    assert_eq!(published.last(), Some(&Out::Published(vec![now.clone()])));
    assert_eq!(*last.lock(), Some(now));
    assert!((1..=800).contains(&calls.load(Ordering::Relaxed)));
}

#[test]
fn a_session_that_has_gone_is_forgotten() {
    let (store, wire) = attached();
    store.declare("/n", 0i64, ParameterOptions::new()).unwrap();
    let second = Arc::<Wire>::default();
    let weak: Weak<Wire> = Arc::downgrade(&second);
    store.attach(weak);
    store.set("/n", 1i64).unwrap();
    assert_eq!(wire.take(), second.take());
    drop(second);
    store.set("/n", 2i64).unwrap();
    assert_eq!(wire.take(), [Out::Published(vec![integer("/n", 2)])]);
}
