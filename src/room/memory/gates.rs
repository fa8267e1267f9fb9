//! Gates: places where an operation can be made to wait until a test lets it go on.

use std::collections::HashMap;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::server::MemoryServer;
use crate::room::{Identity, RoomError};

/// Where an operation can be stopped, and whose identity stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Joining; the joiner's identity. The joiner's own time-out still runs.
    Join,
    /// Opening a byte stream; the receiver's identity.
    Open,
    /// Each write on a byte stream; the receiver's identity. The stall deadline still runs.
    Write,
    /// Publishing a data track; the publisher's identity.
    Publish,
    /// The end of unpublishing a data track; the publisher's identity.
    Unpublish,
    /// Publishing a video track; the publisher's identity.
    PublishVideo,
    /// Each picture handed to an encoder; the name of its track. Blocks the thread that captures.
    Capture,
    /// Closing the room; the leaver's identity.
    Close,
}

#[derive(Default)]
pub(super) struct Gates {
    shut: HashMap<(Gate, Identity), Vec<oneshot::Sender<()>>>,
}

impl Gates {
    /// A ticket to wait with, if the gate is shut.
    fn ticket(&mut self, gate: Gate, identity: &Identity) -> Option<oneshot::Receiver<()>> {
        let waiting = self.shut.get_mut(&(gate, identity.clone()))?;
        waiting.retain(|ticket| !ticket.is_closed());
        let (tx, rx) = oneshot::channel();
        waiting.push(tx);
        Some(rx)
    }

    pub(super) fn is_shut(&self, gate: Gate, identity: &Identity) -> bool {
        self.shut.contains_key(&(gate, identity.clone()))
    }
}

impl MemoryServer {
    /// Shuts a gate: operations that come to it wait.
    pub fn shut(&self, gate: Gate, identity: &str) {
        self.with(|state| {
            state.gates.shut.entry((gate, identity.into())).or_default();
        });
    }

    /// Opens a gate. Those who wait go on in the order in which they came.
    pub fn open(&self, gate: Gate, identity: &str) {
        self.with(|state| {
            for ticket in state.gates.shut.remove(&(gate, identity.into())).unwrap_or_default() {
                let _ = ticket.send(());
            }
        });
    }

    /// Lets one through, the `place`-th (from 0) of those who wait; the gate stays shut. Says whether there was one.
    pub fn let_through(&self, gate: Gate, identity: &str, place: usize) -> bool {
        self.with(|state| {
            let Some(waiting) = state.gates.shut.get_mut(&(gate, identity.into())) else { return false };
            waiting.retain(|ticket| !ticket.is_closed());
            place < waiting.len() && waiting.remove(place).send(()).is_ok()
        })
    }

    /// How many wait at a gate.
    pub fn waiting(&self, gate: Gate, identity: &str) -> usize {
        self.look(|state| {
            let waiting = state.gates.shut.get(&(gate, identity.into()));
            waiting.map_or(0, |waiting| waiting.iter().filter(|ticket| !ticket.is_closed()).count())
        })
    }

    /// Waits until at least `count` operations wait at a gate.
    pub async fn until_waiting(&self, gate: Gate, identity: &str, count: usize) {
        self.until(|server| server.waiting(gate, identity) >= count).await;
    }

    /// Passes a gate, or gives up when the connection is gone.
    pub(super) async fn pass(
        &self,
        gate: Gate,
        identity: &Identity,
        gone: &CancellationToken,
    ) -> Result<(), RoomError> {
        if !self.look(|state| state.gates.is_shut(gate, identity)) {
            return Ok(());
        }
        let Some(ticket) = self.with(|state| state.gates.ticket(gate, identity)) else { return Ok(()) };
        tokio::select! {
            biased;
            () = gone.cancelled() => Err(RoomError::Closed),
            _ = ticket => Ok(()),
        }
    }
}
