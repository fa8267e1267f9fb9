//! Every message declared for the LiveKit library against the descriptors that its own wheel holds.
//!
//! `descriptors.bin` is made by `scripts/livekit_descriptors.py`.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use telelink::room::livekit::{declared_schema, FieldDecl};

const DESCRIPTORS: &[u8] = include_bytes!("descriptors.bin");
const PACKAGE: &str = ".livekit.proto.";

// The part of google/protobuf/descriptor.proto that is compared.

#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = 1)]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(message, repeated, tag = 4)]
    message_type: Vec<MessageType>,
    #[prost(message, repeated, tag = 5)]
    enum_type: Vec<EnumType>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageType {
    #[prost(string, tag = 1)]
    name: String,
    #[prost(message, repeated, tag = 2)]
    field: Vec<Field>,
    #[prost(message, repeated, tag = 3)]
    nested_type: Vec<MessageType>,
    #[prost(message, repeated, tag = 4)]
    enum_type: Vec<EnumType>,
    #[prost(message, optional, tag = 7)]
    options: Option<MessageOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageOptions {
    #[prost(bool, tag = 7)]
    map_entry: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(string, tag = 1)]
    name: String,
    #[prost(uint32, tag = 3)]
    number: u32,
    #[prost(uint32, tag = 4)]
    label: u32,
    #[prost(uint32, tag = 5)]
    kind: u32,
    #[prost(string, tag = 6)]
    type_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct EnumType {
    #[prost(string, tag = 1)]
    name: String,
    #[prost(message, repeated, tag = 2)]
    value: Vec<EnumValue>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumValue {
    #[prost(string, tag = 1)]
    name: String,
    #[prost(int32, tag = 2)]
    number: i32,
}

fn label(number: u32) -> &'static str {
    ["?", "optional", "required", "repeated"][number as usize]
}

fn scalar(number: u32) -> &'static str {
    match number {
        1 => "double",
        2 => "float",
        3 => "int64",
        4 => "uint64",
        5 => "int32",
        8 => "bool",
        9 => "string",
        11 => "message",
        12 => "bytes",
        13 => "uint32",
        14 => "enum",
        _ => "another type",
    }
}

/// Messages and enums by full name without the package.
#[derive(Default)]
struct Wheel {
    messages: BTreeMap<String, MessageType>,
    enums: BTreeMap<String, EnumType>,
}

impl Wheel {
    fn read() -> Self {
        let mut wheel = Self::default();
        for file in FileSet::decode(DESCRIPTORS).expect("descriptors.bin is a FileDescriptorSet").file {
            file.message_type.into_iter().for_each(|message| wheel.add(String::new(), message));
            wheel.enums.extend(file.enum_type.into_iter().map(|entry| (entry.name.clone(), entry)));
        }
        wheel
    }

    fn add(&mut self, prefix: String, message: MessageType) {
        let name = format!("{prefix}{}", message.name);
        for nested in message.nested_type.clone() {
            self.add(format!("{name}."), nested);
        }
        for nested in message.enum_type.clone() {
            self.enums.insert(format!("{name}.{}", nested.name), nested);
        }
        self.messages.insert(name, message);
    }

    /// The field as our table would describe it.
    fn describe(&self, field: &Field) -> (u32, &'static str, &'static str, String) {
        let type_name = field.type_name.strip_prefix(PACKAGE).unwrap_or(&field.type_name).to_owned();
        let entry =
            self.messages.get(&type_name).filter(|message| message.options.as_ref().is_some_and(|o| o.map_entry));
        match entry {
            Some(entry) => {
                let types: Vec<_> = entry.field.iter().map(|field| scalar(field.kind)).collect();
                (field.number, label(field.label), "map", types.join(","))
            }
            None => (field.number, label(field.label), scalar(field.kind), type_name),
        }
    }
}

/// A field named like a keyword is declared with `r#`.
fn plain(name: &str) -> &str {
    name.trim_start_matches("r#")
}

fn declared(field: &FieldDecl) -> (u32, &'static str, &'static str, String) {
    (field.tag, field.label, field.kind, field.type_name.to_owned())
}

#[test]
fn every_declared_field_is_as_in_the_wheel() {
    let wheel = Wheel::read();
    let (messages, _) = declared_schema();
    assert!(messages.len() > 80, "the table is complete");
    let mut wrong = Vec::new();
    for message in messages {
        let Some(theirs) = wheel.messages.get(message.name) else {
            wrong.push(format!("no message {}", message.name));
            continue;
        };
        for field in message.fields {
            match theirs.field.iter().find(|theirs| theirs.name == plain(field.name)) {
                None => wrong.push(format!("{}.{}: no such field", message.name, field.name)),
                Some(theirs) if wheel.describe(theirs) != declared(field) => {
                    let (ours, theirs) = (declared(field), wheel.describe(theirs));
                    wrong.push(format!("{}.{}: ours {ours:?}, theirs {theirs:?}", message.name, field.name));
                }
                Some(_) => (),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_declared_enum_value_is_as_in_the_wheel() {
    let wheel = Wheel::read();
    let (_, enums) = declared_schema();
    assert!(enums.len() > 5, "the table is complete");
    for entry in enums {
        let theirs = &wheel.enums.get(entry.name).unwrap_or_else(|| panic!("no enum {}", entry.name)).value;
        for (name, number) in entry.values {
            let found = theirs.iter().find(|value| value.name == *name).map(|value| value.number);
            assert_eq!(found, Some(*number), "{}.{name}", entry.name);
        }
    }
}

#[test]
fn requests_give_every_required_field() {
    // The library's decoder reads a missing required field as zero and says nothing (livekit-ffi.md 3.1).
    let wheel = Wheel::read();
    let (messages, _) = declared_schema();
    let mut sent = BTreeSet::from(["FfiRequest"]);
    loop {
        let found: BTreeSet<_> = messages
            .iter()
            .filter(|message| sent.contains(message.name))
            .flat_map(|message| message.fields)
            .filter(|field| field.kind == "message")
            .map(|field| field.type_name)
            .chain(sent.iter().copied())
            .collect();
        if found == sent {
            break;
        }
        sent = found;
    }
    assert!(sent.len() > 10, "requests were found");
    for message in messages.iter().filter(|message| sent.contains(message.name)) {
        for field in wheel.messages[message.name].field.iter().filter(|field| label(field.label) == "required") {
            let ours = message.fields.iter().any(|ours| plain(ours.name) == field.name);
            assert!(ours, "{}.{} is required and not declared", message.name, field.name);
        }
    }
}

#[test]
fn p_003_our_byte_streams_have_a_topic_and_destinations_and_nothing_else() {
    // What is not declared cannot be sent: no id, name, type, attributes or length.
    let (messages, _) = declared_schema();
    let options = messages.iter().find(|message| message.name == "StreamByteOptions").expect("declared");
    let fields: Vec<_> = options.fields.iter().map(|field| field.name).collect();
    assert_eq!(fields, ["topic", "destination_identities"]);
}

#[test]
fn every_event_that_carries_a_handle_is_declared() {
    // What is not declared is skipped by the decoder, and a handle in it would never be dropped (livekit-ffi.md 3.2).
    let wheel = Wheel::read();
    let (messages, _) = declared_schema();
    let declared_fields: BTreeSet<_> = messages
        .iter()
        .flat_map(|message| message.fields.iter().map(|field| (message.name, plain(field.name))))
        .collect();
    // Answers to requests that are never made.
    let never = ["track_event", "audio_stream_event", "text_stream_open", "new_capture_source"];
    let mut missing = Vec::new();
    let mut stack = vec!["FfiEvent".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = stack.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        for field in wheel.messages[&name].field.iter().filter(|field| scalar(field.kind) == "message") {
            let type_name = field.type_name.strip_prefix(PACKAGE).expect("our package").to_owned();
            if name == "FfiEvent" && never.contains(&field.name.as_str()) || !carries_handle(&wheel, &type_name) {
                continue;
            }
            if !declared_fields.contains(&(name.as_str(), field.name.as_str())) {
                missing.push(format!("{name}.{}", field.name));
            }
            stack.push(type_name);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

fn carries_handle(wheel: &Wheel, name: &str) -> bool {
    let fields = &wheel.messages[name].field;
    let mut types = fields.iter().filter_map(|field| field.type_name.strip_prefix(PACKAGE));
    name == "FfiOwnedHandle"
        || types.any(|inner| wheel.messages.contains_key(inner) && inner != name && carries_handle(wheel, inner))
}
