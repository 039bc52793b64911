//! The avatar of a command socket: its queue of utterances, their playback times, and its pose.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Time from the first frame of an utterance to `agent.speak_started` (field report).
const START_DELAY: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pose {
    #[default]
    Idle,
    Listening,
    Talking,
}

impl Pose {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Pose::Idle => "idle",
            Pose::Listening => "listening",
            Pose::Talking => "talking",
        }
    }
}

/// What a session says on its command socket, for the avatar in its room; utterances have numbers.
#[cfg(feature = "room")]
#[derive(Clone, Debug)]
pub(crate) enum Sound {
    Audio(usize, bytes::Bytes),
    Started(usize),
    Ended(usize),
    Interrupted,
}

/// An utterance that is queued or playing.
#[derive(Clone, Debug)]
pub(crate) struct Speech {
    /// The id of its first command, if that had one.
    pub(crate) id: Option<String>,
    /// Its index among the utterances of the session.
    pub(crate) number: usize,
    starts: Instant,
    /// When its audio runs out.
    until: Instant,
    /// Whether its start was reported.
    pub(crate) is_announced: bool,
    is_closed: bool,
    is_starved: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum PlaybackEvent {
    Started(Speech),
    Ended(Speech),
    /// The audio ran out before the utterance was complete.
    Starved(Speech),
}

#[derive(Debug, Default)]
pub(crate) struct Playback {
    queue: VecDeque<Speech>,
    pub(crate) resting_pose: Pose,
}

impl Playback {
    /// Returns whether the next audio opens a new utterance.
    pub(crate) fn opens_new_utterance(&self) -> bool {
        self.queue.back().is_none_or(|last| last.is_closed)
    }

    pub(crate) fn open(&mut self, id: Option<&str>, number: usize, now: Instant) {
        let free = self.queue.back().map_or(now, |last| last.until);
        let starts = free.max(now + START_DELAY);
        self.queue.push_back(Speech {
            id: id.map(str::to_owned),
            number,
            starts,
            until: starts,
            is_announced: false,
            is_closed: false,
            is_starved: false,
        });
    }

    /// Adds audio to the open utterance and returns its number.
    pub(crate) fn append(&mut self, time: Duration, now: Instant) -> Option<usize> {
        let last = self.queue.back_mut()?;
        last.until = last.until.max(now) + time;
        last.is_starved = false;
        Some(last.number)
    }

    pub(crate) fn close(&mut self) {
        if let Some(last) = self.queue.back_mut() {
            last.is_closed = true;
        }
    }

    /// Drops all utterances and returns them.
    pub(crate) fn interrupt(&mut self) -> VecDeque<Speech> {
        std::mem::take(&mut self.queue)
    }

    pub(crate) fn pose(&self) -> Pose {
        if self.queue.front().is_some_and(|speech| speech.is_announced) {
            Pose::Talking
        } else {
            self.resting_pose
        }
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        let first = self.queue.front()?;
        if !first.is_announced {
            return Some(first.starts);
        }
        (first.is_closed || !first.is_starved).then_some(first.until)
    }

    pub(crate) fn next_event(&mut self, now: Instant) -> Option<PlaybackEvent> {
        if self.next_due()? > now {
            return None;
        }
        let first = self.queue.front_mut()?;
        if !first.is_announced {
            first.is_announced = true;
            return Some(PlaybackEvent::Started(first.clone()));
        }
        if first.is_closed {
            return self.queue.pop_front().map(PlaybackEvent::Ended);
        }
        first.is_starved = true;
        Some(PlaybackEvent::Starved(first.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Playback, PlaybackEvent, Pose, START_DELAY};
    use std::time::Duration;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_queued_utterance_starts_when_the_previous_one_ends() {
        let begin = Instant::now();
        let mut playback = Playback::default();
        for (number, id) in ["a", "b"].into_iter().enumerate() {
            assert!(playback.opens_new_utterance());
            playback.open(Some(id), number, begin);
            assert_eq!(playback.append(SECOND, begin), Some(number));
            playback.close();
        }
        let mut events = Vec::new();
        while let Some(next) = playback.next_due() {
            match playback.next_event(next) {
                Some(PlaybackEvent::Started(speech)) => {
                    events.push(("started", speech.id.unwrap(), next - begin));
                }
                Some(PlaybackEvent::Ended(speech)) => {
                    events.push(("ended", speech.id.unwrap(), next - begin));
                }
                other => panic!("{other:?}"),
            }
        }
        let at = |seconds: u32| START_DELAY + SECOND * seconds;
        let expected = [
            ("started", "a".to_owned(), at(0)),
            ("ended", "a".to_owned(), at(1)),
            ("started", "b".to_owned(), at(1)),
            ("ended", "b".to_owned(), at(2)),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn starvation_is_reported_once_until_more_audio_arrives() {
        let begin = Instant::now();
        let mut playback = Playback::default();
        playback.open(Some("a"), 0, begin);
        playback.append(SECOND, begin);
        assert!(matches!(playback.next_event(begin + SECOND), Some(PlaybackEvent::Started(_))));
        assert_eq!(playback.pose(), Pose::Talking);
        let later = begin + SECOND * 5;
        assert!(matches!(playback.next_event(later), Some(PlaybackEvent::Starved(_))));
        assert!(playback.next_event(later).is_none());
        // Playback resumes now, not at the time when the audio ran out.
        playback.append(SECOND, later);
        assert_eq!(playback.next_due(), Some(later + SECOND));
        assert!(matches!(playback.next_event(later + SECOND), Some(PlaybackEvent::Starved(_))));
        playback.close();
        assert!(matches!(playback.next_event(later + SECOND), Some(PlaybackEvent::Ended(_))));
        assert_eq!(playback.pose(), Pose::Idle);
    }
}
