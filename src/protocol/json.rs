//! What all JSON messages share: finding `op`, strict lists and objects, writing frames.
//!
//! A message is read twice: once for `op` alone, once into its own type. Reading it once through a tagged enum would first build a
//! tree of everything in it, many times the size of what a hostile peer sent; here unknown members are only skipped.
//!
//! serde's derived structs also accept a JSON array of their fields; the protocol says object, so [`object`] and [`objects`] do not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::{shorten, DecodeError, EncodeError};
use super::frame::{finish_frame, FrameKind, HEADER_LEN};
use super::parameter::{self, Parameter, Written};

/// Longest list or map accepted in a message, in either direction: 16 MiB of tiny entries would expand to many times that.
pub const MAX_ENTRIES: usize = 1 << 20;

/// The text of a message and the value of its `op` (P-39, P-40, P-53, P-59).
pub(super) fn find_op(payload: &[u8]) -> Result<(&str, Cow<'_, str>), DecodeError> {
    let text =
        std::str::from_utf8(payload).map_err(|error| DecodeError::TextNotUtf8 { valid_up_to: error.valid_up_to() })?;
    match serde_json::from_str::<Op<'_>>(text) {
        Ok(Op(op)) => Ok((text, op)),
        Err(error) => Err(DecodeError::NotAMessage { detail: shorten(&error.to_string()) }),
    }
}

/// Reads a message whose `op` was found to be `op`.
pub(super) fn parse<'a, T: Deserialize<'a>>(op: &'static str, text: &'a str) -> Result<T, DecodeError> {
    serde_json::from_str(text).map_err(|error| DecodeError::InvalidMessage { op, detail: shorten(&error.to_string()) })
}

/// The error for an `op` this side does not know.
pub(super) fn unknown_op(op: &str) -> DecodeError {
    DecodeError::UnknownOp { op: shorten(op) }
}

/// The whole text frame of a message: `op` and then the members of `body` (P-53).
pub(super) fn frame(op: &'static str, body: &impl Serialize) -> Result<Bytes, EncodeError> {
    #[derive(Serialize)]
    struct Message<'a, B> {
        op: &'static str,
        #[serde(flatten)]
        body: &'a B,
    }

    let mut frame = Vec::with_capacity(256);
    frame.resize(HEADER_LEN, 0);
    serde_json::to_writer(&mut frame, &Message { op, body })
        .map_err(|error| EncodeError::Json { op, detail: shorten(&error.to_string()) })?;
    finish_frame(FrameKind::Text, frame)
}

/// A message that is one list of objects, `channels`.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub(super) struct Channels<'a, T: Clone> {
    #[serde(deserialize_with = "objects")]
    pub(super) channels: Cow<'a, [T]>,
}

/// A message that is one list of numbers, `channelIds`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub(super) struct ChannelIds<'a, T: Clone> {
    #[serde(deserialize_with = "list")]
    pub(super) channel_ids: Cow<'a, [T]>,
}

/// The members of a message that carries parameters, in either direction.
#[derive(Deserialize)]
pub(super) struct ParametersIn<'a> {
    #[serde(deserialize_with = "parameter::list")]
    pub(super) parameters: Cow<'a, [Parameter]>,
    pub(super) id: Option<String>,
}

/// The frame of a message that carries parameters.
pub(super) fn parameters_frame<'a>(
    op: &'static str,
    parameters: impl Iterator<Item = &'a Parameter> + Clone,
    id: Option<&str>,
) -> Result<Bytes, EncodeError> {
    #[derive(Serialize)]
    struct Out<'a> {
        parameters: Vec<Written<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
    }

    parameter::check(parameters.clone())?;
    frame(op, &Out { parameters: parameters.map(Written).collect(), id })
}

/// Refuses a list that [`list`] or [`objects`] would not read.
pub(super) fn check_len<T>(what: &'static str, list: &[T]) -> Result<(), EncodeError> {
    if list.len() > MAX_ENTRIES {
        return Err(EncodeError::TooMany { what, len: list.len(), max: MAX_ENTRIES });
    }
    Ok(())
}

/// Refuses a map that [`opt_string_map`] would not read.
pub(super) fn check_map(what: &'static str, map: &BTreeMap<String, String>) -> Result<(), EncodeError> {
    if map.len() > MAX_ENTRIES {
        return Err(EncodeError::TooMany { what, len: map.len(), max: MAX_ENTRIES });
    }
    Ok(())
}

/// `op` of a message; everything else in it is skipped.
struct Op<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Op<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OpVisitor;

        impl<'de> Visitor<'de> for OpVisitor {
            type Value = Op<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Op<'de>, A::Error> {
                let mut op = None;
                while let Some(Text(key)) = map.next_key()? {
                    if key != "op" {
                        map.next_value::<IgnoredAny>()?;
                    } else if op.is_some() {
                        return Err(A::Error::duplicate_field("op"));
                    } else {
                        op = Some(map.next_value::<Text<'de>>()?.0);
                    }
                }
                op.map(Op).ok_or_else(|| A::Error::missing_field("op"))
            }
        }

        deserializer.deserialize_map(OpVisitor)
    }
}

/// A string, borrowed from the input unless it has escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// Reads a list of numbers or strings.
pub(super) fn list<'de, 'a, D, T>(deserializer: D) -> Result<Cow<'a, [T]>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Clone,
{
    deserializer.deserialize_seq(ListVisitor(PhantomData::<T>)).map(Cow::Owned)
}

/// Reads a list of objects.
pub(super) fn objects<'de, 'a, D, T>(deserializer: D) -> Result<Cow<'a, [T]>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Clone,
{
    deserializer.deserialize_seq(ListVisitor(Object(PhantomData::<T>))).map(Cow::Owned)
}

/// As [`objects`], for a member that may be absent or `null`.
pub(super) fn opt_objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(deserializer.deserialize_option(OptVisitor(ListVisitor(Object(PhantomData::<T>))))?.unwrap_or_default())
}

/// As [`list`], for a member that may be absent or `null`.
pub(super) fn opt_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(deserializer.deserialize_option(OptVisitor(ListVisitor(PhantomData::<T>)))?.unwrap_or_default())
}

/// Reads an object that may be absent or `null`.
pub(super) fn opt_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_option(OptVisitor(Object(PhantomData::<T>)))
}

/// Reads an object of strings that may be absent or `null`. Keys are data here, so of equal ones the last wins.
pub(super) fn opt_string_map<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(deserializer.deserialize_option(OptVisitor(StringMap))?.unwrap_or_default())
}

/// A list, its elements read by a seed.
struct ListVisitor<S>(S);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for ListVisitor<S> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for ListVisitor<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = seq.next_element_seed(self.0)? {
            if list.len() == MAX_ENTRIES {
                return Err(A::Error::custom(format_args!("more than {MAX_ENTRIES} entries in one array")));
            }
            list.push(entry);
        }
        Ok(list)
    }
}

/// A `T` that is written as an object and nothing else.
struct Object<T>(PhantomData<T>);

impl<T> Clone for Object<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Object<T> {}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Object<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// An object whose values are strings.
struct StringMap;

impl<'de> DeserializeSeed<'de> for StringMap {
    type Value = BTreeMap<String, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for StringMap {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = access.next_entry()? {
            map.insert(key, value);
            if map.len() > MAX_ENTRIES {
                return Err(A::Error::custom(format_args!("more than {MAX_ENTRIES} entries in one object")));
            }
        }
        Ok(map)
    }
}

/// What a seed reads, or nothing for `null`.
struct OptVisitor<S>(S);

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for OptVisitor<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}
