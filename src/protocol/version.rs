//! The protocol version check (2.1, P-200).

use std::fmt;

use semver::Version;
use thiserror::Error;

use super::texts;

/// Version the device speaks.
pub const SPOKEN: &str = "2.3.0";
/// Lowest version accepted from a viewer.
pub const MINIMUM: &str = "2.2.0";
/// Version of a viewer that does not say.
pub const ASSUMED: &str = "2.2.0";
/// Participant attribute that holds a viewer's version (P-9).
pub const ATTRIBUTE: &str = "protocolVersion";

// The same as values. A test compares them with the texts.
const MINIMUM_VERSION: Version = Version::new(2, 2, 0);
const ASSUMED_VERSION: Version = Version::new(2, 2, 0);
const SCHEMA_TABLE_VERSION: Version = Version::new(2, 3, 0);

/// The version of a viewer that passed the [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerVersion(Version);

impl ViewerVersion {
    /// Whether `advertise` to this viewer carries a schema table: 2.3.0 or higher (P-201).
    ///
    /// By semver precedence, so `2.3.0-rc.1` is below and build parts do not count.
    pub fn wants_schema_table(&self) -> bool {
        self.0.cmp_precedence(&SCHEMA_TABLE_VERSION).is_ge()
    }
}

impl Default for ViewerVersion {
    /// The version of a viewer without the attribute.
    fn default() -> Self {
        Self(ASSUMED_VERSION)
    }
}

impl fmt::Display for ViewerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A viewer's version that is not accepted. The text is the one the viewer is sent (P-15).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", texts::incompatible_version(advertised))]
pub struct VersionMismatch {
    /// The attribute as the viewer set it.
    pub advertised: String,
}

/// Checks the version attribute of a viewer; `None` if it has none (P-12).
///
/// # Errors
///
/// [`VersionMismatch`] if the value is not a semantic version, is below [`MINIMUM`] or has another major number.
pub fn check(attribute: Option<&str>) -> Result<ViewerVersion, VersionMismatch> {
    let Some(text) = attribute else { return Ok(ViewerVersion::default()) };
    match Version::parse(text) {
        Ok(version) if version.cmp_precedence(&MINIMUM_VERSION).is_ge() && version.major == MINIMUM_VERSION.major => {
            Ok(ViewerVersion(version))
        }
        _ => Err(VersionMismatch { advertised: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_200_texts_and_values_agree() {
        assert_eq!(MINIMUM, MINIMUM_VERSION.to_string());
        assert_eq!(ASSUMED, ASSUMED_VERSION.to_string());
        assert_eq!(SPOKEN, SCHEMA_TABLE_VERSION.to_string());
    }
}
