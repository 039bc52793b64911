//! The avatar behind a command socket: what it plays and when, and its pose. No socket here.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Speech is heard of about so long after its first frame (field report).
const START_DELAY: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pose {
    #[default]
    Idle,
    Listening,
    Talking,
}

impl Pose {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Pose::Idle => "idle",
            Pose::Listening => "listening",
            Pose::Talking => "talking",
        }
    }
}

/// Speech that is queued or playing.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    /// The id of its first command.
    pub(super) id: String,
    /// Its place among all that the session said.
    pub(super) number: usize,
    /// When its playback starts.
    starts: Instant,
    /// Until when there is audio.
    until: Instant,
    is_told: bool,
    is_closed: bool,
    is_starved: bool,
}

/// What playback has come to.
#[derive(Clone, Debug)]
pub(super) enum Turn {
    Started(Speech),
    Ended(Speech),
    /// There is no more audio, though the utterance has not ended.
    Starved(Speech),
}

#[derive(Debug, Default)]
pub(super) struct Playback {
    queue: VecDeque<Speech>,
    rest: Pose,
}

impl Playback {
    /// Whether audio would open a new utterance.
    pub(super) fn is_between(&self) -> bool {
        self.queue.back().is_none_or(|last| last.is_closed)
    }

    /// The number of the utterance that audio belongs to now.
    pub(super) fn open(&mut self, id: &str, number: usize, now: Instant) {
        let free = self.queue.back().map_or(now, |last| last.until);
        let starts = free.max(now + START_DELAY);
        self.queue.push_back(Speech {
            id: id.to_owned(),
            number,
            starts,
            until: starts,
            is_told: false,
            is_closed: false,
            is_starved: false,
        });
    }

    /// Adds audio to the open utterance; with its number.
    pub(super) fn append(&mut self, time: Duration, now: Instant) -> Option<usize> {
        let last = self.queue.back_mut()?;
        last.until = last.until.max(now) + time;
        last.is_starved = false;
        Some(last.number)
    }

    pub(super) fn close(&mut self) {
        if let Some(last) = self.queue.back_mut() {
            last.is_closed = true;
        }
    }

    /// Drops everything; with what was dropped, and whether its start was told.
    pub(super) fn interrupt(&mut self) -> Vec<(Speech, bool)> {
        self.queue.drain(..).map(|speech| (speech.clone(), speech.is_told)).collect()
    }

    pub(super) fn rest_in(&mut self, pose: Pose) {
        self.rest = pose;
    }

    pub(super) fn pose(&self) -> Pose {
        if self.queue.front().is_some_and(|speech| speech.is_told) { Pose::Talking } else { self.rest }
    }

    /// When there is something to tell if nothing comes.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = self.queue.front()?;
        if !first.is_told {
            return Some(first.starts);
        }
        (first.is_closed || !first.is_starved).then_some(first.until)
    }

    /// The next thing to tell of, if its time has come.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Turn> {
        if self.next()? > now {
            return None;
        }
        let first = self.queue.front_mut()?;
        if !first.is_told {
            first.is_told = true;
            return Some(Turn::Started(first.clone()));
        }
        if first.is_closed {
            return self.queue.pop_front().map(Turn::Ended);
        }
        first.is_starved = true;
        Some(Turn::Starved(first.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Playback, Pose, START_DELAY, Turn};
    use std::time::Duration;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_utterance_that_waits_starts_when_the_one_before_it_ends() {
        let begin = Instant::now();
        let mut playback = Playback::default();
        for (number, id) in ["a", "b"].into_iter().enumerate() {
            assert!(playback.is_between());
            playback.open(id, number, begin);
            assert_eq!(playback.append(SECOND, begin), Some(number));
            playback.close();
        }
        let mut told = Vec::new();
        while let Some(next) = playback.next() {
            match playback.turn(next) {
                Some(Turn::Started(speech)) => told.push(("started", speech.id, next - begin)),
                Some(Turn::Ended(speech)) => told.push(("ended", speech.id, next - begin)),
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
        assert_eq!(told, expected);
    }

    #[test]
    fn running_dry_is_told_once_until_there_is_audio_again() {
        let begin = Instant::now();
        let mut playback = Playback::default();
        playback.open("a", 0, begin);
        playback.append(SECOND, begin);
        assert!(matches!(playback.turn(begin + SECOND), Some(Turn::Started(_))));
        assert_eq!(playback.pose(), Pose::Talking);
        let later = begin + SECOND * 5;
        assert!(matches!(playback.turn(later), Some(Turn::Starved(_))));
        assert!(playback.turn(later).is_none());
        // It plays on from here, not from where it ran dry.
        playback.append(SECOND, later);
        assert_eq!(playback.next(), Some(later + SECOND));
        assert!(matches!(playback.turn(later + SECOND), Some(Turn::Starved(_))));
        playback.close();
        assert!(matches!(playback.turn(later + SECOND), Some(Turn::Ended(_))));
        assert_eq!(playback.pose(), Pose::Idle);
    }
}
