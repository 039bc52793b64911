//! Utterances that were sent but have not finished: assigns events to them and detects their ends. No socket, no timer.
//!
//! Servers identify an utterance in four ways: by the command's id as `event_id`, by that id as `source_event_id`, by a `task.id`
//! that start and end share, or not at all. Without an id, events belong to utterances in order. An *abandoned* utterance, such as
//! an interrupted one, may still cause events while the next one is in flight.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::playback::Playback;
use super::protocol::{AgentState, LiteEvent, LiteEventKind, NoticeKind, ServerNotice};
use super::speech::SpeechEnd;
use crate::error::Error;

/// How long events of an abandoned utterance may arrive; speech starts about 0.2 s after its first frame (field report).
const ABANDONED_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait for the real start of an utterance that seems to have ended before it can have been played.
const AMBIGUOUS_END_LIMIT: Duration = Duration::from_secs(2);

/// How many ids of finished utterances and commands to remember.
const MAX_FINISHED_IDS: usize = 64;

#[derive(Debug)]
struct Utterance {
    id: String,
    task: Option<String>,
    playback: Playback,
    playback_started: Option<Instant>,
    /// Whether the start event had no id of ours and may belong to an abandoned utterance.
    start_is_ambiguous: bool,
    /// How much audio was sent when the server had played everything and ran out of audio.
    played_out_at: Option<Duration>,
    /// Whether the end of the audio was sent.
    is_complete: bool,
    /// When to stop waiting for the end of playback, once complete.
    deadline: Option<Instant>,
    /// When to accept an early, ambiguous end.
    ambiguous_end: Option<Instant>,
}

/// An utterance that we gave up, whose events may still arrive.
#[derive(Debug)]
struct Abandoned {
    expires: Instant,
    started: bool,
}

#[derive(Debug, Default)]
pub(super) struct InFlight {
    utterances: VecDeque<Utterance>,
    abandoned: VecDeque<Abandoned>,
    /// When our unconfirmed interrupts expire.
    interrupts: VecDeque<Instant>,
    /// Command and task ids that do not belong to an utterance in flight.
    finished_ids: VecDeque<String>,
    /// Whether this server reports when playback starts.
    reports_starts: bool,
}

/// What an event is about.
enum Subject {
    InFlight(usize),
    Finished,
    Unknown,
}

impl InFlight {
    pub(super) fn is_empty(&self) -> bool {
        self.utterances.is_empty()
    }

    /// Records that audio of an utterance was sent.
    pub(super) fn sent(&mut self, id: &str, audio: Duration, playback: &Playback, now: Instant) {
        if self.utterances.iter().all(|it| it.id != id) {
            if !self.reports_starts {
                playback.assume_start(self.utterances.back().map(|it| it.playback.plays_until()), now);
            }
            self.begin(id, playback);
        }
        playback.add(audio, now);
    }

    fn begin(&mut self, id: &str, playback: &Playback) {
        self.utterances.push_back(Utterance {
            id: id.to_owned(),
            task: None,
            playback: playback.clone(),
            playback_started: None,
            start_is_ambiguous: false,
            played_out_at: None,
            is_complete: false,
            deadline: None,
            ambiguous_end: None,
        });
    }

    /// Records that the end of an utterance was sent. Returns its end if the server has already played everything.
    pub(super) fn complete(&mut self, id: &str, deadline: Instant) -> Option<(String, SpeechEnd)> {
        let at = self.utterances.iter().position(|it| it.id == id)?;
        let utterance = &mut self.utterances[at];
        utterance.is_complete = true;
        utterance.deadline = Some(deadline);
        (utterance.played_out_at == Some(utterance.playback.sent()))
            .then(|| self.end(at, SpeechEnd::Finished))
    }

    /// Gives up an utterance, for example because its audio failed.
    pub(super) fn give_up(&mut self, id: &str, now: Instant) {
        if let Some(at) = self.utterances.iter().position(|it| it.id == id) {
            self.abandon(at, now);
        }
    }

    /// Gives up all utterances after an interrupt.
    pub(super) fn interrupt(&mut self, now: Instant) {
        self.interrupts.push_back(now + ABANDONED_LIMIT);
        while !self.utterances.is_empty() {
            self.abandon(0, now);
        }
    }

    /// Removes all utterances after the connection was lost, and returns their ids.
    pub(super) fn lose_all(&mut self) -> Vec<String> {
        let ids: Vec<String> = self.utterances.drain(..).map(|utterance| utterance.id).collect();
        for id in &ids {
            self.remember(id.clone());
        }
        // A new connection reports nothing about the old one.
        self.abandoned.clear();
        self.interrupts.clear();
        ids
    }

    /// When to call [`expire`](Self::expire).
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.utterances.iter().filter_map(|it| it.ambiguous_end.into_iter().chain(it.deadline).min()).min()
    }

    /// Ends the utterances whose time limit has passed.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(String, SpeechEnd)> {
        let mut ended = Vec::new();
        let is_due = |limit: Option<Instant>| limit.is_some_and(|limit| limit <= now);
        while let Some(at) =
            self.utterances.iter().position(|it| is_due(it.ambiguous_end) || is_due(it.deadline))
        {
            if self.utterances[at].ambiguous_end.is_some() {
                ended.push(self.end(at, SpeechEnd::Finished));
            } else {
                ended.push((self.abandon(at, now), SpeechEnd::Lost));
            }
        }
        ended
    }

    /// Processes an event. Returns the utterance that it ends.
    pub(super) fn event(&mut self, event: &LiteEvent, now: Instant) -> Option<(String, SpeechEnd)> {
        self.abandoned.retain(|abandoned| abandoned.expires > now);
        self.interrupts.retain(|expires| *expires > now);
        let subject = self.subject(event);
        if let (Subject::InFlight(at), Some(task)) = (&subject, &event.task_id) {
            self.utterances[*at].task = Some(task.clone());
        }
        match &event.kind {
            LiteEventKind::SpeakStarted => {
                self.started(&subject, event, now);
                None
            }
            LiteEventKind::SpeakEnded => self.ended(&subject, event, now),
            LiteEventKind::SpeakInterrupted => self.interrupted(&subject),
            LiteEventKind::Error(notice) if !notice.is_starvation() => match subject {
                Subject::InFlight(at) => Some((self.abandon(at, now), failed(notice))),
                Subject::Unknown if !self.utterances.is_empty() => {
                    Some((self.abandon(0, now), failed(notice)))
                }
                Subject::Unknown | Subject::Finished => None,
            },
            LiteEventKind::AgentState { new: AgentState::Talking, .. } => {
                // Servers that report no starts may report the pose.
                if let Some(first) = self.utterances.front()
                    && !self.reports_starts
                    && self.abandoned.is_empty()
                {
                    first.playback.start(now);
                }
                None
            }
            _ => None,
        }
    }

    fn subject(&self, event: &LiteEvent) -> Subject {
        let notice_id = match &event.kind {
            LiteEventKind::Error(notice) | LiteEventKind::Warning(notice) => notice.event_id.as_ref(),
            _ => None,
        };
        let ids = || event.event_id.iter().chain(&event.source_event_id).chain(notice_id);
        let by_id = self.utterances.iter().position(|it| ids().any(|id| *id == it.id));
        let by_task = || self.utterances.iter().position(|it| it.task.is_some() && it.task == event.task_id);
        if let Some(at) = by_id.or_else(by_task) {
            return Subject::InFlight(at);
        }
        if ids().chain(&event.task_id).any(|id| self.finished_ids.contains(id)) {
            return Subject::Finished;
        }
        Subject::Unknown
    }

    fn started(&mut self, subject: &Subject, event: &LiteEvent, now: Instant) {
        self.reports_starts = true;
        let (at, guessed) = match subject {
            Subject::InFlight(at) => (Some(*at), false),
            Subject::Finished => (None, false),
            Subject::Unknown => {
                // After an ambiguous end, a second start is the real one; the first belonged to an abandoned utterance.
                let waiting = |it: &Utterance| it.playback_started.is_none() || it.ambiguous_end.is_some();
                (self.utterances.iter().position(waiting), true)
            }
        };
        let Some(at) = at else {
            self.abandoned_started(event);
            return;
        };
        let all_abandoned_started = self.abandoned.iter().all(|abandoned| abandoned.started);
        if guessed && (self.utterances[at].ambiguous_end.is_some() || all_abandoned_started) {
            // Events arrive in order, so no more events of abandoned utterances follow.
            self.abandoned.clear();
        }
        let utterance = &mut self.utterances[at];
        let old_task = if guessed { utterance.task.take() } else { None };
        if utterance.start_is_ambiguous {
            utterance.playback.pause(Duration::ZERO);
        }
        utterance.playback.start(now);
        utterance.playback_started = Some(now);
        utterance.start_is_ambiguous = guessed && !self.abandoned.is_empty();
        utterance.ambiguous_end = None;
        utterance.played_out_at = None;
        if guessed {
            utterance.task.clone_from(&event.task_id);
        }
        if let Some(task) = old_task {
            self.remember(task);
        }
    }

    fn abandoned_started(&mut self, event: &LiteEvent) {
        if let Some(abandoned) = self.abandoned.iter_mut().find(|abandoned| !abandoned.started) {
            abandoned.started = true;
        }
        if let Some(task) = &event.task_id {
            self.remember(task.clone());
        }
    }

    fn ended(&mut self, subject: &Subject, event: &LiteEvent, now: Instant) -> Option<(String, SpeechEnd)> {
        let at = match subject {
            Subject::InFlight(at) => *at,
            Subject::Finished => {
                self.abandoned.pop_front();
                return None;
            }
            Subject::Unknown => {
                let playing = |it: &Utterance| it.playback_started.is_some() && it.ambiguous_end.is_none();
                let playing = self.utterances.iter().position(playing);
                // A server that does not report starts may still report ends.
                let complete = || self.utterances.iter().position(|it| it.is_complete);
                let only_ends = !self.reports_starts && self.abandoned.is_empty();
                let Some(at) = playing.or_else(|| if only_ends { complete() } else { None }) else {
                    self.abandoned.pop_front();
                    return None;
                };
                at
            }
        };
        let by_id = [&event.event_id, &event.source_event_id];
        let by_id = by_id.into_iter().flatten().any(|id| *id == self.utterances[at].id);
        let is_ambiguous = !by_id && self.utterances[at].start_is_ambiguous && !self.abandoned.is_empty();
        let utterance = &mut self.utterances[at];
        let played = utterance.playback_started.map_or(Duration::MAX, |started| now - started);
        if is_ambiguous && (!utterance.is_complete || played < utterance.playback.sent() / 2) {
            utterance.ambiguous_end = utterance.is_complete.then_some(now + AMBIGUOUS_END_LIMIT);
            if !utterance.is_complete {
                utterance.playback_started = None;
                utterance.playback.pause(Duration::ZERO);
                self.abandoned.pop_front();
            }
            return None;
        }
        if !utterance.is_complete {
            // The server ran out of audio. It reports another start when it continues.
            let sent = utterance.playback.sent();
            utterance.playback_started = None;
            utterance.playback.pause(sent);
            utterance.played_out_at = Some(sent);
            return None;
        }
        Some(self.end(at, SpeechEnd::Finished))
    }

    fn interrupted(&mut self, subject: &Subject) -> Option<(String, SpeechEnd)> {
        match subject {
            Subject::InFlight(at) => Some(self.end(*at, SpeechEnd::Interrupted)),
            Subject::Finished => {
                self.interrupts.pop_front();
                self.abandoned.pop_front();
                None
            }
            Subject::Unknown if self.interrupts.pop_front().is_some() => {
                self.abandoned.pop_front();
                None
            }
            Subject::Unknown => {
                let playing = self.utterances.iter().position(|it| it.playback_started.is_some());
                let at = playing.or((!self.utterances.is_empty()).then_some(0))?;
                Some(self.end(at, SpeechEnd::Interrupted))
            }
        }
    }

    fn end(&mut self, at: usize, end: SpeechEnd) -> (String, SpeechEnd) {
        // All callers pass a valid position.
        let Some(utterance) = self.utterances.remove(at) else { return (String::new(), end) };
        self.remember(utterance.id.clone());
        if let Some(task) = utterance.task {
            self.remember(task);
        }
        (utterance.id, end)
    }

    fn abandon(&mut self, at: usize, now: Instant) -> String {
        let started = self.utterances.get(at).is_some_and(|it| it.playback_started.is_some());
        self.abandoned.push_back(Abandoned { expires: now + ABANDONED_LIMIT, started });
        self.end(at, SpeechEnd::Lost).0
    }

    /// Remembers an id that does not belong to an utterance in flight, such as that of an interrupt.
    pub(super) fn remember(&mut self, id: String) {
        if self.finished_ids.len() == MAX_FINISHED_IDS {
            self.finished_ids.pop_front();
        }
        self.finished_ids.push_back(id);
    }
}

fn failed(notice: &ServerNotice) -> SpeechEnd {
    let kind = notice.kind.as_ref().map_or("an error without a message", NoticeKind::as_str);
    let text = if notice.message.is_empty() { kind } else { &notice.message };
    SpeechEnd::Failed(Arc::new(Error::reported("the service reports", text)))
}
