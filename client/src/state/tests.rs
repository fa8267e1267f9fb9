use telelink::protocol::{Frame, FrameKind, InlineSchema, StatusLevel};

use super::*;

fn picture() -> Picture {
    let mut picture = Picture::new(Limits::default());
    picture.apply(&ToViewer::ServerInfo(ServerInfo { name: "robot".into(), ..Default::default() }));
    picture
}

/// A text message as a robot writes it.
fn json(text: &str) -> ToViewer {
    let frame = Frame { kind: FrameKind::Text, payload: Bytes::copy_from_slice(text.as_bytes()) };
    ToViewer::decode(&frame).unwrap()
}

/// Folds in a message that breaks no rule.
fn fold(picture: &mut Picture, text: &str) -> Changes {
    let changes = picture.apply(&json(text));
    assert_eq!(changes.problems, [], "{text}");
    changes
}

fn channel(id: u64, schema: AdvertisedSchema) -> ChannelAdvertisement {
    ChannelAdvertisement { id, topic: format!("/{id}"), encoding: "json".into(), schema, metadata: BTreeMap::new() }
}

fn advertise(schemas: Vec<SchemaEntry>, channels: Vec<ChannelAdvertisement>) -> ToViewer {
    ToViewer::Advertise(Advertise { schemas, channels })
}

fn entry(id: u64, encoding: &str, data: &str) -> SchemaEntry {
    SchemaEntry { id, name: format!("S{id}"), encoding: encoding.into(), data: data.into() }
}

fn inline(encoding: &str, data: &str) -> AdvertisedSchema {
    AdvertisedSchema::Inline(Some(InlineSchema { name: "S".into(), encoding: encoding.into(), data: data.into() }))
}

#[test]
fn p_124_inline_schemas_are_resolved() {
    let mut picture = picture();
    let text = r#"{"op":"advertise","channels":[
        {"id":1,"topic":"/a","encoding":"json","schemaName":"","schema":""},
        {"id":2,"topic":"/b","encoding":"json","schemaName":"B","schemaEncoding":"jsonschema","schema":"{}"},
        {"id":3,"topic":"/c","encoding":"protobuf","schemaName":"C","schemaEncoding":"protobuf","schema":"3q2+7w==",
         "metadata":{"foxglove.reliable":"true"}}]}"#;
    let changes = fold(&mut picture, text);
    assert_eq!((changes.advertised, changes.removed), (vec![1, 2, 3], vec![]));
    let channels = picture.channels();
    assert_eq!((channels[&1].schema.as_deref(), &*channels[&1].topic, channels[&1].reliable()), (None, "/a", false));
    let b = Schema { name: "B".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"{}") };
    assert_eq!(channels[&2].schema.as_deref(), Some(&b));
    let c = channels[&3].schema.as_ref().unwrap();
    assert_eq!((&*c.data, channels[&3].reliable()), (&[0xde, 0xad, 0xbe, 0xef][..], true));
    assert_eq!(picture.schema_count(), 0);
}

#[test]
fn p_206_schema_table_is_resolved_and_p_204_kept_for_later_channels() {
    let mut picture = picture();
    let text = r#"{"op":"advertise","schemas":[{"id":1,"name":"A","encoding":"jsonschema","data":"{}"}],"channels":[
        {"id":1,"topic":"/a1","encoding":"json","schemaId":1},{"id":2,"topic":"/a2","encoding":"json","schemaId":1},
        {"id":3,"topic":"/n","encoding":"json"}]}"#;
    fold(&mut picture, text);
    let a = picture.channels()[&1].schema.clone().unwrap();
    assert_eq!((a.name.as_str(), &*a.data), ("A", &b"{}"[..]));
    assert!(Arc::ptr_eq(&a, picture.channels()[&2].schema.as_ref().unwrap()), "one schema, shared");
    assert_eq!(picture.channels()[&3].schema, None);
    // P-203: ids stay valid when all their channels are gone.
    fold(&mut picture, r#"{"op":"unadvertise","channelIds":[1,2]}"#);
    fold(&mut picture, r#"{"op":"advertise","channels":[{"id":4,"topic":"/a4","encoding":"json","schemaId":1}]}"#);
    assert_eq!(picture.channels()[&4].schema, Some(a));
}

#[test]
fn p_204_a_schema_that_was_never_sent_is_a_problem_of_its_channel_only() {
    let mut picture = picture();
    let channels = vec![channel(1, AdvertisedSchema::Table(Some(7))), channel(2, AdvertisedSchema::Table(None))];
    let changes = picture.apply(&advertise(vec![], channels));
    assert_eq!(changes.problems, [Problem::UnknownSchema { channel_id: 1, schema_id: 7 }]);
    assert_eq!(picture.channels().len(), 2);
}

#[test]
fn p_204_a_schema_sent_twice_is_a_problem_and_the_first_stays() {
    let mut picture = picture();
    picture.apply(&advertise(vec![entry(1, "jsonschema", "one")], vec![]));
    let again = vec![channel(1, AdvertisedSchema::Table(Some(1)))];
    let changes = picture.apply(&advertise(vec![entry(1, "jsonschema", "two")], again));
    assert_eq!(changes.problems, [Problem::SchemaRepeated(1)]);
    assert_eq!(&*picture.channels()[&1].schema.as_ref().unwrap().data, b"one");
}

#[test]
fn p_204_server_info_clears_the_table_and_p_27_everything_else() {
    let mut picture = picture();
    picture.apply(&advertise(vec![entry(1, "jsonschema", "{}")], vec![channel(1, AdvertisedSchema::Table(Some(1)))]));
    fold(
        &mut picture,
        r#"{"op":"advertiseServices","services":[{"id":1,"name":"/s","type":"T","requestSchema":"","responseSchema":""}]}"#,
    );
    fold(&mut picture, r#"{"op":"status","level":1,"message":"m","id":"x"}"#);
    fold(&mut picture, r#"{"op":"parameterValues","parameters":[{"name":"p","value":1}]}"#);
    picture.apply(&ToViewer::ServerInfo(ServerInfo { name: "second".into(), ..Default::default() }));
    assert_eq!(picture.server_info().unwrap().name, "second");
    assert!(picture.channels().is_empty() && picture.services().is_empty() && picture.statuses().is_empty());
    assert!(picture.parameters().is_empty() && *picture.graph() == Graph::default());
    let changes = picture.apply(&advertise(vec![], vec![channel(2, AdvertisedSchema::Table(Some(1)))]));
    assert_eq!(changes.problems, [Problem::UnknownSchema { channel_id: 2, schema_id: 1 }]);
    // The id is free again.
    let changes = picture.apply(&advertise(vec![entry(1, "jsonschema", "new")], vec![]));
    assert_eq!(changes.problems, []);
}

#[test]
fn p_62_schema_data_that_is_not_base64_is_a_problem() {
    let mut picture = picture();
    let changes = picture.apply(&advertise(vec![], vec![channel(1, inline("protobuf", "%%%"))]));
    assert!(matches!(&changes.problems[..], [Problem::BadSchema { name, .. }] if name == "S"), "{changes:?}");
    assert_eq!(picture.channels()[&1].schema, None);
    // In the table: known, but void; not the fault of the channels that refer to it.
    let entries = vec![entry(9, "flatbuffer", "%%%")];
    let changes = picture.apply(&advertise(entries, vec![channel(2, AdvertisedSchema::Table(Some(9)))]));
    assert!(matches!(&changes.problems[..], [Problem::BadSchema { name, .. }] if name == "S9"), "{changes:?}");
    assert_eq!(picture.channels()[&2].schema, None);
}

#[test]
fn p_125_a_known_id_is_an_update() {
    let mut picture = picture();
    picture.apply(&advertise(vec![], vec![channel(1, inline("jsonschema", "{}"))]));
    let mut update = channel(1, inline("jsonschema", "{}"));
    update.metadata.insert("foxglove.videoFrameId".into(), "camera".into());
    update.metadata.insert("foxglove.hasVideoTrack".into(), "true".into());
    let changes = picture.apply(&advertise(vec![], vec![update]));
    assert_eq!((changes.advertised, changes.removed), (vec![1], vec![]));
    let channel = &picture.channels()[&1];
    assert_eq!(channel.metadata["foxglove.videoFrameId"], "camera");
    assert!(channel.has_video() && picture.channels().len() == 1);
}

#[test]
fn p_129_unadvertise_removes_and_unknown_ids_do_nothing() {
    let mut picture = picture();
    let channels = (1..=3).map(|id| channel(id, AdvertisedSchema::Inline(None))).collect();
    picture.apply(&advertise(vec![], channels));
    let changes = fold(&mut picture, r#"{"op":"unadvertise","channelIds":[2,9,2]}"#);
    assert_eq!(changes.removed, [2]);
    assert_eq!(picture.channels().keys().copied().collect::<Vec<_>>(), [1, 3]);
}

/// P-122, P-189.
#[test]
fn p_116_a_status_replaces_one_of_the_same_id_and_p_189_unknown_removals_are_ignored() {
    let mut picture = picture();
    fold(&mut picture, r#"{"op":"status","level":1,"message":"first","id":"a"}"#);
    fold(&mut picture, r#"{"op":"status","level":2,"message":"second","id":"a"}"#);
    fold(&mut picture, r#"{"op":"status","level":0,"message":"no id"}"#);
    assert_eq!(picture.statuses().len(), 1);
    assert_eq!(picture.statuses()["a"].level, StatusLevel::Error);
    fold(&mut picture, r#"{"op":"removeStatus","statusIds":["channel-drops-3","a"]}"#);
    assert!(picture.statuses().is_empty());
}

#[test]
fn p_144_services_come_and_go() {
    let mut picture = picture();
    let text =
        r#"{"op":"advertiseServices","services":[{"id":1,"name":"/s","type":"T"},{"id":2,"name":"/t","type":"T"}]}"#;
    fold(&mut picture, text);
    fold(&mut picture, r#"{"op":"unadvertiseServices","serviceIds":[1,7]}"#);
    assert_eq!(picture.services().values().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["/t"]);
}

#[test]
fn p_146_the_graph_follows_its_deltas() {
    let mut picture = picture();
    let text = r#"{"op":"connectionGraphUpdate","publishedTopics":[{"name":"/a","publisherIds":["p","q"]}],
        "subscribedTopics":[{"name":"/a","subscriberIds":["s"]}],"advertisedServices":[{"name":"/x","providerIds":["v"]}],
        "removedTopics":[],"removedServices":[]}"#;
    fold(&mut picture, text);
    let text = r#"{"op":"connectionGraphUpdate","publishedTopics":[{"name":"/a","publisherIds":["q"]}],"subscribedTopics":[],
        "advertisedServices":[],"removedTopics":[],"removedServices":["/x"]}"#;
    fold(&mut picture, text);
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(picture.graph().published["/a"], ids(&["q"]), "an entry carries the whole new set");
    assert_eq!(picture.graph().subscribed["/a"], ids(&["s"]));
    assert!(picture.graph().services.is_empty());
    let text = r#"{"op":"connectionGraphUpdate","publishedTopics":[],"subscribedTopics":[],"advertisedServices":[],
        "removedTopics":["/a"],"removedServices":[]}"#;
    fold(&mut picture, text);
    assert_eq!(*picture.graph(), Graph::default());
}

#[test]
fn a_robot_cannot_make_the_viewer_remember_without_end() {
    let mut picture = Picture::new(Limits { entries: 2, schema_bytes: 10 });
    let channels = (1..=9).map(|id| channel(id, AdvertisedSchema::Inline(None))).collect();
    let changes = picture.apply(&advertise(vec![], channels));
    assert_eq!((changes.advertised, changes.problems), (vec![1, 2], vec![Problem::TooMany("channels")]));
    // What is known can still be updated, and what goes makes room.
    let changes = picture.apply(&advertise(vec![], vec![channel(2, inline("jsonschema", "12345678"))]));
    assert_eq!((changes.advertised, changes.problems), (vec![2], vec![]));
    let changes = picture.apply(&advertise(vec![], vec![channel(1, inline("jsonschema", "12345678"))]));
    assert_eq!(changes.problems, [Problem::TooMany("schemas")]);
    assert_eq!(picture.channels()[&1].schema, None);
    picture.apply(&ToViewer::Unadvertise { channel_ids: vec![2] });
    let changes = picture.apply(&advertise(vec![entry(1, "jsonschema", "12345678")], vec![]));
    assert_eq!(changes.problems, []);
    let changes = picture.apply(&advertise(vec![entry(2, "jsonschema", "12345678")], vec![]));
    assert_eq!(changes.problems, [Problem::TooMany("schemas")]);
    for n in 0..5 {
        picture.apply(&json(&format!(r#"{{"op":"status","level":1,"message":"m","id":"{n}"}}"#)));
        picture.apply(&json(&format!(r#"{{"op":"parameterValues","parameters":[{{"name":"{n}","value":1}}]}}"#)));
    }
    assert_eq!((picture.statuses().len(), picture.parameters().len()), (2, 2));
    // A million faults in one message are not a million reports.
    let hostile = (1..1000).map(|id| channel(1, AdvertisedSchema::Table(Some(id + 100)))).collect();
    assert_eq!(picture.apply(&advertise(vec![], hostile)).problems.len(), MAX_PROBLEMS);
}
