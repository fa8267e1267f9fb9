//! The session's own callback thread, `tl-events`: events run there one at a time, in order (design.md decision 6).
//!
//! `messages`: what viewers have published, its bounds, and what becomes of it when nobody wants it any more.

mod messages;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::context::{run_callback, ChannelId};
use crate::threads::{self, ThreadRole};

use super::core::Event;
use super::deadman::DeadMan;
use super::handlers::HandlerPool;
use super::one_call::OneCall;
use super::panics::{contain, PanicSwitch};
use super::{ClientId, ConnectionStatus, Error, Listener};

pub(crate) use messages::Overflow;

use messages::Messages;

/// From so many waiting lifecycle events on, undelivered begin/end pairs cancel out.
const CANCEL_ABOVE: usize = 1024;

enum Item {
    Status(ConnectionStatus, Option<Error>),
    Event(Event),
    /// Last item: wait for all other callbacks, then say Shutdown.
    Finish(Arc<HandlerPool>, Option<Error>),
}

/// The queue of undelivered events, and the thread that delivers them.
pub(crate) struct Callbacks {
    state: Mutex<State>,
    work: Condvar,
    finished: Mutex<bool>,
    finished_changed: Condvar,
    /// Ends before this does.
    deadman: Option<Arc<DeadMan>>,
    /// So does this.
    pub(crate) token_call: Arc<OneCall>,
    dropped: AtomicU64,
    discarded: AtomicU64,
    panics: Arc<AtomicU64>,
    pub(crate) panic_switch: PanicSwitch,
}

#[derive(Default)]
struct State {
    /// Undelivered items by number. A map, so that one that is cancelled or dropped leaves nothing behind: while the
    /// listener is stuck, a flood of messages must not grow anything.
    items: BTreeMap<u64, Item>,
    /// Number of the next item.
    next: u64,
    lifecycle: usize,
    messages: Messages,
    /// Begin events whose end has not come yet, by what they begin: the owner's word is not needed to end them (S-36).
    begun: HashMap<Span, Begun>,
    /// The same for parameters: the numbers of first subscriptions by name.
    followed: HashMap<String, u64>,
}

struct Begun {
    number: u64,
    end: Event,
}

#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum Span {
    Subscription(ClientId, ChannelId),
    ClientChannel(ClientId, u32),
    /// Some viewer follows the connection graph.
    Graph,
}

impl Callbacks {
    /// Starts the thread. Without a listener events are dropped where they arise.
    pub(crate) fn start(
        listener: Option<Arc<dyn Listener>>,
        deadman: Option<Arc<DeadMan>>,
        panics: Arc<AtomicU64>,
    ) -> std::io::Result<Arc<Self>> {
        let callbacks = Arc::new(Self {
            state: Mutex::default(),
            work: Condvar::new(),
            finished: Mutex::new(false),
            finished_changed: Condvar::new(),
            deadman,
            token_call: Arc::default(),
            dropped: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            panics,
            panic_switch: PanicSwitch::default(),
        });
        let shared = callbacks.clone();
        threads::spawn(ThreadRole::Events, move || shared.run(listener))?;
        Ok(callbacks)
    }

    /// Queues a status. Of several reasons for the same one that a slow listener has not heard, the last counts.
    pub(crate) fn status(&self, status: ConnectionStatus, reason: Option<Error>) {
        let mut state = self.state.lock();
        match state.items.last_entry() {
            Some(mut last) if matches!(last.get(), Item::Status(same, Some(_)) if *same == status) => {
                last.insert(Item::Status(status, reason));
            }
            _ => {
                state.push(Item::Status(status, reason));
            }
        }
        drop(state);
        self.work.notify_one();
        if status == ConnectionStatus::ShuttingDown {
            self.end_messages();
        }
    }

    /// Ends the thread after all that waits: waits for running handlers, `tl-deadman` and a token callback, then delivers
    /// Shutdown as the last event (S-13).
    pub(crate) fn finish(&self, pool: Arc<HandlerPool>, reason: Option<Error>) {
        self.end_messages();
        if let Some(deadman) = &self.deadman {
            // At once: whoever holds control has lost it, and nothing that waits here may delay that.
            deadman.finish();
        }
        self.push(Item::Finish(pool, reason));
    }

    /// Ends all that has begun, in the order of its beginning: the owner, which would do it, is gone (S-36).
    pub(crate) fn end_all(&self) {
        let state = self.state.lock();
        let mut ends: Vec<(u64, Event)> = state.begun.values().map(|begun| (begun.number, begun.end.clone())).collect();
        let mut names: Vec<String> = state.followed.keys().cloned().collect();
        drop(state);
        ends.sort_unstable_by_key(|(number, _)| *number);
        for (_, end) in ends {
            self.lifecycle(end);
        }
        names.sort_unstable();
        self.lifecycle(Event::ParametersUnsubscribe(names));
    }

    /// Queues an event. `Some` when a viewer's message had to be dropped for it.
    pub(crate) fn event(&self, event: Event) -> Option<Overflow> {
        match &event {
            Event::Message(client, channel, message) => {
                let (client, channel, bytes) = (client.id, channel.id, message.payload.len());
                self.message((client, channel), bytes, event)
            }
            _ => {
                self.lifecycle(event);
                None
            }
        }
    }

    fn lifecycle(&self, event: Event) {
        let mut state = self.state.lock();
        let span = match &event {
            Event::Subscribe(client, channel) | Event::Unsubscribe(client, channel) => {
                Span::Subscription(client.id, channel.id())
            }
            Event::ClientAdvertise(client, channel) | Event::ClientUnadvertise(client, channel) => {
                Span::ClientChannel(client.id, channel.id)
            }
            Event::GraphSubscribe(_) | Event::GraphUnsubscribe(_) => Span::Graph,
            Event::ParametersSubscribe(..) | Event::ParametersUnsubscribe(..) => {
                state.parameters(event);
                drop(state);
                self.work.notify_one();
                return;
            }
            Event::Message(..) => return,
        };
        let begun = state.begun.remove(&span).map(|begun| begun.number);
        if let Some(end) = end_of(&event) {
            let number = state.next;
            state.begun.insert(span, Begun { number, end });
        } else if let Some(number) = begun.filter(|number| state.cancels(*number)) {
            // The listener never saw the beginning, so it need not see the end.
            state.cancel(number);
            if let Span::ClientChannel(client, channel) = span {
                let dropped = state.drop_messages_after((client, channel), number);
                self.dropped.fetch_add(dropped, Ordering::Relaxed);
            }
            return;
        }
        state.lifecycle += 1;
        state.push(Item::Event(event));
        drop(state);
        self.work.notify_one();
    }

    fn push(&self, item: Item) {
        self.state.lock().push(item);
        self.work.notify_one();
    }

    /// Items that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().items.len()
    }

    /// What has begun and has not ended.
    #[cfg(test)]
    pub(super) fn begun(&self) -> usize {
        let state = self.state.lock();
        state.begun.len() + state.followed.len()
    }

    /// Waits until the last callback has returned.
    pub(crate) fn wait_finished(&self, deadline: Instant) -> bool {
        let mut finished = self.finished.lock();
        while !*finished {
            if self.finished_changed.wait_until(&mut finished, deadline).timed_out() {
                return *finished;
            }
        }
        true
    }

    fn run(&self, listener: Option<Arc<dyn Listener>>) {
        let mut finishing = None;
        while finishing.is_none() {
            // A panic of our own costs at most the event under way, never the end of the session.
            contain("callback thread", &self.panics, || self.turn(listener.as_deref(), &mut finishing));
        }
        // Once more, in case that was the last turn: the rest of what the session let go of is destroyed there.
        finishing.iter().for_each(|pool| pool.wait_idle());
        // The listener's own destructor is the last thing of the application that runs.
        run_callback("drop", &self.panics, || drop(listener));
        *self.finished.lock() = true;
        self.finished_changed.notify_all();
    }

    fn turn(&self, listener: Option<&dyn Listener>, finishing: &mut Option<Arc<HandlerPool>>) {
        let item = self.next();
        if let Item::Finish(pool, _) = &item {
            *finishing = Some(pool.clone());
        }
        self.panic_switch.check();
        match item {
            Item::Status(status, reason) => {
                if let Some(listener) = listener {
                    run_callback("on_status", &self.panics, || listener.on_status(status, reason.as_ref()));
                }
            }
            Item::Event(event) => {
                if let Some(listener) = listener {
                    self.deliver(listener, &event);
                }
            }
            Item::Finish(pool, reason) => {
                pool.wait_idle();
                if let Some(deadman) = &self.deadman {
                    deadman.wait_finished();
                }
                self.token_call.finish();
                if let Some(listener) = listener {
                    let status = ConnectionStatus::Shutdown;
                    run_callback("on_status", &self.panics, || listener.on_status(status, reason.as_ref()));
                }
            }
        }
    }

    fn next(&self) -> Item {
        let mut state = self.state.lock();
        loop {
            if let Some((_, item)) = state.items.pop_first() {
                state.delivered(&item);
                return item;
            }
            self.work.wait(&mut state);
        }
    }

    fn deliver(&self, listener: &dyn Listener, event: &Event) {
        let what = match event {
            Event::Subscribe(..) => "on_subscribe",
            Event::Unsubscribe(..) => "on_unsubscribe",
            Event::ClientAdvertise(..) => "on_client_advertise",
            Event::ClientUnadvertise(..) => "on_client_unadvertise",
            Event::Message(..) => "on_message",
            Event::GraphSubscribe(_) => "on_connection_graph_subscribe",
            Event::GraphUnsubscribe(_) => "on_connection_graph_unsubscribe",
            Event::ParametersSubscribe(..) => "on_parameters_subscribe",
            Event::ParametersUnsubscribe(..) => "on_parameters_unsubscribe",
        };
        run_callback(what, &self.panics, || match event {
            Event::Subscribe(client, channel) => listener.on_subscribe(client, channel),
            Event::Unsubscribe(client, channel) => listener.on_unsubscribe(client, channel),
            Event::ClientAdvertise(client, channel) => listener.on_client_advertise(client, channel),
            Event::ClientUnadvertise(client, channel) => listener.on_client_unadvertise(client, channel),
            Event::Message(client, channel, message) => listener.on_message(client, channel, message),
            Event::GraphSubscribe(client) => listener.on_connection_graph_subscribe(client),
            Event::GraphUnsubscribe(client) => listener.on_connection_graph_unsubscribe(client),
            Event::ParametersSubscribe(names) => listener.on_parameters_subscribe(names),
            Event::ParametersUnsubscribe(names) => listener.on_parameters_unsubscribe(names),
        });
    }
}

/// What an event with names counts: names can be long, and many.
fn names_weight(names: &[String]) -> usize {
    names.iter().map(|name| 1 + name.len() / 256).sum()
}

impl State {
    fn push(&mut self, item: Item) -> u64 {
        let number = self.next;
        self.next += 1;
        self.items.insert(number, item);
        number
    }

    /// Queues what happened to parameters. The names of undelivered pairs cancel out like other pairs.
    fn parameters(&mut self, event: Event) {
        let event = match event {
            Event::ParametersSubscribe(names) => {
                let number = self.next;
                self.followed.extend(names.iter().map(|name| (name.clone(), number)));
                Event::ParametersSubscribe(names)
            }
            Event::ParametersUnsubscribe(mut names) => {
                let mut unseen: HashMap<u64, HashSet<String>> = HashMap::new();
                names.retain(|name| match self.followed.remove(name) {
                    Some(number) if self.cancels(number) => {
                        unseen.entry(number).or_default().insert(name.clone());
                        false
                    }
                    _ => true,
                });
                for (number, names) in unseen {
                    self.take_back(number, &names);
                }
                Event::ParametersUnsubscribe(names)
            }
            other => other,
        };
        if let Event::ParametersSubscribe(names) | Event::ParametersUnsubscribe(names) = &event {
            if !names.is_empty() {
                self.lifecycle += names_weight(names);
                self.push(Item::Event(event));
            }
        }
    }

    /// The listener never saw these first subscriptions, so it need not see their ends.
    fn take_back(&mut self, number: u64, unseen: &HashSet<String>) {
        let Some(Item::Event(Event::ParametersSubscribe(names))) = self.items.get_mut(&number) else { return };
        self.lifecycle -= names_weight(names);
        names.retain(|name| !unseen.contains(name));
        self.lifecycle += names_weight(names);
        if names.is_empty() {
            self.items.remove(&number);
        }
    }

    fn cancel(&mut self, number: u64) {
        if self.items.remove(&number).is_some() {
            self.lifecycle -= 1;
        }
    }

    fn delivered(&mut self, item: &Item) {
        let Item::Event(event) = item else { return };
        match event {
            Event::Message(client, channel, message) => {
                self.message_delivered((client.id, channel.id), message.payload.len());
            }
            Event::ParametersSubscribe(names) | Event::ParametersUnsubscribe(names) => {
                self.lifecycle -= names_weight(names);
            }
            Event::Subscribe(..)
            | Event::Unsubscribe(..)
            | Event::ClientAdvertise(..)
            | Event::ClientUnadvertise(..)
            | Event::GraphSubscribe(_)
            | Event::GraphUnsubscribe(_) => self.lifecycle -= 1,
        }
    }

    /// Whether the end of what this undelivered event begins cancels it. An event that has been delivered is no item any
    /// more.
    fn cancels(&self, number: u64) -> bool {
        self.lifecycle > CANCEL_ABOVE && self.items.contains_key(&number)
    }
}

/// The event that ends what this one begins. Parameters end by their names.
fn end_of(event: &Event) -> Option<Event> {
    match event {
        Event::Subscribe(client, channel) => Some(Event::Unsubscribe(client.clone(), channel.clone())),
        Event::ClientAdvertise(client, channel) => Some(Event::ClientUnadvertise(client.clone(), channel.clone())),
        Event::GraphSubscribe(client) => Some(Event::GraphUnsubscribe(client.clone())),
        _ => None,
    }
}
