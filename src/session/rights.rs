//! Who may do what: a declarative policy per role, and a question to the application (S-126 to S-130).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Client;

/// Attribute of a participant's token that names its role for a [`Policy`].
///
/// A viewer cannot change it when its token lacks the grant `canUpdateOwnMetadata`, so tokens that carry roles must not
/// have it. What counts are the attributes at the time of registration ([`Client::attributes`]): a later change takes
/// effect when the viewer is registered anew.
pub const ROLE_ATTRIBUTE: &str = "telelink.role";

/// What a viewer can do that may be refused, and what the subject of the question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// See a channel; the subject is its topic.
    Subscribe,
    /// Publish on a channel of its own; the subject is the topic.
    Publish,
    /// Call a service; the subject is its name.
    Call,
    /// Read a parameter, once or with every change; the subject is its name, or empty for reading all.
    Get,
    /// Set or remove a parameter; the subject is its name.
    Set,
    /// Fetch an asset; the subject is its URI.
    Asset,
    /// Follow the connection graph; the subject is empty.
    Graph,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Call => "call",
            Self::Get => "get",
            Self::Set => "set",
            Self::Asset => "asset",
            Self::Graph => "graph",
        })
    }
}

/// May this viewer do this? Asked for what the robot enabled and the [`Policy`], if there is one, allows.
///
/// Runs on the session's handler threads, for several viewers at once, and may block: meanwhile only that viewer's later
/// messages wait. A message is refused when not all its subjects have been answered within 2 s, and so is a subject whose
/// question panics. While a question of a viewer is still running after that, its other questions are refused without
/// asking. Answers in time are remembered for the viewer's registration (the newest 1,024), so a decision holds until
/// the viewer is registered anew.
///
/// A viewer that reads all parameters is asked about once, with an empty subject: allow it only to those who may read
/// every parameter that the policy lets them read.
pub type Authorizer = Arc<dyn Fn(&Client, Action, &str) -> bool + Send + Sync>;

/// What one role may do: patterns of subjects for each action. Nothing, by default.
///
/// In a pattern `*` stands for any run of characters, also an empty one and across `/`; everything else stands for
/// itself. So `/arm/*` allows `/arm/left/pose` but not `/arm`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleRules {
    /// Topics of channels it may see.
    pub subscribe: Vec<String>,
    /// Topics it may publish on.
    pub publish: Vec<String>,
    /// Services it may call.
    pub call: Vec<String>,
    /// Parameters it may read. Of all parameters it is shown these.
    pub get: Vec<String>,
    /// Parameters it may set or remove.
    pub set: Vec<String>,
    /// URIs of assets it may fetch.
    pub asset: Vec<String>,
    /// Whether it may follow the connection graph.
    pub graph: bool,
}

impl RoleRules {
    /// Rules that allow everything.
    pub fn everything() -> Self {
        let all = || vec!["*".to_owned()];
        Self { subscribe: all(), publish: all(), call: all(), get: all(), set: all(), asset: all(), graph: true }
    }

    /// Whether the rules allow this.
    pub fn allow(&self, action: Action, subject: &str) -> bool {
        match action {
            Action::Graph => self.graph,
            _ => matches_any(self.patterns(action), subject),
        }
    }

    fn patterns(&self, action: Action) -> &[String] {
        match action {
            Action::Subscribe => &self.subscribe,
            Action::Publish => &self.publish,
            Action::Call => &self.call,
            Action::Get => &self.get,
            Action::Set => &self.set,
            Action::Asset => &self.asset,
            Action::Graph => &[],
        }
    }
}

/// What viewers may do, by role; for robots that want no code of their own for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The rules of each role, by the value of [`ROLE_ATTRIBUTE`].
    pub roles: BTreeMap<String, RoleRules>,
    /// The rules of a viewer without a role, or with one that is not listed.
    pub default_role: RoleRules,
}

impl Policy {
    /// The rules for this viewer.
    pub fn rules_of(&self, client: &Client) -> &RoleRules {
        client.attributes.get(ROLE_ATTRIBUTE).and_then(|role| self.roles.get(role)).unwrap_or(&self.default_role)
    }
}

/// Who decides; without both everything is allowed that the robot enabled.
#[derive(Clone, Default)]
pub(crate) struct Rights {
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) authorizer: Option<Authorizer>,
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rights")
            .field("policy", &self.policy)
            .field("authorizer", &self.authorizer.is_some())
            .finish_non_exhaustive()
    }
}

/// Whether one of the patterns matches.
pub(crate) fn matches_any(patterns: &[String], subject: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern.as_bytes(), subject.as_bytes()))
}

/// Whether the pattern matches, in time proportional to the product of both lengths at worst: subjects come from viewers.
fn matches(pattern: &[u8], subject: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    // After the last `*`: where the pattern goes on, and where its run of characters ends for now.
    let mut star = None;
    while s < subject.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, s));
        } else if pattern.get(p) == Some(&subject[s]) {
            (p, s) = (p + 1, s + 1);
        } else if let Some((after, end)) = star {
            star = Some((after, end + 1));
            (p, s) = (after, end + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::{matches_any, Action, RoleRules};

    #[test]
    fn a_star_stands_for_any_run_of_characters_also_across_slashes() {
        let rows = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "/any/thing", true),
            ("/arm", "/arm", true),
            ("/arm", "/arms", false),
            ("/arm", "/ar", false),
            ("/arm/*", "/arm/left/pose", true),
            ("/arm/*", "/arm/", true),
            ("/arm/*", "/arm", false),
            ("*/pose", "/arm/left/pose", true),
            ("*/pose", "/pose/x", false),
            ("/*/pose", "/pose", false),
            ("/a*b*c", "/a-b-b-c", true),
            ("/a*b*c", "/a-b-b-", false),
            ("**a**", "bab", true),
            ("a*a", "a", false),
            // A star in a subject is a character like any other.
            ("/a", "*", false),
            ("/é*", "/élan", true),
        ];
        for (pattern, subject, expected) in rows {
            assert_eq!(matches_any(&[pattern.to_owned()], subject), expected, "{pattern} {subject}");
        }
        assert!(!matches_any(&[], ""), "no pattern allows nothing");
    }

    #[test]
    fn a_hostile_subject_takes_no_exponential_time() {
        let pattern = "*a".repeat(20) + "b";
        assert!(!matches_any(&[pattern], &"a".repeat(20_000)));
    }

    #[test]
    fn rules_allow_nothing_until_told() {
        let actions =
            [Action::Subscribe, Action::Publish, Action::Call, Action::Get, Action::Set, Action::Asset, Action::Graph];
        for action in actions {
            assert!(!RoleRules::default().allow(action, ""), "{action}");
            assert!(RoleRules::everything().allow(action, "/x"), "{action}");
        }
    }
}
