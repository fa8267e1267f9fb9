//! The macro that declares a message once and yields both its `prost` type and a row of the table that
//! `tests/livekit/descriptors.rs` compares with the descriptors inside the LiveKit wheel.

/// One declared field, as the descriptor test sees it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct FieldDecl {
    /// Field name.
    pub name: &'static str,
    /// Field number.
    pub tag: u32,
    /// `required`, `optional` or `repeated`.
    pub label: &'static str,
    /// Scalar type name, `message`, `enum` or `map`.
    pub kind: &'static str,
    /// Full name of the message or enum type without its package; `key,value` types of a map; else empty.
    pub type_name: &'static str,
}

/// One declared message.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct MessageDecl {
    /// Full name without the package, nested ones as `Outer.Inner`.
    pub name: &'static str,
    /// Its declared fields.
    pub fields: &'static [FieldDecl],
}

/// One declared enum.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct EnumDecl {
    /// Name without the package.
    pub name: &'static str,
    /// Value names and numbers.
    pub values: &'static [(&'static str, i32)],
}

/// Declares messages: `Name as "Outer.Name" { label type field = tag; .. }`.
///
/// Types: a scalar of protobuf, `message Type`, `enum Type` (an open `i32`), `raw Type` (a message left undecoded),
/// and `map string string`. Members of a `oneof` are declared as optional fields, which is the same on the wire.
macro_rules! messages {
    ($( $(#[$doc:meta])* $name:ident $(as $full:literal)? { $($body:tt)* } )*) => {
        $( message!(@fields [$(#[$doc])* $name full_name!($name $($full)?)] [] [] $($body)*); )*

        /// Everything declared here.
        pub(super) const MESSAGES: &[MessageDecl] = &[
            $( MessageDecl { name: $name::NAME, fields: $name::FIELDS }, )*
        ];
    };
}

macro_rules! full_name {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $full:literal) => {
        $full
    };
}

macro_rules! message {
    (@fields [$(#[$doc:meta])* $name:ident $full:expr] [$($fields:tt)*] [$($table:tt)*]) => {
        $(#[$doc])*
        #[derive(prost::Message)]
        pub(super) struct $name { $($fields)* }

        impl $name {
            /// Full name without the package.
            const NAME: &'static str = $full;
            const FIELDS: &'static [FieldDecl] = &[$($table)*];
        }
    };
    (@fields $head:tt [$($fields:tt)*] [$($table:tt)*] map string string $field:ident = $tag:tt; $($rest:tt)*) => {
        message!(@fields $head
            [$($fields)* #[prost(map = "string, string", tag = $tag)] pub(super) $field: HashMap<String, String>,]
            [$($table)* declare!(repeated map $field $tag "string,string"),]
            $($rest)*);
    };
    (@fields $head:tt [$($fields:tt)*] [$($table:tt)*] $label:ident message $ty:ident $field:ident = $tag:tt; $($rest:tt)*) => {
        message!(@fields $head
            [$($fields)* #[prost(message, $label, tag = $tag)] pub(super) $field: labelled!($label $ty),]
            [$($table)* declare!($label message $field $tag $ty::NAME),]
            $($rest)*);
    };
    (@fields $head:tt [$($fields:tt)*] [$($table:tt)*] $label:ident raw $ty:ident $field:ident = $tag:tt; $($rest:tt)*) => {
        message!(@fields $head
            [$($fields)* #[prost(bytes = "bytes", $label, tag = $tag)] pub(super) $field: labelled!($label Bytes),]
            [$($table)* declare!($label message $field $tag stringify!($ty)),]
            $($rest)*);
    };
    (@fields $head:tt [$($fields:tt)*] [$($table:tt)*] $label:ident enum $ty:ident $field:ident = $tag:tt; $($rest:tt)*) => {
        message!(@fields $head
            [$($fields)* #[prost(int32, $label, tag = $tag)] pub(super) $field: labelled!($label i32),]
            [$($table)* declare!($label enum $field $tag stringify!($ty)),]
            $($rest)*);
    };
    (@fields $head:tt [$($fields:tt)*] [$($table:tt)*] $label:ident bytes $field:ident = $tag:tt; $($rest:tt)*) => {
        message!(@fields $head
            [$($fields)* #[prost(bytes = "bytes", $label, tag = $tag)] pub(super) $field: labelled!($label Bytes),]
            [$($table)* declare!($label bytes $field $tag ""),]
            $($rest)*);
    };
    (@fields $head:tt [$($fields:tt)*] [$($table:tt)*] $label:ident $scalar:ident $field:ident = $tag:tt; $($rest:tt)*) => {
        message!(@fields $head
            [$($fields)* #[prost($scalar, $label, tag = $tag)] pub(super) $field: labelled!($label scalar $scalar),]
            [$($table)* declare!($label $scalar $field $tag ""),]
            $($rest)*);
    };
}

macro_rules! declare {
    ($label:ident $kind:tt $field:ident $tag:tt $type_name:expr) => {
        FieldDecl {
            name: stringify!($field),
            tag: $tag,
            label: stringify!($label),
            kind: stringify!($kind),
            type_name: $type_name,
        }
    };
}

macro_rules! labelled {
    ($label:ident scalar uint64) => { labelled!($label u64) };
    ($label:ident scalar int64) => { labelled!($label i64) };
    ($label:ident scalar uint32) => { labelled!($label u32) };
    ($label:ident scalar double) => { labelled!($label f64) };
    ($label:ident scalar bool) => { labelled!($label bool) };
    ($label:ident scalar string) => { labelled!($label String) };
    (required $ty:ty) => { $ty };
    (optional $ty:ty) => { Option<$ty> };
    (repeated $ty:ty) => { Vec<$ty> };
}

/// Declares enums as constants of an open `i32`: the library may be newer than this list.
macro_rules! enums {
    ($( $(#[$doc:meta])* $module:ident $name:ident { $($value:ident = $number:literal;)* } )*) => {
        $(
            $(#[$doc])*
            pub(super) mod $module {
                $( pub(in super::super) const $value: i32 = $number; )*
            }
        )*

        /// Every enum declared here.
        pub(super) const ENUMS: &[EnumDecl] = &[
            $( EnumDecl { name: stringify!($name), values: &[$((stringify!($value), $number),)*] }, )*
        ];
    };
}
