//! The device's `advertise`: section 7.4, P-202 to P-206.

use std::collections::BTreeMap;

use telelink::protocol::{
    Advertise, AdvertisedSchema, ChannelAdvertisement, EncodeError, InlineSchema, SchemaEntry, ToViewer,
};

use crate::support::{assert_invalid, json_of, to_viewer};

fn channel(id: u64, topic: &str, schema: AdvertisedSchema) -> ChannelAdvertisement {
    ChannelAdvertisement { id, topic: topic.into(), encoding: "json".into(), schema, metadata: BTreeMap::new() }
}

fn inline(name: &str, encoding: &str, data: &str) -> AdvertisedSchema {
    AdvertisedSchema::Inline(Some(InlineSchema { name: name.into(), encoding: encoding.into(), data: data.into() }))
}

/// The schema of the only channel in `{"op":"advertise","channels":[{<id, topic, encoding>,<members>}]}`.
fn schema_of(members: &str) -> AdvertisedSchema {
    let json = format!(r#"{{"op":"advertise","channels":[{{"id":1,"topic":"","encoding":""{members}}}]}}"#);
    match to_viewer(&json) {
        Ok(ToViewer::Advertise(mut advertise)) => advertise.channels.remove(0).schema,
        other => panic!("{members}: {other:?}"),
    }
}

#[test]
fn p_206_schema_table_example() {
    let json = r#"{"op":"advertise","schemas":[{"id":1,"name":"A","encoding":"jsonschema","data":"{}"}],"channels":[{"id":1,"topic":"/a1","encoding":"json","schemaId":1},{"id":2,"topic":"/a2","encoding":"json","schemaId":1},{"id":3,"topic":"/n","encoding":"json"}]}"#;
    let message = ToViewer::Advertise(Advertise {
        schemas: vec![SchemaEntry { id: 1, name: "A".into(), encoding: "jsonschema".into(), data: "{}".into() }],
        channels: vec![
            channel(1, "/a1", AdvertisedSchema::Table(Some(1))),
            channel(2, "/a2", AdvertisedSchema::Table(Some(1))),
            channel(3, "/n", AdvertisedSchema::Table(None)),
        ],
    });
    assert_eq!(to_viewer(json), Ok(message.clone()));
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
}

#[test]
fn p_202_an_empty_table_is_left_out() {
    let message = ToViewer::Advertise(Advertise {
        schemas: vec![],
        channels: vec![channel(4, "/later", AdvertisedSchema::Table(Some(1)))],
    });
    let json = r#"{"op":"advertise","channels":[{"id":4,"topic":"/later","encoding":"json","schemaId":1}]}"#;
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
    assert_eq!(to_viewer(json), Ok(message));
}

#[test]
fn p_205_shapes_are_told_apart_by_their_members() {
    assert_eq!(schema_of(""), AdvertisedSchema::Table(None));
    assert_eq!(schema_of(r#","schemaId":7"#), AdvertisedSchema::Table(Some(7)));
    assert_eq!(schema_of(r#","schemaName":"","schema":"""#), AdvertisedSchema::Inline(None));
    assert_eq!(schema_of(r#","schemaName":"N","schemaEncoding":"e","schema":"d""#), inline("N", "e", "d"));
    assert_eq!(schema_of(r#","schemaName":"","schemaEncoding":"e","schema":"""#), inline("", "e", ""));
    assert_eq!(schema_of(r#","schemaName":"N","schema":"d""#), inline("N", "", "d"));
    assert_eq!(
        schema_of(r#","schemaName":"N","schemaEncoding":"e","schema":"d","schemaId":7"#),
        inline("N", "e", "d"),
        "inline members decide"
    );
    let with = |members: &str| {
        to_viewer(&format!(r#"{{"op":"advertise","channels":[{{"id":1,"topic":"/t","encoding":""{members}}}]}}"#))
    };
    assert_invalid(with(r#","schemaName":"N""#), "topic \"/t\": schemaName without schema");
    assert_invalid(with(r#","schema":"d""#), "schema without schemaName");
}

#[test]
fn p_202_schema_ids_start_at_1() {
    let json = r#"{"op":"advertise","channels":[{"id":1,"topic":"","encoding":"","schemaId":0}]}"#;
    assert_invalid(to_viewer(json), "schemaId is 0");
    let json = r#"{"op":"advertise","schemas":[{"id":0,"name":"","encoding":"","data":""}],"channels":[]}"#;
    assert_invalid(to_viewer(json), "id is 0");
    let entry = SchemaEntry { id: 0, name: String::new(), encoding: String::new(), data: String::new() };
    let message = ToViewer::Advertise(Advertise { schemas: vec![entry], channels: vec![] });
    assert_eq!(message.to_frame(), Err(EncodeError::SchemaIdZero { what: "schemas" }));
    let message = ToViewer::Advertise(Advertise {
        schemas: vec![],
        channels: vec![channel(1, "", AdvertisedSchema::Table(Some(0)))],
    });
    assert_eq!(message.to_frame(), Err(EncodeError::SchemaIdZero { what: "channels" }));
}

#[test]
fn p_124_inline_members_and_order() {
    let mut with_metadata = channel(1, "/a", inline("N", "jsonschema", "{\"a\":1}"));
    with_metadata.metadata = [("z", "1"), ("B", "2"), ("a", "3"), ("é", "4")].map(|(k, v)| (k.into(), v.into())).into();
    let message = ToViewer::Advertise(Advertise {
        schemas: vec![],
        channels: vec![with_metadata, channel(2, "/b", AdvertisedSchema::Inline(None))],
    });
    let json = r#"{"op":"advertise","channels":[{"id":1,"topic":"/a","encoding":"json","schemaName":"N","schemaEncoding":"jsonschema","schema":"{\"a\":1}","metadata":{"B":"2","a":"3","z":"1","é":"4"}},{"id":2,"topic":"/b","encoding":"json","schemaName":"","schema":""}]}"#;
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
    assert_eq!(to_viewer(json), Ok(message));
}

#[test]
fn section_7_4_ill_typed_members() {
    let with = |members: &str| to_viewer(&format!(r#"{{"op":"advertise","channels":[{{{members}}}]}}"#));
    assert_invalid(with(r#""topic":"","encoding":"""#), "missing field `id`");
    assert_invalid(with(r#""id":1,"encoding":"""#), "missing field `topic`");
    assert_invalid(with(r#""id":1,"topic":"""#), "missing field `encoding`");
    assert_invalid(with(r#""id":1,"topic":"","encoding":"","metadata":{"a":1}"#), "expected a string");
    assert_invalid(with(r#""id":1,"topic":"","encoding":"","metadata":["a"]"#), "expected an object of strings");
    assert_invalid(with(r#""id":1,"topic":"","encoding":"","schemaId":"1""#), "expected u64");
    assert_invalid(to_viewer(r#"{"op":"advertise"}"#), "missing field `channels`");
    assert_invalid(to_viewer(r#"{"op":"advertise","schemas":[{"id":1,"name":""}],"channels":[]}"#), "missing field");
}

#[test]
fn p_56_ids_up_to_2_to_the_64_are_read() {
    let json = r#"{"op":"unadvertise","channelIds":[18446744073709551615]}"#;
    assert_eq!(to_viewer(json), Ok(ToViewer::Unadvertise { channel_ids: vec![u64::MAX] }));
}
