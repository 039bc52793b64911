//! Whether a user speaks, from the level of their microphone track.

use std::time::Duration;

use tokio::time::Instant;

/// A louder packet is speech, in decibels relative to full scale.
const THRESHOLD: i8 = -45;
/// This many loud packets in a row begin speech; a single one is a click.
const FIRST_PACKETS: u32 = 3;
/// A pause of this length ends speech.
const PAUSE: Duration = Duration::from_millis(600);
/// Opus packets without a level are loud from this size on: the packets of silence are smaller.
const LOUD_BYTES: usize = 30;

#[derive(Debug, Default)]
pub(super) struct Microphone {
    loud_packets: u32,
    last_loud: Option<Instant>,
    pub(super) is_speaking: bool,
}

impl Microphone {
    /// Takes a packet with the level of its RTP header, if it has one; returns whether it begins speech.
    pub(super) fn hear(&mut self, level: Option<i8>, bytes: usize, now: Instant) -> bool {
        if level.map_or(bytes >= LOUD_BYTES, |level| level > THRESHOLD) {
            self.loud_packets += 1;
            self.last_loud = Some(now);
        } else {
            self.loud_packets = 0;
        }
        let begins = !self.is_speaking && self.loud_packets >= FIRST_PACKETS;
        self.is_speaking |= begins;
        begins
    }

    /// Returns whether speech has just ended.
    pub(super) fn has_ended(&mut self, now: Instant) -> bool {
        let is_quiet = self.last_loud.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        let has_ended = self.is_speaking && is_quiet;
        if has_ended {
            *self = Microphone::default();
        }
        has_ended
    }
}

#[cfg(test)]
mod tests {
    use super::{Microphone, PAUSE};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn speech_begins_with_loud_packets_and_ends_with_a_pause() {
        let now = Instant::now();
        let mut microphone = Microphone::default();
        let mut heard = Vec::new();
        for level in [-20, -90, -20, -20, -20, -20] {
            heard.push(microphone.hear(Some(level), 0, now));
        }
        assert_eq!(heard, [false, false, false, false, true, false]);
        assert!(!microphone.has_ended(now + PAUSE - Duration::from_millis(1)));
        assert!(microphone.has_ended(now + PAUSE));
        assert!(!microphone.has_ended(now + PAUSE));
    }

    #[test]
    fn without_levels_the_size_of_the_packets_decides() {
        let now = Instant::now();
        let mut microphone = Microphone::default();
        let heard = [3, 80, 90, 70].map(|bytes| microphone.hear(None, bytes, now));
        assert_eq!(heard, [false, false, false, true]);
    }
}
