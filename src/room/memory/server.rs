//! The imaginary server: tokens, joining, and the one state everything else works on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, Notify};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::{ConnId, Connection, Link};
use super::faults::Faults;
use super::gates::{Gate, Gates};
use super::room::MemoryRoom;
use super::tracks::{Pacer, TrackLog};
use crate::room::{
    BoxFuture, Connector, DisconnectReason, Identity, JoinError, JoinErrorKind, JoinRequest, Joined, Participant,
    ParticipantKind, RoomEvent, Secret,
};

/// Join times start here, milliseconds since the Unix epoch: a plausible date, and the same in every run.
const FIRST_JOIN_MS: i64 = 1_700_000_000_000;

/// An imaginary LiveKit server with any number of rooms. See the [module documentation](super).
///
/// A room comes into being when somebody joins it. The controls name participants by identity; an identity that is in
/// several rooms at once is meant in all of them.
pub struct MemoryServer {
    state: Mutex<State>,
    /// Notified after every change: what [`MemoryServer::until`] and the waiting tasks listen to. A `Notify` and not a
    /// `watch`, because it wakes its waiters in the order in which they came.
    changed: Notify,
}

pub(super) struct State {
    pub(super) reachable: bool,
    pub(super) next_joined_at: i64,
    pub(super) connections: BTreeMap<ConnId, Connection>,
    /// The last own participant of rooms that have been left, until the room object goes.
    pub(super) departed: HashMap<ConnId, Participant>,
    pub(super) faults: Faults,
    pub(super) gates: Gates,
    pub(super) counters: Counters,
    /// Values whose drop may run foreign code; dropped after the lock is released.
    pub(super) trash: Vec<Box<dyn Send>>,
    tokens: HashMap<String, Grant>,
    next_number: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) streams_to: HashMap<Identity, u64>,
    pub(super) streams_by: HashMap<Identity, u64>,
    pub(super) streams_refused: u64,
    pub(super) joins: HashMap<Identity, u64>,
    pub(super) tracks: TrackLog,
    pub(super) frames_lost: u64,
}

/// What a token allows.
#[derive(Clone)]
struct Grant {
    room: String,
    identity: Identity,
    name: String,
    kind: ParticipantKind,
    attributes: BTreeMap<String, String>,
    expired: bool,
    can_publish: bool,
}

impl MemoryServer {
    /// A server without rooms.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                reachable: true,
                next_joined_at: FIRST_JOIN_MS,
                connections: BTreeMap::new(),
                departed: HashMap::new(),
                faults: Faults::default(),
                gates: Gates::default(),
                counters: Counters::default(),
                trash: Vec::new(),
                tokens: HashMap::new(),
                next_number: 0,
            }),
            changed: Notify::new(),
        })
    }

    /// Starts a token for `identity` in `room`.
    pub fn token(self: &Arc<Self>, room: &str, identity: &str) -> TokenBuilder {
        let grant = Grant {
            room: room.to_owned(),
            identity: identity.into(),
            name: String::new(),
            kind: ParticipantKind::Standard,
            attributes: BTreeMap::new(),
            expired: false,
            can_publish: true,
        };
        TokenBuilder { server: self.clone(), grant }
    }

    /// A token that worked is worth nothing from now on. Whoever joined with it stays.
    pub fn expire(&self, token: &Secret) {
        self.with(|state| {
            if let Some(grant) = state.tokens.get_mut(token.expose()) {
                grant.expired = true;
            }
        });
    }

    /// The connector of this server. Any URL that is not empty will do.
    pub fn connector(self: &Arc<Self>) -> Arc<dyn Connector> {
        Arc::new(MemoryConnector { server: self.clone() })
    }

    /// Waits until `condition` holds, looking again after each change of the server. Bound it with a time-out.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that a change between look and wait is not missed.
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }

    /// Changes the state. Foreign destructors run after the lock is released; whoever waits for a change is woken.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let trash = std::mem::take(&mut state.trash);
        drop(state);
        drop(trash);
        self.changed.notify_waiters();
        result
    }

    /// Looks at the state.
    pub(super) fn look<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.state.lock())
    }

    async fn join(self: Arc<Self>, request: JoinRequest) -> Result<Joined, JoinError> {
        let patience = request.options.connect_timeout;
        timeout(patience, self.admit(request)).await.unwrap_or_else(|_| {
            let message = format!("no answer from the memory server within {} ms", patience.as_millis());
            Err(JoinError::new(JoinErrorKind::Timeout, message))
        })
    }

    async fn admit(self: Arc<Self>, request: JoinRequest) -> Result<Joined, JoinError> {
        if request.url.is_empty() {
            return Err(JoinError::new(JoinErrorKind::Invalid, "the URL is empty"));
        }
        let (identity, delay) = self.look(|state| {
            let grant = state.grant(&request)?;
            Ok((grant.identity, state.faults.join_delay))
        })?;
        if delay > Duration::ZERO {
            sleep(delay).await;
        }
        // Nobody kicks a connection that does not exist yet, so the wait ends by its gate or the join's time-out.
        let never = CancellationToken::new();
        let _ = self.pass(Gate::Join, &identity, &never).await;
        let server = self.clone();
        self.with(|state| {
            let grant = state.grant(&request)?;
            if let Some(kind) = state.faults.join_failures.get_mut(&identity).and_then(|kinds| kinds.pop_front()) {
                return Err(JoinError::new(kind, format!("injected failure of a join of {identity}")));
            }
            Ok(state.enter(server, grant))
        })
    }
}

impl State {
    /// A number never given before.
    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    pub(super) fn join_time(&mut self) -> i64 {
        let now = self.next_joined_at;
        self.next_joined_at = now.saturating_add(1);
        now
    }

    fn grant(&self, request: &JoinRequest) -> Result<Grant, JoinError> {
        if !self.reachable {
            return Err(JoinError::new(JoinErrorKind::Unreachable, "the memory server is not reachable"));
        }
        let grant = self.tokens.get(request.token.expose());
        let grant = grant.ok_or_else(|| JoinError::new(JoinErrorKind::Unauthorized, "unknown token"))?;
        if grant.expired {
            return Err(JoinError::new(JoinErrorKind::Unauthorized, "the token has expired"));
        }
        Ok(grant.clone())
    }

    /// Makes the connection. All at once, so that a join that was abandoned leaves nothing behind.
    fn enter(&mut self, server: Arc<MemoryServer>, grant: Grant) -> Joined {
        let old = self.find(&grant.room, &grant.identity);
        if let Some(old) = old {
            self.leave(old, Some(DisconnectReason::DuplicateIdentity));
        }
        let id = ConnId(self.number());
        let local = Participant {
            identity: grant.identity.clone(),
            sid: format!("PA_{}", id.0).into(),
            name: grant.name,
            kind: grant.kind,
            joined_at_ms: self.join_time(),
            attributes: grant.attributes,
            active: true,
        };
        let (events, receiver) = mpsc::unbounded_channel();
        let runtime = Handle::current();
        let gone = CancellationToken::new();
        let pacer = Arc::new(Pacer::default());
        runtime.spawn(super::tracks::pace(server.clone(), id, pacer.clone(), gone.clone()));
        let connection = Connection {
            room: grant.room,
            local: local.clone(),
            can_publish: grant.can_publish,
            known: BTreeMap::new(),
            unannounced: BTreeSet::new(),
            events,
            backlog: Vec::new(),
            link: Link::Up,
            outage: 0,
            runtime,
            gone,
            incoming: Vec::new(),
            tracks: Vec::new(),
            videos: Vec::new(),
            pacer,
            traffic: Default::default(),
        };
        self.connections.insert(id, connection);
        *self.counters.joins.entry(grant.identity).or_default() += 1;
        let participants = self.meet(id);
        self.announce(&server, id);
        let room = Arc::new(MemoryRoom::new(server, id));
        Joined { room, local, participants, events: receiver }
    }

    /// What a joiner learns of the others: a list, and then their tracks as events.
    fn meet(&mut self, id: ConnId) -> Vec<Participant> {
        let others = self.others(id);
        others.into_iter().filter_map(|other| self.introduce(id, other, true)).collect()
    }

    pub(super) fn event(&mut self, to: ConnId, event: RoomEvent) {
        if let Some(connection) = self.connections.get_mut(&to) {
            connection.tell(event);
        }
    }

    fn register(&mut self, grant: Grant) -> Secret {
        let text = format!("memory-token-{}", self.number());
        self.tokens.insert(text.clone(), grant);
        Secret::new(text)
    }
}

struct MemoryConnector {
    server: Arc<MemoryServer>,
}

impl Connector for MemoryConnector {
    fn join(&self, request: JoinRequest) -> BoxFuture<Result<Joined, JoinError>> {
        Box::pin(self.server.clone().join(request))
    }
}

/// Makes an access token. See [`MemoryServer::token`].
#[must_use = "a token is made by build()"]
pub struct TokenBuilder {
    server: Arc<MemoryServer>,
    grant: Grant,
}

impl TokenBuilder {
    /// Display name of the participant.
    pub fn name(mut self, name: &str) -> Self {
        self.grant.name = name.to_owned();
        self
    }

    /// Kind of the participant; standard unless said otherwise.
    pub fn kind(mut self, kind: ParticipantKind) -> Self {
        self.grant.kind = kind;
        self
    }

    /// One attribute of the participant.
    pub fn attribute(mut self, key: &str, value: &str) -> Self {
        self.grant.attributes.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A token that is no longer valid.
    pub fn expired(mut self) -> Self {
        self.grant.expired = true;
        self
    }

    /// A token that does not allow publishing tracks.
    pub fn without_publishing(mut self) -> Self {
        self.grant.can_publish = false;
        self
    }

    /// The token.
    pub fn build(self) -> Secret {
        let Self { server, grant } = self;
        server.with(|state| state.register(grant))
    }
}

impl From<TokenBuilder> for Secret {
    fn from(builder: TokenBuilder) -> Self {
        builder.build()
    }
}
