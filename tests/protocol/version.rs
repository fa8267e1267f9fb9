//! Protocol version: P-9 to P-15, P-200, P-201.

use telelink::protocol::version::{check, ASSUMED, ATTRIBUTE, MINIMUM, SPOKEN};
use telelink::protocol::ViewerVersion;

/// S-131.
#[test]
fn p_9_p_200_constants() {
    assert_eq!((ATTRIBUTE, SPOKEN, MINIMUM, ASSUMED), ("protocolVersion", "2.3.0", "2.2.0", "2.2.0"));
}

/// S-131.
#[test]
fn p_12_acceptance_table() {
    for accepted in ["2.2.0", "2.2.1", "2.3.0", "2.9.0", "2.10.3", "2.2.0+build.7", "2.3.0-rc.1", "2.999999999.0"] {
        assert_eq!(check(Some(accepted)).map(|version| version.to_string()), Ok(accepted.to_owned()));
    }
    let rejected = [
        "",
        " ",
        "2",
        "2.2",
        "2.2.0.0",
        "v2.2.0",
        " 2.2.0",
        "2.2.0 ",
        "2.02.0",
        "2.2.x",
        "-2.2.0",
        "garbage",
        "2.2.0-",
        "2.2.0-rc.1",
        "2.1.9",
        "2.1.99",
        "1.0.0",
        "0.0.0",
        "3.0.0",
        "3.0.0-alpha",
        "22.2.0",
        "2.2.99999999999999999999",
        "2.2.0\0",
    ];
    for rejected in rejected {
        let mismatch = check(Some(rejected)).expect_err(rejected);
        assert_eq!(mismatch.advertised, rejected);
    }
}

/// S-131.
#[test]
fn p_12_a_missing_attribute_is_taken_for_the_assumed_version() {
    let version = check(None).unwrap();
    assert_eq!(version.to_string(), ASSUMED);
    assert_eq!(version, ViewerVersion::default());
    assert!(!version.wants_schema_table());
}

/// S-132.
#[test]
fn p_15_text_names_the_raw_value() {
    for raw in ["1.0.0", "", "2.2", "né"] {
        assert_eq!(
            check(Some(raw)).unwrap_err().to_string(),
            format!("Remote access protocol version {raw} is not compatible with this device (supported: 2.3.0)")
        );
    }
}

#[test]
fn p_201_schema_table_from_2_3_0_on() {
    for (text, wants) in [
        ("2.2.0", false),
        ("2.2.999", false),
        ("2.3.0-rc.1", false),
        ("2.3.0", true),
        ("2.3.0+build", true),
        ("2.3.1", true),
        ("2.4.0-alpha", true),
        ("2.10.0", true),
    ] {
        assert_eq!(check(Some(text)).unwrap().wants_schema_table(), wants, "{text}");
    }
}
