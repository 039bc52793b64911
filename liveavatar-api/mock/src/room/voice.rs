//! What the avatar says: utterances of PCM in a queue, which become one Opus packet after the other.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use opus_rs::{Application, OpusEncoder};

use liveavatar_api::realtime::audio::SAMPLE_RATE;

/// Duration of a packet.
pub(super) const PACKET: Duration = Duration::from_millis(20);
const PACKET_SAMPLES: usize = SAMPLE_RATE as usize / 50;
/// A frame of silence at 48 kHz.
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
const BITS_PER_SECOND: i32 = 32_000;
/// Largest Opus packet with one frame (RFC 6716).
const MAX_PACKET_BYTES: usize = 1276;
/// The effort of the encoder, from 0 to 10; low, because the mock often runs unoptimised.
const COMPLEXITY: i32 = 2;

/// A longer rest of an utterance that has ended is dropped.
const MAX_REST: Duration = Duration::from_millis(100);

const AMPLITUDE: f32 = 9000.0;
const LOWEST_HERTZ: f32 = 220.0;
const HERTZ_STEP: f32 = 40.0;
const MAX_WORD_LETTERS: usize = 10;
const LETTER: Duration = Duration::from_millis(40);
const WORD: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(60);

/// Where an utterance comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The command socket, with the number of the utterance; the socket says when it starts and ends.
    Socket(usize),
    /// A text, with the id of its command.
    Text(Option<String>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum VoiceEvent {
    Started(Source),
    Ended(Source),
}

struct Utterance {
    source: Source,
    samples: VecDeque<i16>,
    is_started: bool,
    /// Whether it ends with its samples.
    is_closed: bool,
}

/// A packet, and its level in decibels relative to full scale.
pub(super) struct Sound {
    pub(super) packet: Arc<[u8]>,
    pub(super) level: i8,
}

pub(super) struct Voice {
    queue: VecDeque<Utterance>,
    /// `None` if the encoder rejects its settings, which it does not.
    encoder: Option<OpusEncoder>,
    silence: Arc<[u8]>,
}

impl Voice {
    pub(super) fn new() -> Voice {
        let encoder = OpusEncoder::new(SAMPLE_RATE.cast_signed(), 1, Application::Audio).ok();
        let encoder = encoder.map(|mut encoder| {
            encoder.bitrate_bps = BITS_PER_SECOND;
            encoder.complexity = COMPLEXITY;
            encoder
        });
        Voice { queue: VecDeque::new(), encoder, silence: SILENCE.into() }
    }

    /// Queues a text, with a tone for each word.
    pub(super) fn say(&mut self, text: &str, command: Option<String>) {
        let samples = text.split_whitespace().flat_map(tone).collect();
        self.queue.push_back(Utterance {
            source: Source::Text(command),
            samples,
            is_started: false,
            is_closed: true,
        });
    }

    /// Adds audio of the command socket to the utterance with this number.
    pub(super) fn append(&mut self, number: usize, pcm: &[u8]) {
        let samples = pcm.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample));
        let source = Source::Socket(number);
        match self.queue.back_mut().filter(|last| last.source == source) {
            Some(last) => last.samples.extend(samples),
            None => self.queue.push_back(Utterance {
                source,
                samples: samples.collect(),
                is_started: false,
                is_closed: false,
            }),
        }
    }

    /// Starts an utterance of the command socket.
    pub(super) fn start(&mut self, number: usize) {
        self.utterances(number).for_each(|it| it.is_started = true);
    }

    /// Ends an utterance of the command socket; a short rest is still heard, because the two clocks do not tick together.
    pub(super) fn end(&mut self, number: usize) {
        self.utterances(number).for_each(|it| it.is_closed = true);
        let has_ended = |it: &Utterance| it.samples.is_empty() || it.samples.len() > samples(MAX_REST);
        self.queue.retain(|it| it.source != Source::Socket(number) || !has_ended(it));
    }

    fn utterances(&mut self, number: usize) -> impl Iterator<Item = &mut Utterance> {
        self.queue.iter_mut().filter(move |it| it.source == Source::Socket(number))
    }

    /// Drops everything that is queued; returns the source of the utterance that it cut off.
    pub(super) fn interrupt(&mut self) -> Option<Source> {
        std::mem::take(&mut self.queue).into_iter().find(|it| it.is_started).map(|it| it.source)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns whether the avatar speaks now.
    pub(super) fn is_speaking(&self) -> bool {
        self.queue.front().is_some_and(|it| it.is_started)
    }

    /// Takes the samples of the next packet, empty for silence; `events` gets what happens before and after them.
    fn take(&mut self, events: &mut Vec<VoiceEvent>) -> Vec<i16> {
        let Some(first) = self.queue.front_mut() else { return Vec::new() };
        let is_text = matches!(first.source, Source::Text(_));
        if !first.is_started {
            if !is_text {
                return Vec::new();
            }
            first.is_started = true;
            events.push(VoiceEvent::Started(first.source.clone()));
        }
        let count = PACKET_SAMPLES.min(first.samples.len());
        let samples = first.samples.drain(..count).collect();
        if first.samples.is_empty()
            && first.is_closed
            && let Some(ended) = self.queue.pop_front()
        {
            events.push(VoiceEvent::Ended(ended.source));
        }
        samples
    }

    /// Returns the next packet.
    pub(super) fn next(&mut self, events: &mut Vec<VoiceEvent>) -> Sound {
        let mut samples = self.take(events);
        let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
        if loudest == 0 {
            return self.silence();
        }
        samples.resize(PACKET_SAMPLES, 0);
        let mut packet = vec![0; MAX_PACKET_BYTES];
        let encoded = self.encoder.as_mut().map(|it| it.encode_i16(&samples, PACKET_SAMPLES, &mut packet));
        let Some(Ok(length)) = encoded else { return self.silence() };
        packet.truncate(length);
        Sound { packet: packet.into(), level: level(loudest) }
    }

    pub(super) fn silence(&self) -> Sound {
        Sound { packet: Arc::clone(&self.silence), level: i8::MIN + 1 }
    }

    /// Skips what would be said in this time, without encoding it.
    pub(super) fn skip(&mut self, time: Duration, events: &mut Vec<VoiceEvent>) {
        let mut packets = time.as_nanos() / PACKET.as_nanos();
        while packets > 0 && self.has_samples() {
            self.take(events);
            packets -= 1;
        }
    }

    /// Returns whether something can be heard now, or as soon as a text starts.
    fn has_samples(&self) -> bool {
        let is_ready = |it: &Utterance| it.is_started || matches!(it.source, Source::Text(_));
        self.queue.front().is_some_and(|it| is_ready(it) && (it.is_closed || !it.samples.is_empty()))
    }
}

/// The level of a peak, in decibels relative to full scale: 6 for each halving.
fn level(peak: u16) -> i8 {
    let halvings = peak.max(1).leading_zeros().saturating_sub(1);
    i8::try_from(halvings).map_or(i8::MIN + 1, |halvings| -6 * halvings)
}

/// The tone of a word and the pause after it: equal words sound alike, and longer ones last longer.
fn tone(word: &str) -> impl Iterator<Item = i16> + use<> {
    let letters = word.chars().filter(|it| it.is_alphanumeric());
    let (count, sum) = letters.fold((0_usize, 0_u32), |(count, sum), letter| {
        (count + 1, sum.wrapping_mul(31).wrapping_add(letter.into()))
    });
    #[expect(clippy::cast_precision_loss, reason = "the remainder is at most 11")]
    let hertz = LOWEST_HERTZ + HERTZ_STEP * (sum % 12) as f32;
    let letters = u32::try_from(count.clamp(1, MAX_WORD_LETTERS)).unwrap_or(1);
    let (sounding, pause) = (samples(WORD + LETTER * letters), samples(PAUSE));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a tone is short and not loud"
    )]
    let sample = move |index: usize| {
        let time = index as f32 / SAMPLE_RATE as f32;
        // Fades in and out, because a sudden start clicks.
        let edge = index.min(sounding - index).min(PACKET_SAMPLES) as f32 / PACKET_SAMPLES as f32;
        (AMPLITUDE * edge * (TAU * hertz * time).sin()) as i16
    };
    (0..sounding).map(sample).chain(std::iter::repeat_n(0, pause))
}

fn samples(time: Duration) -> usize {
    usize::try_from(time.as_millis()).unwrap_or_default() * SAMPLE_RATE as usize / 1000
}

#[cfg(test)]
mod tests {
    use super::{PACKET, SILENCE, Source, Voice, VoiceEvent, level};
    use std::time::Duration;

    #[test]
    fn a_text_is_heard_from_its_start_to_its_end() {
        let mut voice = Voice::new();
        voice.say("Good morning", Some("c1".to_owned()));
        let source = Source::Text(Some("c1".to_owned()));
        let mut events = Vec::new();
        let mut loud = 0;
        while !voice.is_idle() {
            loud += usize::from(*voice.next(&mut events).packet != SILENCE);
        }
        assert_eq!(events, [VoiceEvent::Started(source.clone()), VoiceEvent::Ended(source)]);
        // 260 ms and 380 ms of tones.
        assert_eq!(loud, 13 + 19);
        assert_eq!(*voice.next(&mut events).packet, SILENCE);
    }

    #[test]
    fn audio_of_the_socket_waits_for_its_start_and_ends_with_it() {
        let mut voice = Voice::new();
        let mut events = Vec::new();
        let pcm: Vec<u8> = (0..960_i16).flat_map(|sample| (sample * 20).to_le_bytes()).collect();
        voice.append(3, &pcm);
        assert_eq!(*voice.next(&mut events).packet, SILENCE);
        voice.start(3);
        for _ in 0..2 {
            assert_ne!(*voice.next(&mut events).packet, SILENCE);
        }
        // Starved, but not over.
        assert_eq!((*voice.next(&mut events).packet == SILENCE, voice.is_speaking()), (true, true));
        voice.end(3);
        assert!(voice.is_idle() && events.is_empty());
    }

    #[test]
    fn an_interrupt_drops_the_queue_and_names_only_what_was_heard() {
        let mut voice = Voice::new();
        voice.say("one", Some("c1".to_owned()));
        voice.say("two", Some("c2".to_owned()));
        assert_eq!(voice.interrupt(), None);
        voice.say("three", Some("c3".to_owned()));
        voice.next(&mut Vec::new());
        assert_eq!((voice.interrupt(), voice.is_idle()), (Some(Source::Text(Some("c3".to_owned()))), true));
    }

    #[test]
    fn skipped_time_reports_the_utterances_that_would_have_been_heard() {
        let mut voice = Voice::new();
        voice.say("one", None);
        voice.say("two", None);
        let mut events = Vec::new();
        // A word of three letters lasts 280 ms with its pause.
        voice.skip(PACKET * 14, &mut events);
        assert_eq!(events.len(), 2);
        assert!(!voice.is_idle());
        voice.skip(PACKET * 1000, &mut events);
        assert_eq!((events.len(), voice.is_idle()), (4, true));
    }

    #[test]
    fn any_time_can_be_skipped_while_the_socket_sends_nothing() {
        let mut voice = Voice::new();
        voice.append(0, &[1; 960]);
        voice.start(0);
        voice.skip(Duration::MAX, &mut Vec::new());
        assert!(voice.is_speaking());
    }

    #[test]
    fn the_level_falls_by_six_decibels_per_halving() {
        assert_eq!([32767, 16000, 8000, 1, 0].map(level), [0, -6, -12, -84, -84]);
    }
}
