//! Rights: every message of a viewer passes here before its feature sees it (S-126 to S-128, design.md decision 6).
//!
//! The policy is a pure function and decides at once. What it allows is asked of the application's authorizer, on a
//! handler thread; the message waits here meanwhile, and the viewer's later messages in its inbox. What is refused looks
//! like a missing capability, so features know nothing of rights.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::{IndexMap, IndexSet};

use crate::context::ChannelId;
use crate::protocol::{texts, FromViewer, StatusLevel, SubscribeChannel};
use crate::session::rights::{Action, RoleRules};
use crate::session::Client;
use crate::throttle::Throttle;

use super::replies::Replies;
use super::{ClientId, Core, Effect, Now, SessionCapability, NOTICE_INTERVAL};

/// No answer in this time means refused (design.md decision 6).
const PATIENCE: Duration = Duration::from_secs(2);
/// Decisions remembered per viewer; then the oldest go.
const MAX_DECISIONS: usize = 1024;
/// Questions nobody waits for any more that may still be running; further ones are refused unasked. Fewer than the
/// threads kept for questions, so that stuck ones cannot take them all.
pub(crate) const MAX_LATE: usize = 4;

/// Whether each subject of one message is allowed.
type Verdicts = HashMap<String, bool>;

/// A question to the application, for one message.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) key: QuestionKey,
    pub(crate) client: Arc<Client>,
    pub(crate) action: Action,
    pub(crate) subjects: Arc<[String]>,
    /// Set when nobody waits for the answer any more.
    pub(crate) abandoned: Arc<AtomicBool>,
}

/// Which question an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuestionKey {
    pub(crate) client: ClientId,
    number: u64,
}

/// The questions of a session.
#[derive(Default)]
pub(super) struct Questions {
    /// How often the log tells of questions that are not asked.
    unasked: Throttle,
    last: u64,
    /// Those that nobody waits for and that have not come back.
    late: HashSet<u64>,
}

/// What is known of one viewer's rights.
#[derive(Default)]
pub(super) struct ViewerRights {
    decisions: IndexMap<(Action, String), bool>,
    waiting: Option<Waiting>,
    /// The question that has not come back, waited for or not.
    running: Option<u64>,
}

struct Waiting {
    number: u64,
    until: Instant,
    message: FromViewer,
    action: Action,
    verdicts: Verdicts,
    questions: Arc<[String]>,
    abandoned: Arc<AtomicBool>,
}

/// What a message asks for.
struct Wish {
    action: Action,
    subjects: IndexSet<String>,
    /// Reading all parameters, whose subject is empty like that of a parameter without a name.
    all: bool,
}

impl ViewerRights {
    fn remember(&mut self, action: Action, answers: impl Iterator<Item = (String, bool)>) {
        self.decisions.extend(answers.map(|(subject, allowed)| ((action, subject), allowed)));
        let excess = self.decisions.len().saturating_sub(MAX_DECISIONS);
        self.decisions.drain(..excess);
    }
}

impl Core {
    /// Lets a message go on if its viewer may; else answers it as if the capability were missing.
    pub(super) fn check_rights(&mut self, id: ClientId, message: FromViewer, now: Now) {
        let rights = &self.config.rights;
        if rights.policy.is_none() && rights.authorizer.is_none() {
            return self.check_control(id, message, now);
        }
        let Some(wish) = self.wish(&message) else { return self.check_control(id, message, now) };
        let Some(registration) = self.clients.get(&id) else { return };
        let rules = self.rules_of(&registration.client);
        let mut verdicts = Verdicts::new();
        let mut questions = Vec::new();
        for subject in wish.subjects {
            let possible = rules.is_none_or(|rules| match wish.all {
                true => !rules.get.is_empty(),
                false => rules.allow(wish.action, &subject),
            });
            if !possible || self.config.rights.authorizer.is_none() {
                verdicts.insert(subject, possible);
                continue;
            }
            // The key has to own its text: one copy, which the question needs anyway.
            let key = (wish.action, subject);
            match registration.rights.decisions.get(&key) {
                Some(allowed) => drop(verdicts.insert(key.1, *allowed)),
                None => questions.push(key.1),
            }
        }
        if questions.is_empty() {
            return self.judged(id, message, &verdicts, now);
        }
        // A viewer asks one question at a time; its inbox waits, so `waiting` is only ever set here by a test's haste.
        let busy = registration.rights.running.is_some() || registration.rights.waiting.is_some();
        if busy || self.questions.late.len() >= MAX_LATE {
            if let Some(count) = self.questions.unasked.pass(1, NOTICE_INTERVAL, now.mono) {
                let action = wish.action;
                tracing::warn!(client = %id, %action, count, "refused: earlier questions to authorize are still running");
            }
            return self.judged(id, message, &verdicts, now);
        }
        self.ask(id, message, wish.action, verdicts, questions.into(), now);
    }

    fn ask(
        &mut self,
        id: ClientId,
        message: FromViewer,
        action: Action,
        verdicts: Verdicts,
        questions: Arc<[String]>,
        now: Now,
    ) {
        let Some(registration) = self.clients.get_mut(&id) else { return };
        self.questions.last += 1;
        let number = self.questions.last;
        let abandoned = Arc::<AtomicBool>::default();
        let question = Question {
            key: QuestionKey { client: id, number },
            client: registration.client.clone(),
            action,
            subjects: questions.clone(),
            abandoned: abandoned.clone(),
        };
        registration.rights.running = Some(number);
        registration.rights.waiting =
            Some(Waiting { number, until: now.mono + PATIENCE, message, action, verdicts, questions, abandoned });
        self.effects.push(Effect::Authorize(question));
    }

    /// The application has answered, in time or not.
    pub(super) fn authorized(&mut self, key: QuestionKey, allowed: &[bool], now: Now) {
        self.questions.late.remove(&key.number);
        let Some(registration) = self.clients.get_mut(&key.client) else { return };
        let rights = &mut registration.rights;
        rights.running = rights.running.filter(|number| *number != key.number);
        let Some(waiting) = rights.waiting.take_if(|waiting| waiting.number == key.number) else {
            tracing::debug!(client = %key.client, "a late answer of authorize was ignored");
            return;
        };
        let answers = || waiting.questions.iter().cloned().zip(allowed.iter().copied());
        rights.remember(waiting.action, answers());
        let mut verdicts = waiting.verdicts;
        verdicts.extend(answers());
        self.judged(key.client, waiting.message, &verdicts, now);
    }

    /// Whether a message of this viewer waits for an answer of the application.
    pub(crate) fn is_asking(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(|registration| registration.rights.waiting.is_some())
    }

    pub(super) fn questions_deadline(&self) -> Option<Instant> {
        self.config.rights.authorizer.as_ref()?;
        self.clients.values().filter_map(|r| r.rights.waiting.as_ref().map(|waiting| waiting.until)).min()
    }

    /// What has not been answered in time is refused.
    pub(super) fn tick_questions(&mut self, now: Now) {
        if self.questions_deadline().is_none_or(|at| now.mono < at) {
            return;
        }
        let mut refused = Vec::new();
        for (id, registration) in &mut self.clients {
            if let Some(waiting) = registration.rights.waiting.take_if(|waiting| waiting.until <= now.mono) {
                tracing::warn!(client = %id, action = %waiting.action, "refused: authorize did not answer in 2 s");
                waiting.abandoned.store(true, Ordering::Relaxed);
                self.questions.late.insert(waiting.number);
                refused.push((*id, waiting));
            }
        }
        for (id, waiting) in refused {
            self.judged(id, waiting.message, &waiting.verdicts, now);
        }
    }

    /// A viewer is gone; nobody waits for its question any more.
    pub(super) fn forget_question(&mut self, rights: &ViewerRights) {
        if let Some(waiting) = &rights.waiting {
            waiting.abandoned.store(true, Ordering::Relaxed);
            self.questions.late.insert(waiting.number);
        }
    }

    /// Whether the policy lets this viewer read this parameter. Reading all parameters is asked with an empty subject,
    /// so its answer has to leave out what this refuses.
    pub(super) fn visible_parameter(&self, client: ClientId, name: &str) -> bool {
        self.policy_allows(client, Action::Get, name)
    }

    /// Whether the policy, which asks nobody, allows this.
    pub(super) fn policy_allows(&self, client: ClientId, action: Action, subject: &str) -> bool {
        self.clients.get(&client).is_some_and(|registration| {
            self.rules_of(&registration.client).is_none_or(|rules| rules.allow(action, subject))
        })
    }

    fn rules_of(&self, client: &Client) -> Option<&RoleRules> {
        self.config.rights.policy.as_ref().map(|policy| policy.rules_of(client))
    }

    /// What has to be allowed for this message. `None`: nothing; or its feature is off and will say so.
    fn wish(&self, message: &FromViewer) -> Option<Wish> {
        use SessionCapability::{Assets, ClientPublish, ConnectionGraph, Parameters, Services};
        let (capability, action, subjects): (_, _, IndexSet<String>) = match message {
            FromViewer::Subscribe { channels } => {
                let topics = channels.iter().filter_map(|channel| self.topic(channel.id)).map(str::to_owned);
                (None, Action::Subscribe, topics.collect())
            }
            FromViewer::Advertise { channels } => {
                let topics = channels.iter().map(|channel| channel.topic.clone());
                (Some(ClientPublish), Action::Publish, topics.collect())
            }
            FromViewer::ServiceCallRequest(call) => (
                Some(Services),
                Action::Call,
                self.service_name(call.service_id).map(str::to_owned).into_iter().collect(),
            ),
            FromViewer::GetParameters { names, .. } if names.is_empty() => {
                (Some(Parameters), Action::Get, [String::new()].into())
            }
            FromViewer::GetParameters { names, .. } | FromViewer::SubscribeParameterUpdates { names } => {
                (Some(Parameters), Action::Get, names.iter().cloned().collect())
            }
            FromViewer::SetParameters { parameters, .. } => {
                (Some(Parameters), Action::Set, parameters.iter().map(|parameter| parameter.name.clone()).collect())
            }
            FromViewer::FetchAsset { uri, .. } => (Some(Assets), Action::Asset, [uri.clone()].into()),
            FromViewer::SubscribeConnectionGraph => (Some(ConnectionGraph), Action::Graph, [String::new()].into()),
            // Messages follow from their channel's advertisement; to end something is always allowed.
            FromViewer::Unsubscribe { .. }
            | FromViewer::Unadvertise { .. }
            | FromViewer::MessageData { .. }
            | FromViewer::PlaybackControl(_)
            | FromViewer::Ping { .. }
            | FromViewer::PingAck { .. }
            | FromViewer::UnsubscribeParameterUpdates { .. }
            | FromViewer::UnsubscribeConnectionGraph => return None,
        };
        if subjects.is_empty() || capability.is_some_and(|capability| !self.enabled(capability)) {
            return None;
        }
        let all = matches!(message, FromViewer::GetParameters { names, .. } if names.is_empty());
        Some(Wish { action, subjects, all })
    }

    fn topic(&self, channel: u64) -> Option<&str> {
        self.channels.get(&ChannelId::from(channel)).map(|state| state.channel.topic())
    }

    /// Answers what is refused, and lets the rest go on.
    fn judged(&mut self, id: ClientId, message: FromViewer, verdicts: &Verdicts, now: Now) {
        // What is not in the verdicts was unknown when they were made.
        let may = |subject: &str| verdicts.get(subject).copied().unwrap_or(false);
        let error = StatusLevel::Error;
        let rest = match message {
            FromViewer::Subscribe { channels } => {
                let (allowed, refused): (Vec<_>, Vec<_>) =
                    channels.into_iter().partition(|channel| self.topic(channel.id).is_none_or(may));
                self.refuse_channels(id, &refused);
                FromViewer::Subscribe { channels: allowed }
            }
            FromViewer::Advertise { mut channels } => {
                let before = channels.len();
                channels.retain(|channel| may(&channel.topic));
                if channels.len() < before {
                    self.reply_status(id, error, texts::NO_CLIENT_PUBLISH);
                }
                FromViewer::Advertise { channels }
            }
            FromViewer::ServiceCallRequest(call) => {
                if self.service_name(call.service_id).is_some_and(|name| !may(name)) {
                    return self.fail_call(id, &call, texts::NO_SERVICES);
                }
                FromViewer::ServiceCallRequest(call)
            }
            FromViewer::GetParameters { names, id: _ } if names.is_empty() && !may("") => {
                return self.reply_status(id, error, texts::NO_PARAMETERS);
            }
            FromViewer::GetParameters { names, id: request } if !names.is_empty() => {
                match self.allowed_names(id, names, may, texts::NO_PARAMETERS) {
                    // Empty would mean all; the status is the answer.
                    names if names.is_empty() => return,
                    names => FromViewer::GetParameters { names, id: request },
                }
            }
            FromViewer::SubscribeParameterUpdates { names } => {
                match self.allowed_names(id, names, may, texts::NO_PARAMETERS_SUBSCRIBE) {
                    names if names.is_empty() => return,
                    names => FromViewer::SubscribeParameterUpdates { names },
                }
            }
            FromViewer::SetParameters { parameters, .. } if !parameters.iter().all(|p| may(&p.name)) => {
                return self.reply_status(id, error, texts::NO_PARAMETERS);
            }
            FromViewer::FetchAsset { uri, .. } if !may(&uri) => {
                return self.reply_status(id, error, texts::NO_ASSETS);
            }
            FromViewer::SubscribeConnectionGraph if !may("") => {
                return self.reply_status(id, error, texts::NO_CONNECTION_GRAPH);
            }
            allowed => allowed,
        };
        self.check_control(id, rest, now);
    }

    /// The names that are allowed; one status for all that are not.
    fn allowed_names(
        &mut self,
        id: ClientId,
        mut names: Vec<String>,
        may: impl Fn(&str) -> bool,
        refusal: &str,
    ) -> Vec<String> {
        let before = names.len();
        names.retain(|name| may(name));
        if names.len() < before {
            self.reply_status(id, StatusLevel::Error, refusal);
        }
        names
    }

    /// There is no capability for subscribing, so a refused channel is answered like one that does not exist.
    fn refuse_channels(&mut self, id: ClientId, refused: &[SubscribeChannel]) {
        // Each once; data wins over video (P-75).
        let mut only_video: IndexMap<u64, bool> = IndexMap::new();
        for channel in refused {
            *only_video.entry(channel.id).or_insert(true) &= channel.request_video_track;
        }
        let text = |channel, video| if video { texts::no_video(channel) } else { texts::unknown_channel(channel) };
        let mut replies = Replies::default();
        for (channel, video) in only_video {
            replies.add(StatusLevel::Error, || text(channel, video));
        }
        self.reply_statuses(id, replies, |n| format!("{n} more channels could not be subscribed"));
    }
}
