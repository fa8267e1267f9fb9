//! `connectionGraphUpdate`: section 7.16.

use telelink::protocol::{ConnectionGraphUpdate, GraphEntry, ToViewer};

use crate::support::{assert_invalid, json_of, to_viewer};

const EMPTY: &str = r#"{"op":"connectionGraphUpdate","publishedTopics":[],"subscribedTopics":[],"advertisedServices":[],"removedTopics":[],"removedServices":[]}"#;

#[test]
fn p_145_all_five_arrays_are_always_there() {
    let empty = ToViewer::ConnectionGraphUpdate(ConnectionGraphUpdate::default());
    assert_eq!(json_of(&empty.to_frame().unwrap()), EMPTY);
    assert_eq!(to_viewer(EMPTY), Ok(empty));
    for member in ["publishedTopics", "subscribedTopics", "advertisedServices", "removedTopics", "removedServices"] {
        let without = EMPTY.replace(&format!("\"{member}\":[]"), "\"other\":[]");
        assert_invalid(to_viewer(&without), &format!("missing field `{member}`"));
    }
}

#[test]
fn section_7_16_ids_have_the_name_of_their_kind() {
    let entry = |name: &str, ids: &[&str]| GraphEntry {
        name: name.into(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let message = ToViewer::ConnectionGraphUpdate(ConnectionGraphUpdate {
        published_topics: vec![entry("/p", &["a", "b"]), entry("/q", &[])],
        subscribed_topics: vec![entry("/s", &["c"])],
        advertised_services: vec![entry("/v", &["d"])],
        removed_topics: vec!["/x".into()],
        removed_services: vec!["/y".into(), "/z".into()],
    });
    let json = r#"{"op":"connectionGraphUpdate","publishedTopics":[{"name":"/p","publisherIds":["a","b"]},{"name":"/q","publisherIds":[]}],"subscribedTopics":[{"name":"/s","subscriberIds":["c"]}],"advertisedServices":[{"name":"/v","providerIds":["d"]}],"removedTopics":["/x"],"removedServices":["/y","/z"]}"#;
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
    assert_eq!(to_viewer(json), Ok(message));
    assert_invalid(to_viewer(&json.replace("subscriberIds", "publisherIds")), "missing field `subscriberIds`");
}
