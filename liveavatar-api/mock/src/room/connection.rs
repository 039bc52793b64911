//! One client: signalling over its web socket, one UDP socket, and one or two peer connections.
//!
//! With `/rtc` there are two peer connections: the client offers the one on which it publishes, and the server the one on which it
//! sends. With `/rtc/v1` the client offers the only one, which serves both directions.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use livekit_protocol as proto;
use livekit_token::Claims;
use prost::Message as _;
use proto::leave_request::Action;
use proto::participant_info::Kind;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::media::{KeyframeRequestKind, MediaData, MediaKind, Mid, Rid};
use str0m::net::{Protocol, Receive};
use str0m::{Event, Input, Output};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_websockets::{Message, WebSocketStream};

use super::Context;
use super::members::{Media, Outbound, Room, ToAvatar, milliseconds, participant};
use super::peer::{Failure, LOSSY, Peer, RELIABLE, kind};
use super::sdp;
use crate::state::lock;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// The signalling version that the server speaks, and its version, as LiveKit's clients know them.
const PROTOCOL: i32 = 16;
const SERVER_VERSION: &str = "1.9.0";
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// A client gets this long to close its socket after a leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Larger than any datagram of a peer connection.
const DATAGRAM_BYTES: usize = 2000;
/// First byte of RTP and RTCP packets (RFC 7983); others are STUN and DTLS.
const RTP_FIRST_BYTES: std::ops::RangeInclusive<u8> = 128..=191;
/// Makes packet loss the same in each run.
const LOSS_SEED: u64 = 1;

/// How a client joins.
#[derive(Default)]
pub(super) struct Join {
    /// With one peer connection.
    pub(super) is_single: bool,
    /// The client wants to go on with its old peer connections.
    pub(super) is_reconnect: bool,
    pub(super) offer: Option<proto::SessionDescription>,
    pub(super) tracks: Vec<proto::AddTrackRequest>,
}

/// The two roles of a peer connection; with a single one, it is the publisher.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Publisher,
    Subscriber,
}

/// A track of this client, by the name that it has in the client's offer.
struct Own {
    name: String,
    info: proto::TrackInfo,
}

struct Connection {
    socket: Socket,
    context: Arc<Context>,
    room: Arc<Room>,
    sid: String,
    claims: Claims,
    is_single: bool,
    udp: UdpSocket,
    local: SocketAddr,
    publisher: Option<Peer>,
    subscriber: Option<Peer>,
    own: Vec<Own>,
    /// The tracks that arrive in the sections of the client's offer.
    incoming: HashMap<Mid, Incoming>,
    outbound: UnboundedReceiver<Outbound>,
    /// When the connection ends, after a leave.
    ends: Option<Instant>,
    random: fastrand::Rng,
}

struct Incoming {
    track: String,
    kind: MediaKind,
    is_microphone: bool,
    /// The only layer of a simulcast that is passed on.
    rid: Option<Rid>,
}

/// What ended a wait.
enum Wakeup {
    Message(Option<Result<Message, tokio_websockets::Error>>),
    Datagram(usize, SocketAddr),
    Outbound(Outbound),
    Quality,
    Time,
}

/// Serves a client until it leaves, its session ends, or its socket breaks.
pub(super) async fn run(
    mut socket: Socket,
    context: Arc<Context>,
    room: Arc<Room>,
    claims: Claims,
    join: Join,
) -> Result<(), Failure> {
    if join.is_reconnect {
        // The client then joins again, with new peer connections.
        let leave = leave(proto::DisconnectReason::StateMismatch, Action::Reconnect);
        socket.send(encode(Response::Leave(leave))).await?;
        socket.close().await?;
        return Ok(());
    }
    let udp = UdpSocket::bind((context.settings.address, 0)).await?;
    let local = udp.local_addr()?;
    let (sender, outbound) = unbounded_channel();
    let kind = Kind::from_str_name(&claims.kind.to_uppercase()).unwrap_or(Kind::Standard);
    let kind = if claims.video.agent { Kind::Agent } else { kind };
    let mut info = participant(room.new_sid("PA"), &claims.sub, kind);
    info.name.clone_from(&claims.name);
    info.metadata.clone_from(&claims.metadata);
    info.attributes.clone_from(&claims.attributes);
    let sid = info.sid.clone();
    let others = room.enter(info.clone(), Some(sender));
    let mut connection = Connection {
        socket,
        context,
        room: Arc::clone(&room),
        sid: sid.clone(),
        claims,
        is_single: join.is_single,
        udp,
        local,
        publisher: None,
        subscriber: None,
        own: Vec::new(),
        incoming: HashMap::new(),
        outbound,
        ends: None,
        random: fastrand::Rng::with_seed(LOSS_SEED),
    };
    let result = connection.serve(info, others, join).await;
    room.leave(&sid);
    result
}

impl Connection {
    async fn serve(
        &mut self,
        info: proto::ParticipantInfo,
        others: Vec<proto::ParticipantInfo>,
        join: Join,
    ) -> Result<(), Failure> {
        self.welcome(info, others).await?;
        for track in join.tracks {
            self.add_track(track).await?;
        }
        if !self.is_single {
            self.offer().await?;
        } else if let Some(offer) = join.offer {
            self.answer(&offer).await?;
        }
        let mut buffer = vec![0; DATAGRAM_BYTES];
        let mut quality = tokio::time::interval(PING_INTERVAL);
        loop {
            let wake = self.drain().await?;
            if self.ends.is_some_and(|at| at <= Instant::now()) {
                return Ok(());
            }
            let wakeup = tokio::select! {
                message = self.socket.next() => Wakeup::Message(message),
                got = self.udp.recv_from(&mut buffer) => match got {
                    Ok((length, source)) => Wakeup::Datagram(length, source),
                    // Windows reports here that an earlier packet was rejected.
                    Err(_) => Wakeup::Time,
                },
                Some(outbound) = self.outbound.recv() => Wakeup::Outbound(outbound),
                _ = quality.tick() => Wakeup::Quality,
                () = tokio::time::sleep_until(wake.into()) => Wakeup::Time,
            };
            match wakeup {
                Wakeup::Message(Some(Ok(message))) => self.signal(message).await?,
                Wakeup::Message(_) | Wakeup::Outbound(Outbound::Break) => return Ok(()),
                Wakeup::Datagram(length, source) => self.receive(&buffer[..length], source)?,
                Wakeup::Outbound(outbound) => self.send_outbound(outbound).await?,
                Wakeup::Quality => self.report_quality().await?,
                Wakeup::Time => {
                    for peer in [&mut self.publisher, &mut self.subscriber].into_iter().flatten() {
                        peer.rtc.handle_input(Input::Timeout(Instant::now()))?;
                    }
                }
            }
        }
    }

    async fn send(&mut self, message: Response) -> Result<(), Failure> {
        Ok(self.socket.send(encode(message)).await?)
    }

    async fn welcome(
        &mut self,
        mut info: proto::ParticipantInfo,
        other_participants: Vec<proto::ParticipantInfo>,
    ) -> Result<(), Failure> {
        info.permission = Some(proto::ParticipantPermission {
            can_subscribe: self.claims.video.can_subscribe(),
            can_publish: self.claims.video.can_publish(),
            can_publish_data: self.claims.video.can_publish_data(),
            ..Default::default()
        });
        let codec = |mime: &str| proto::Codec { mime: mime.to_owned(), ..Default::default() };
        let seconds = |time: Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        let version = SERVER_VERSION.to_owned();
        self.send(Response::Join(proto::JoinResponse {
            room: Some(self.room.info()),
            participant: Some(info),
            other_participants,
            server_version: version.clone(),
            server_info: Some(proto::ServerInfo {
                version,
                protocol: PROTOCOL,
                node_id: "mock".to_owned(),
                ..Default::default()
            }),
            subscriber_primary: !self.is_single,
            ping_interval: seconds(PING_INTERVAL),
            ping_timeout: seconds(PING_TIMEOUT),
            enabled_publish_codecs: vec![codec("audio/opus"), codec("video/VP8")],
            ..Default::default()
        }))
        .await
    }

    /// Returns the tracks that the client is to get.
    fn tracks(&self) -> Vec<(String, proto::TrackInfo)> {
        if self.claims.video.can_subscribe() { self.room.tracks_for(&self.sid) } else { Vec::new() }
    }

    /// With two peer connections: offers what the client does not have yet.
    async fn offer(&mut self) -> Result<(), Failure> {
        let tracks = self.tracks();
        if self.subscriber.is_none() {
            self.subscriber = Some(Peer::new(self.local)?);
        }
        let offer = self.subscriber.as_mut().and_then(|peer| peer.offer(&tracks));
        if let Some(offer) = offer {
            self.send(Response::Offer(offer)).await?;
        }
        Ok(())
    }

    /// Answers the client's offer: its tracks and channels and, with a single peer connection, sections for the tracks of others.
    async fn answer(&mut self, offer: &proto::SessionDescription) -> Result<(), Failure> {
        let tracks = if self.is_single { self.tracks() } else { Vec::new() };
        let mut peer = match self.publisher.take() {
            Some(peer) => peer,
            None => Peer::new(self.local)?,
        };
        let negotiated = peer.answer(offer, &tracks)?;
        self.publisher = Some(peer);
        for mid in sdp::mids(&offer.sdp) {
            let name = sdp::track_name(&offer.sdp, mid);
            if let Some(own) = self.own.iter().find(|own| name == Some(&own.name)) {
                let is_microphone = own.info.source == i32::from(proto::TrackSource::Microphone);
                let (track, kind) = (own.info.sid.clone(), kind(&own.info));
                self.incoming.entry(mid).or_insert(Incoming { track, kind, is_microphone, rid: None });
            }
        }
        self.send(Response::Answer(negotiated.description)).await?;
        self.require_sections(negotiated.missing_audio, negotiated.missing_video).await
    }

    async fn require_sections(&mut self, num_audios: u32, num_videos: u32) -> Result<(), Failure> {
        if num_audios + num_videos == 0 {
            return Ok(());
        }
        let requirement = proto::MediaSectionsRequirement { num_audios, num_videos };
        self.send(Response::MediaSectionsRequirement(requirement)).await
    }

    /// Handles a request of the client.
    async fn signal(&mut self, message: Message) -> Result<(), Failure> {
        if message.is_close() {
            self.ends.get_or_insert_with(|| Instant::now() + LEAVE_TIMEOUT);
        }
        if !message.is_binary() {
            return Ok(());
        }
        let request = proto::SignalRequest::decode(&**message.as_payload())?;
        match request.message {
            Some(Request::PingReq(ping)) => {
                let timestamp = milliseconds();
                let last_ping_timestamp = ping.timestamp;
                self.send(Response::PongResp(proto::Pong { last_ping_timestamp, timestamp })).await
            }
            Some(Request::Ping(_)) => self.send(Response::Pong(milliseconds())).await,
            Some(Request::Offer(offer)) => self.answer(&offer).await,
            Some(Request::Answer(answer)) => {
                if let Some(peer) = &mut self.subscriber {
                    peer.accept_answer(&answer)?;
                }
                // For what changed while the client answered.
                self.offer().await
            }
            Some(Request::AddTrack(request)) => self.add_track(request).await,
            Some(Request::Mute(mute)) => {
                self.room.update(&self.sid, |info| {
                    for track in info.tracks.iter_mut().filter(|track| track.sid == mute.sid) {
                        track.muted = mute.muted;
                    }
                });
                Ok(())
            }
            Some(Request::UpdateMetadata(update)) => {
                let updated = self.room.update(&self.sid, |info| {
                    info.metadata = update.metadata;
                    info.name = update.name;
                    info.attributes.extend(update.attributes);
                });
                // The client waits for it.
                let update = proto::ParticipantUpdate { participants: updated.into_iter().collect() };
                self.send(Response::Update(update)).await
            }
            Some(Request::Leave(_)) => {
                // The client closes the socket. Closing it first would look like an error to some clients.
                self.ends = Some(Instant::now() + LEAVE_TIMEOUT);
                Ok(())
            }
            // Candidates need no answer: the checks of the client show its addresses.
            _ => Ok(()),
        }
    }

    /// Registers a track that the client is about to publish.
    async fn add_track(&mut self, request: proto::AddTrackRequest) -> Result<(), Failure> {
        if !self.claims.video.can_publish() {
            return Ok(());
        }
        let is_audio = request.r#type == i32::from(proto::TrackType::Audio);
        let mime_type = if is_audio { "audio/opus" } else { "video/VP8" };
        let info = proto::TrackInfo {
            sid: self.room.new_sid("TR"),
            r#type: request.r#type,
            name: request.name,
            source: request.source,
            muted: request.muted,
            width: request.width,
            height: request.height,
            mime_type: mime_type.to_owned(),
            stream: request.stream,
            ..Default::default()
        };
        self.own.push(Own { name: request.cid.clone(), info: info.clone() });
        let published = proto::TrackPublishedResponse { cid: request.cid, track: Some(info.clone()) };
        self.send(Response::TrackPublished(published)).await?;
        self.room.update(&self.sid, |participant| {
            participant.is_publisher = true;
            participant.tracks.push(info);
        });
        Ok(())
    }

    async fn send_outbound(&mut self, outbound: Outbound) -> Result<(), Failure> {
        match outbound {
            Outbound::Signal(message) => self.send(*message).await,
            Outbound::TracksChanged if !self.is_single => self.offer().await,
            // The client offers again, although the numbers are zero. The answer asks for the sections that are missing.
            Outbound::TracksChanged => {
                let requirement = proto::MediaSectionsRequirement::default();
                self.send(Response::MediaSectionsRequirement(requirement)).await
            }
            Outbound::Media(media) => match self.sender() {
                Some(peer) => peer.write(&media),
                None => Ok(()),
            },
            Outbound::Data { packet, is_reliable } => {
                if lock(&self.context.faults).loses_data {
                    return Ok(());
                }
                match self.sender() {
                    Some(peer) => peer.send_data(packet, is_reliable),
                    None => Ok(()),
                }
            }
            Outbound::KeyFrameWanted(track) => {
                let wanted = self.incoming.iter().find(|(_, it)| it.track == track);
                let wanted = wanted.map(|(mid, it)| (*mid, it.rid));
                if let (Some((mid, rid)), Some(peer)) = (wanted, &mut self.publisher)
                    && let Some(mut writer) = peer.rtc.writer(mid)
                {
                    // Fails if the client did not negotiate such requests.
                    let _ = writer.request_keyframe(rid, KeyframeRequestKind::Pli);
                }
                Ok(())
            }
            Outbound::Leave(reason) => {
                // Sends the data packets that came before.
                self.drain().await?;
                self.ends = Some(Instant::now() + LEAVE_TIMEOUT);
                self.send(Response::Leave(leave(reason, Action::Disconnect))).await
            }
            // Handled by the loop.
            Outbound::Break => Ok(()),
        }
    }

    /// Returns the peer that sends to the client.
    fn sender(&mut self) -> Option<&mut Peer> {
        if self.is_single { self.publisher.as_mut() } else { self.subscriber.as_mut() }
    }

    /// Reports the quality of all connections; clients that do not listen yet need it again later.
    async fn report_quality(&mut self) -> Result<(), Failure> {
        let quality = |participant_sid| proto::ConnectionQualityInfo {
            participant_sid,
            quality: proto::ConnectionQuality::Excellent.into(),
            score: 5.0,
        };
        let updates = self.room.participants().into_iter().map(quality).collect();
        self.send(Response::ConnectionQuality(proto::ConnectionQualityUpdate { updates })).await
    }

    fn receive(&mut self, datagram: &[u8], source: SocketAddr) -> Result<(), Failure> {
        // Not a packet of a peer connection if it fails.
        let Ok(contents) = datagram.try_into() else { return Ok(()) };
        let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
        let input = Input::Receive(Instant::now(), receive);
        let mut peers = [&mut self.publisher, &mut self.subscriber].into_iter().flatten();
        if let Some(peer) = peers.find(|peer| peer.rtc.accepts(&input)) {
            peer.rtc.handle_input(input)?;
        }
        Ok(())
    }

    /// Sends pending packets and handles events; returns when to call it again.
    async fn drain(&mut self) -> Result<Instant, Failure> {
        let mut wake = Instant::now() + PING_INTERVAL;
        for role in [Role::Publisher, Role::Subscriber] {
            while let Some(peer) = self.peer(role) {
                match peer.rtc.poll_output()? {
                    Output::Timeout(at) => {
                        wake = wake.min(at);
                        break;
                    }
                    Output::Transmit(transmit) => {
                        let loss = lock(&self.context.faults).packet_loss;
                        let is_media =
                            transmit.contents.first().is_some_and(|byte| RTP_FIRST_BYTES.contains(byte));
                        if !(is_media && loss > 0.0 && self.random.f32() < loss) {
                            // An error is a lost packet.
                            let _ = self.udp.send_to(&transmit.contents, transmit.destination).await;
                        }
                    }
                    Output::Event(event) => self.event(role, event)?,
                }
            }
        }
        Ok(wake)
    }

    fn peer(&mut self, role: Role) -> Option<&mut Peer> {
        match role {
            Role::Publisher => self.publisher.as_mut(),
            Role::Subscriber => self.subscriber.as_mut(),
        }
    }

    fn event(&mut self, role: Role, event: Event) -> Result<(), Failure> {
        let is_sender = self.is_single || role == Role::Subscriber;
        let Some(peer) = self.peer(role) else { return Ok(()) };
        match event {
            Event::Connected => {
                peer.is_connected = true;
                if is_sender {
                    self.room.tell_avatar(ToAvatar::KeyFrameWanted);
                }
            }
            // A client sends on the channels that it opened.
            Event::ChannelOpen(id, label) if label == RELIABLE => peer.open(id)?,
            Event::ChannelOpen(id, label) if label == LOSSY => peer.lossy = Some(id),
            Event::ChannelData(data) => {
                let is_reliable = peer.lossy != Some(data.id);
                self.receive_data(&data.data, is_reliable);
            }
            Event::MediaData(data) => self.receive_media(&data),
            Event::KeyframeRequest(request) => {
                if let Some(track) = peer.track_of(request.mid).map(str::to_owned) {
                    self.room.want_key_frame(&track);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn receive_data(&mut self, bytes: &[u8], is_reliable: bool) {
        let Ok(packet) = proto::DataPacket::decode(bytes) else { return };
        if !self.claims.video.can_publish_data() || lock(&self.context.faults).loses_data {
            return;
        }
        if let Some(proto::data_packet::Value::User(user)) = &packet.value {
            let topic = user.topic.clone().unwrap_or_default();
            self.room.tell_avatar(ToAvatar::Data { topic, payload: user.payload.clone() });
        }
        self.room.forward(&self.sid, packet, is_reliable);
    }

    fn receive_media(&mut self, data: &MediaData) {
        let Some(incoming) = self.incoming.get_mut(&data.mid) else { return };
        if incoming.rid.is_none() {
            incoming.rid = data.rid;
        }
        if incoming.rid != data.rid {
            return;
        }
        let level = data.ext_vals.audio_level;
        if incoming.is_microphone {
            self.room.tell_avatar(ToAvatar::Microphone { level, bytes: data.data.len() });
        }
        let media = Media {
            track: incoming.track.clone(),
            kind: incoming.kind,
            data: Arc::clone(&data.data),
            time: data.time,
            sent: data.network_time,
            level,
            is_key_frame: incoming.kind == MediaKind::Audio || super::clip::is_key_frame(&data.data),
        };
        self.room.send_media(&self.sid, &Arc::new(media));
    }
}

fn encode(message: Response) -> Message {
    Message::binary(proto::SignalResponse { message: Some(message) }.encode_to_vec())
}

fn leave(reason: proto::DisconnectReason, action: Action) -> proto::LeaveRequest {
    proto::LeaveRequest {
        can_reconnect: action != Action::Disconnect,
        reason: reason.into(),
        action: action.into(),
        ..Default::default()
    }
}
