//! What was sent and not yet heard of again: which utterance an event belongs to, and how each ends. No socket, no timer.
//!
//! Servers tell an utterance in four ways: by the command's id as `event_id`, by it as `source_event_id`, by a `task.id`
//! that start and end share, or not at all. In the last case events belong to utterances in their order, and an
//! utterance that was cut off may still be heard of when the next one is under way: a *stray*.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::protocol::{EventKind, LiteEvent, Notice};

/// How long a stray event may take to come; speech is heard of 0.2 s after its first frame (field report).
const STRAY_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait for the true start of an utterance that seems to have ended before it can have been played.
const DOUBT_LIMIT: Duration = Duration::from_secs(2);

/// Ids that are remembered after their utterance or command is done.
const REMEMBERED: usize = 64;

/// How an utterance ended, as far as events tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Finished,
    Interrupted,
    Failed(Notice),
    Lost,
}

/// An utterance of which something was sent.
#[derive(Debug)]
struct Utterance {
    id: String,
    task: Option<String>,
    /// When its playback was heard to begin.
    started: Option<Instant>,
    /// Whether an event without an id of ours told of its start, so that it may be another's.
    guessed: bool,
    /// How much of it was sent.
    sent: Duration,
    /// How much of it had been sent when its playback was heard to end although more was to come.
    paused_at: Option<Duration>,
    closed: bool,
    /// When to stop waiting for its end; known once it is closed.
    deadline: Option<Instant>,
    /// When to believe that it has ended, although that came early.
    doubt: Option<Instant>,
}

/// An utterance that is over for us and may be heard of yet.
#[derive(Debug)]
struct Stray {
    until: Instant,
    started: bool,
}

/// The utterances under way.
#[derive(Debug, Default)]
pub(super) struct Flight {
    under_way: VecDeque<Utterance>,
    strays: VecDeque<Stray>,
    /// Interrupts of which nothing was heard yet.
    interrupts: VecDeque<Instant>,
    /// Ids and tasks that belong to nothing under way.
    done: VecDeque<String>,
    /// Whether this server tells when playback begins.
    tells_starts: bool,
}

/// Whom an event is about.
enum About {
    UnderWay(usize),
    Done,
    Nobody,
}

impl Flight {
    /// Whether everything that was sent is done.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Notes that audio of an utterance was sent.
    pub(super) fn sent(&mut self, id: &str, audio: Duration) {
        if let Some(utterance) = self.under_way.iter_mut().find(|it| it.id == id) {
            utterance.sent += audio;
            return;
        }
        self.under_way.push_back(Utterance {
            id: id.to_owned(),
            task: None,
            started: None,
            guessed: false,
            sent: audio,
            paused_at: None,
            closed: false,
            deadline: None,
            doubt: None,
        });
    }

    /// Notes that the end of an utterance was sent; tells it if its playback has ended already.
    pub(super) fn closed(&mut self, id: &str, deadline: Instant) -> Option<(String, Outcome)> {
        let at = self.under_way.iter().position(|it| it.id == id)?;
        let utterance = &mut self.under_way[at];
        utterance.closed = true;
        utterance.deadline = Some(deadline);
        (utterance.paused_at == Some(utterance.sent)).then(|| self.end(at, Outcome::Finished))
    }

    /// Notes an id that a command of another kind was sent under.
    pub(super) fn other_command(&mut self, id: String) {
        self.remember(id);
    }

    /// Ends an utterance from our side, such as when its audio fails.
    pub(super) fn give_up(&mut self, id: &str, now: Instant) {
        if let Some(at) = self.under_way.iter().position(|it| it.id == id) {
            self.stray(at, now);
        }
    }

    /// Ends everything, because it was interrupted; returns the ids.
    pub(super) fn interrupt(&mut self, now: Instant) -> Vec<String> {
        self.interrupts.push_back(now + STRAY_LIMIT);
        let mut ids = Vec::new();
        while !self.under_way.is_empty() {
            ids.push(self.stray(0, now));
        }
        ids
    }

    /// Ends everything, because the connection is gone; returns the ids.
    pub(super) fn lose(&mut self) -> Vec<String> {
        let ids: Vec<String> = self.under_way.drain(..).map(|utterance| utterance.id).collect();
        for id in &ids {
            self.remember(id.clone());
        }
        // Another connection tells nothing of what was said on this one.
        self.strays.clear();
        self.interrupts.clear();
        ids
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.under_way.iter().filter_map(|it| it.doubt.into_iter().chain(it.deadline).min()).min()
    }

    /// Ends what was waited for long enough.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(String, Outcome)> {
        let mut ended = Vec::new();
        while let Some(at) = self.under_way.iter().position(|it| {
            it.doubt.is_some_and(|doubt| doubt <= now) || it.deadline.is_some_and(|deadline| deadline <= now)
        }) {
            if self.under_way[at].doubt.is_some() {
                ended.push(self.end(at, Outcome::Finished));
            } else {
                ended.push((self.stray(at, now), Outcome::Lost));
            }
        }
        ended
    }

    /// Takes an event in; tells which utterance it ends.
    pub(super) fn event(&mut self, event: &LiteEvent, now: Instant) -> Option<(String, Outcome)> {
        self.strays.retain(|stray| stray.until > now);
        self.interrupts.retain(|until| *until > now);
        let about = self.about(event);
        if let (About::UnderWay(at), Some(task)) = (&about, &event.task_id) {
            self.under_way[*at].task = Some(task.clone());
        }
        match &event.kind {
            EventKind::SpeakStarted => {
                self.started(&about, event, now);
                None
            }
            EventKind::SpeakEnded => self.ended(&about, event, now),
            EventKind::SpeakInterrupted => self.interrupted(&about),
            EventKind::Error(notice) if !notice.is_starvation() => match about {
                About::UnderWay(at) => Some((self.stray(at, now), Outcome::Failed(notice.clone()))),
                About::Nobody if !self.under_way.is_empty() => {
                    Some((self.stray(0, now), Outcome::Failed(notice.clone())))
                }
                About::Nobody | About::Done => None,
            },
            _ => None,
        }
    }

    fn about(&self, event: &LiteEvent) -> About {
        let of_error = match &event.kind {
            EventKind::Error(notice) | EventKind::Warning(notice) => notice.event_id.as_ref(),
            _ => None,
        };
        let ids = || event.event_id.iter().chain(&event.source_event_id).chain(of_error);
        let ours = self.under_way.iter().position(|it| ids().any(|id| *id == it.id));
        let task = || self.under_way.iter().position(|it| it.task.is_some() && it.task == event.task_id);
        if let Some(at) = ours.or_else(task) {
            return About::UnderWay(at);
        }
        if ids().chain(&event.task_id).any(|id| self.done.contains(id)) {
            return About::Done;
        }
        About::Nobody
    }

    fn started(&mut self, about: &About, event: &LiteEvent, now: Instant) {
        self.tells_starts = true;
        let (at, guessed) = match about {
            About::UnderWay(at) => (Some(*at), false),
            About::Done => (None, false),
            About::Nobody => {
                // A second start in doubt is the true one, and what came before was a stray's.
                let at = self.under_way.iter().position(|it| it.started.is_none() || it.doubt.is_some());
                (at, true)
            }
        };
        let Some(at) = at else {
            self.stray_started(about, event);
            return;
        };
        if guessed && (self.under_way[at].doubt.is_some() || self.strays.iter().all(|stray| stray.started)) {
            // LiteEvents come in order, so nothing more comes of what was before this one.
            self.strays.clear();
        }
        let utterance = &mut self.under_way[at];
        let old = if guessed { utterance.task.take() } else { None };
        utterance.started = Some(now);
        utterance.guessed = guessed && !self.strays.is_empty();
        utterance.doubt = None;
        utterance.paused_at = None;
        if guessed {
            utterance.task.clone_from(&event.task_id);
        }
        if let Some(old) = old {
            self.remember(old);
        }
    }

    /// Notes the start of an utterance that is over for us.
    fn stray_started(&mut self, about: &About, event: &LiteEvent) {
        if let Some(stray) = self.strays.iter_mut().find(|stray| !stray.started) {
            stray.started = true;
        }
        if let (About::Done | About::Nobody, Some(task)) = (about, &event.task_id) {
            self.remember(task.clone());
        }
    }

    fn ended(&mut self, about: &About, event: &LiteEvent, now: Instant) -> Option<(String, Outcome)> {
        let at = match about {
            About::UnderWay(at) => *at,
            About::Done => {
                self.strays.pop_front();
                return None;
            }
            About::Nobody => {
                let started = self.under_way.iter().position(|it| it.started.is_some() && it.doubt.is_none());
                // A server that tells of no start may still tell of an end.
                let closed = || self.under_way.iter().position(|it| it.closed);
                let silent = !self.tells_starts && self.strays.is_empty();
                let Some(at) = started.or_else(|| if silent { closed() } else { None }) else {
                    self.strays.pop_front();
                    return None;
                };
                at
            }
        };
        let by_name = [&event.event_id, &event.source_event_id];
        let by_name = by_name.into_iter().flatten().any(|id| *id == self.under_way[at].id);
        let doubtful = !by_name && self.under_way[at].guessed && !self.strays.is_empty();
        let utterance = &mut self.under_way[at];
        let played = utterance.started.map_or(Duration::MAX, |started| now - started);
        if doubtful && (!utterance.closed || played < utterance.sent / 2) {
            utterance.doubt = utterance.closed.then_some(now + DOUBT_LIMIT);
            if !utterance.closed {
                utterance.started = None;
                self.strays.pop_front();
            }
            return None;
        }
        if !utterance.closed {
            // It ran dry; the server tells of a start again when it goes on.
            utterance.started = None;
            utterance.paused_at = Some(utterance.sent);
            return None;
        }
        Some(self.end(at, Outcome::Finished))
    }

    fn interrupted(&mut self, about: &About) -> Option<(String, Outcome)> {
        match about {
            About::UnderWay(at) => Some(self.end(*at, Outcome::Interrupted)),
            About::Done => {
                self.interrupts.pop_front();
                self.strays.pop_front();
                None
            }
            About::Nobody if self.interrupts.pop_front().is_some() => {
                self.strays.pop_front();
                None
            }
            About::Nobody => {
                let started = self.under_way.iter().position(|it| it.started.is_some());
                let at = started.or((!self.under_way.is_empty()).then_some(0))?;
                Some(self.end(at, Outcome::Interrupted))
            }
        }
    }

    fn end(&mut self, at: usize, outcome: Outcome) -> (String, Outcome) {
        // The position was found a moment ago.
        let Some(utterance) = self.under_way.remove(at) else { return (String::new(), outcome) };
        self.remember(utterance.id.clone());
        if let Some(task) = utterance.task {
            self.remember(task);
        }
        (utterance.id, outcome)
    }

    fn stray(&mut self, at: usize, now: Instant) -> String {
        let started = self.under_way.get(at).is_some_and(|it| it.started.is_some());
        self.strays.push_back(Stray { until: now + STRAY_LIMIT, started });
        self.end(at, Outcome::Lost).0
    }

    fn remember(&mut self, id: String) {
        if self.done.len() == REMEMBERED {
            self.done.pop_front();
        }
        self.done.push_back(id);
    }
}
