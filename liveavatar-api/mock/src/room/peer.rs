//! One peer connection: its negotiation, its data channels, and the tracks that it sends.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use livekit_protocol::{SessionDescription, TrackInfo, TrackType};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::crypto::{CryptoProvider, from_feature_flags};
use str0m::format::{Codec, PayloadParams};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::{Candidate, Input, Rtc};

use super::members::Media;
use super::sdp;

pub(super) type Failure = Box<dyn Error + Send + Sync>;

pub(super) const RELIABLE: &str = "_reliable";
pub(super) const LOSSY: &str = "_lossy";
/// The part of a stream's name after the sid of its participant, by which clients find the participant.
const STREAM: &str = "camera";

/// Not installed for the whole process, which may prefer another one.
static CRYPTO: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(from_feature_flags()));

/// A track that the peer sends to the client.
struct Sent {
    mid: Mid,
    /// The sid of its publisher.
    publisher: String,
    track: String,
    /// A picture cannot be decoded before its first key frame.
    waits_for_key_frame: bool,
}

pub(super) struct Peer {
    pub(super) rtc: Rtc,
    pub(super) is_connected: bool,
    pub(super) reliable: Option<ChannelId>,
    pub(super) lossy: Option<ChannelId>,
    /// Reliable packets for a channel that is not open yet.
    unsent: Vec<Arc<[u8]>>,
    pending: Option<SdpPendingOffer>,
    offers: u32,
    sent: Vec<Sent>,
}

/// A description for the client, and how many sections of each kind it lacks.
pub(super) struct Negotiated {
    pub(super) description: SessionDescription,
    pub(super) missing_audio: u32,
    pub(super) missing_video: u32,
}

impl Peer {
    pub(super) fn new(local: SocketAddr) -> Result<Peer, Failure> {
        let mut rtc = Rtc::builder()
            .set_crypto_provider(Arc::clone(&CRYPTO))
            .set_ice_lite(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        Ok(Peer {
            rtc,
            is_connected: false,
            reliable: None,
            lossy: None,
            unsent: Vec::new(),
            pending: None,
            offers: 0,
            sent: Vec::new(),
        })
    }

    /// Offers the data channels and the tracks; `None` while an older offer is unanswered, or if nothing changed.
    pub(super) fn offer(&mut self, tracks: &[(String, TrackInfo)]) -> Option<SessionDescription> {
        if self.pending.is_some() {
            return None;
        }
        let gone: Vec<Mid> = self.forget(tracks);
        let mut api = self.rtc.sdp_api();
        if self.reliable.is_none() {
            self.reliable = Some(api.add_channel(RELIABLE.to_owned()));
            self.lossy = Some(api.add_channel_with_config(ChannelConfig {
                label: LOSSY.to_owned(),
                ordered: false,
                reliability: Reliability::MaxRetransmits { retransmits: 0 },
                ..ChannelConfig::default()
            }));
        }
        for mid in gone {
            api.set_direction(mid, Direction::Inactive);
        }
        for (publisher, track) in tracks {
            if self.sent.iter().any(|it| it.track == track.sid) {
                continue;
            }
            let stream = Some(format!("{publisher}|{STREAM}"));
            let mid = api.add_media(kind(track), Direction::SendOnly, stream, Some(track.sid.clone()), None);
            self.sent.push(Sent::new(mid, publisher, track));
        }
        let (offer, pending) = api.apply()?;
        self.pending = Some(pending);
        self.offers += 1;
        Some(self.describe("offer", offer.to_sdp_string(), self.offers))
    }

    /// Takes the client's answer.
    pub(super) fn accept_answer(&mut self, answer: &SessionDescription) -> Result<(), Failure> {
        if let Some(pending) = self.pending.take() {
            let answer = SdpAnswer::from_sdp_string(&answer.sdp)?;
            self.rtc.sdp_api().accept_answer(pending, answer)?;
        }
        Ok(())
    }

    /// Answers the client's offer; the tracks go into the sections that the client prepared for them.
    pub(super) fn answer(
        &mut self,
        offer: &SessionDescription,
        tracks: &[(String, TrackInfo)],
    ) -> Result<Negotiated, Failure> {
        let answer = self.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(&offer.sdp)?)?;
        let mut text = answer.to_sdp_string();
        self.forget(tracks);
        let (mut missing_audio, mut missing_video) = (0, 0);
        let mids = sdp::mids(&text);
        for (publisher, track) in tracks {
            if self.sent.iter().any(|it| it.track == track.sid) {
                continue;
            }
            let is_free = |mid: &Mid| {
                let media = self.rtc.media(*mid);
                !self.sent.iter().any(|it| it.mid == *mid)
                    && media
                        .is_some_and(|it| it.kind() == kind(track) && it.direction() == Direction::SendOnly)
            };
            match mids.iter().copied().find(is_free) {
                Some(mid) => self.sent.push(Sent::new(mid, publisher, track)),
                None if kind(track) == MediaKind::Audio => missing_audio += 1,
                None => missing_video += 1,
            }
        }
        let used: Vec<Mid> = self.sent.iter().map(|it| it.mid).collect();
        text = sdp::silence_unused(&text, &used);
        for sent in &self.sent {
            let Some(media) = self.rtc.media(sent.mid) else { continue };
            // str0m invents both names of an answered section.
            text = text.replace(media.stream_id(), &format!("{}|{STREAM}", sent.publisher));
            text = text.replace(media.track_id(), &sent.track);
        }
        let description = self.describe("answer", text, offer.id);
        Ok(Negotiated { description, missing_audio, missing_video })
    }

    fn describe(&self, kind: &str, sdp: String, id: u32) -> SessionDescription {
        let tracks = self.sent.iter().map(|it| (it.mid.to_string(), it.track.clone()));
        let mid_to_track_id: HashMap<String, String> = tracks.collect();
        SessionDescription { r#type: kind.to_owned(), sdp, id, mid_to_track_id }
    }

    /// Forgets unpublished tracks and returns their sections.
    fn forget(&mut self, tracks: &[(String, TrackInfo)]) -> Vec<Mid> {
        let is_gone = |it: &mut Sent| !tracks.iter().any(|(_, track)| track.sid == it.track);
        self.sent.extract_if(.., is_gone).map(|it| it.mid).collect()
    }

    /// Returns the track that a section sends to the client.
    pub(super) fn track_of(&self, mid: Mid) -> Option<&str> {
        self.sent.iter().find(|it| it.mid == mid).map(|it| it.track.as_str())
    }

    pub(super) fn write(&mut self, media: &Media) -> Result<(), Failure> {
        if !self.is_connected {
            return Ok(());
        }
        let Some(sent) = self.sent.iter_mut().find(|it| it.track == media.track) else { return Ok(()) };
        if sent.waits_for_key_frame && !media.is_key_frame {
            return Ok(());
        }
        sent.waits_for_key_frame = false;
        let Some(mut writer) = self.rtc.writer(sent.mid) else { return Ok(()) };
        let codec = if media.kind == MediaKind::Audio { Codec::Opus } else { Codec::Vp8 };
        let Some(pt) = writer.payload_params().find(|it| it.spec().codec == codec).map(PayloadParams::pt)
        else {
            return Ok(());
        };
        if let Some(level) = media.level {
            writer = writer.audio_level(level, level > i8::MIN + 1);
        }
        writer.write(pt, media.sent, media.time, Arc::clone(&media.data))?;
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        Ok(())
    }

    /// Sends a data packet; a reliable one waits until its channel is open.
    pub(super) fn send_data(&mut self, packet: Arc<[u8]>, is_reliable: bool) -> Result<(), Failure> {
        let id = if is_reliable { self.reliable } else { self.lossy };
        match id.and_then(|id| self.rtc.channel(id)) {
            Some(mut channel) => drop(channel.write(true, &packet)?),
            None if is_reliable => self.unsent.push(packet),
            None => {}
        }
        Ok(())
    }

    /// Takes the reliable channel, which has opened.
    pub(super) fn open(&mut self, channel: ChannelId) -> Result<(), Failure> {
        self.reliable = Some(channel);
        std::mem::take(&mut self.unsent).into_iter().try_for_each(|packet| self.send_data(packet, true))
    }
}

impl Sent {
    fn new(mid: Mid, publisher: &str, track: &TrackInfo) -> Sent {
        Sent {
            mid,
            publisher: publisher.to_owned(),
            track: track.sid.clone(),
            waits_for_key_frame: kind(track) == MediaKind::Video,
        }
    }
}

pub(super) fn kind(track: &TrackInfo) -> MediaKind {
    if track.r#type == i32::from(TrackType::Audio) { MediaKind::Audio } else { MediaKind::Video }
}
