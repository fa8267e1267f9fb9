//! `telelink_role` and `telelink_action`: who may do what.

use std::collections::BTreeMap;

use super::guard::guard;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::session::{Action, Policy, RoleRules};

/// What a viewer can do that may be refused; the subject is what it does it with.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_action {
    /// See a channel; the subject is its topic.
    Subscribe = 0,
    /// Publish on a channel of its own; the subject is the topic.
    Publish = 1,
    /// Call a service; the subject is its name.
    Call = 2,
    /// Read a parameter, once or with every change; the subject is its name, or empty for reading all.
    Get = 3,
    /// Set or remove a parameter; the subject is its name.
    Set = 4,
    /// Fetch an asset; the subject is its URI.
    Asset = 5,
    /// Follow the connection graph; the subject is empty.
    Graph = 6,
}

impl From<Action> for telelink_action {
    fn from(action: Action) -> Self {
        match action {
            Action::Subscribe => Self::Subscribe,
            Action::Publish => Self::Publish,
            Action::Call => Self::Call,
            Action::Get => Self::Get,
            Action::Set => Self::Set,
            Action::Asset => Self::Asset,
            Action::Graph => Self::Graph,
        }
    }
}

/// What the viewers of one role may do, of what the session's capabilities offer: patterns of subjects for each action.
/// Set up with telelink_role_init(), which allows nothing.
///
/// In a pattern `*` stands for any run of characters, also an empty one and across `/`; everything else stands for
/// itself. What is refused looks to the viewer as if the robot did not offer it.
///
/// A viewer's role is the attribute `telelink.role` of its token, as it was when the viewer was registered. The viewer
/// cannot change it when its token lacks the grant canUpdateOwnMetadata: tokens that carry roles must not have it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_role {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Value of the attribute. Not read in telelink_session_options.default_role.
    pub name: telelink_str,
    /// Topics of channels it may see.
    pub subscribe: *const telelink_str,
    /// Number of them.
    pub subscribe_count: usize,
    /// Topics it may publish on.
    pub publish: *const telelink_str,
    /// Number of them.
    pub publish_count: usize,
    /// Services it may call.
    pub call: *const telelink_str,
    /// Number of them.
    pub call_count: usize,
    /// Parameters it may read; of all parameters it is shown these.
    pub get: *const telelink_str,
    /// Number of them.
    pub get_count: usize,
    /// Parameters it may set or remove.
    pub set: *const telelink_str,
    /// Number of them.
    pub set_count: usize,
    /// URIs of assets it may fetch.
    pub asset: *const telelink_str,
    /// Number of them.
    pub asset_count: usize,
    /// Whether it may follow the connection graph: 0 or 1.
    pub graph: u32,
    /// Not used; 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_role,
    first_size: size_of::<telelink_role>(),
    defaults: telelink_role {
        struct_size: size_of::<telelink_role>(),
        name: telelink_str::EMPTY,
        subscribe: std::ptr::null(),
        subscribe_count: 0,
        publish: std::ptr::null(),
        publish_count: 0,
        call: std::ptr::null(),
        call_count: 0,
        get: std::ptr::null(),
        get_count: 0,
        set: std::ptr::null(),
        set_count: 0,
        asset: std::ptr::null(),
        asset_count: 0,
        graph: 0,
        reserved: 0,
    },
);

/// The policy of the options, or `None` when they have none.
///
/// # Safety
/// `roles` must be NULL or point to `count` pointers; these and `default_role` must each be NULL or readable by their
/// size, and so must what they name.
pub(super) unsafe fn read_policy(
    roles: *const *const telelink_role,
    count: usize,
    default_role: *const telelink_role,
) -> Result<Option<Policy>, Failure> {
    // SAFETY: the caller's promise.
    let roles = unsafe { view::slice(roles, count, "options.roles") }?;
    if roles.is_empty() && default_role.is_null() {
        return Ok(None);
    }
    let mut named = BTreeMap::new();
    for role in roles {
        // SAFETY: the caller's promise.
        let (name, rules) = unsafe {
            let role = sized::read(*role, "options.roles[]")?;
            (view::text(role.name, "role.name")?, rules(&role)?)
        };
        if name.is_empty() {
            return Err(Failure::new(telelink_status::InvalidValue, "role.name is empty: use options.default_role"));
        }
        if named.insert(name.to_owned(), rules).is_some() {
            let text = format!("options.roles has the role {name} twice");
            return Err(Failure::new(telelink_status::Duplicate, text));
        }
    }
    // SAFETY: the caller's promise.
    let default_role = match unsafe { sized::read_optional(default_role, "options.default_role") }? {
        // SAFETY: the caller's promise.
        Some(role) => unsafe { rules(&role) }?,
        None => RoleRules::default(),
    };
    Ok(Some(Policy { roles: named, default_role }))
}

unsafe fn rules(role: &telelink_role) -> Result<RoleRules, Failure> {
    let graph = view::flag(role.graph, "role.graph")?;
    // SAFETY: the promise of `read_policy`.
    unsafe {
        Ok(RoleRules {
            subscribe: view::texts(role.subscribe, role.subscribe_count, "role.subscribe")?,
            publish: view::texts(role.publish, role.publish_count, "role.publish")?,
            call: view::texts(role.call, role.call_count, "role.call")?,
            get: view::texts(role.get, role.get_count, "role.get")?,
            set: view::texts(role.set, role.set_count, "role.set")?,
            asset: view::texts(role.asset, role.asset_count, "role.asset")?,
            graph,
        })
    }
}

/// Fills a role with the defaults: it may do nothing.
///
/// @param role  Written.
/// @param struct_size  sizeof *role.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `role` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_role_init(role: *mut telelink_role, struct_size: usize) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(role, struct_size, "role") })
}
