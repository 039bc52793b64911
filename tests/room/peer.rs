//! A participant of a LiveKit room, written with `str0m` and without LiveKit's client library.
//!
//! A task owns the connection. It takes orders from a [`Peer`] and reports [`Event`]s to it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::crypto::from_feature_flags;
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Output, Rtc};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest as _};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Longer than anything takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
const MICROPHONE: &str = "microphone";
/// The peer connection on which the client publishes; with a single one, it serves both directions.
const PUBLISHER: usize = 0;
const SUBSCRIBER: usize = 1;

/// How a client joins: with two peer connections (`/rtc`) or with one (`/rtc/v1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Dual,
    Single,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The client is in the room, with these others.
    Joined(Vec<proto::ParticipantInfo>),
    /// A participant joined, changed or left.
    Participant(Box<proto::ParticipantInfo>),
    /// Who speaks has changed.
    Speaking(bool),
    /// The reliable data channel is open.
    Ready,
    Data {
        from: String,
        topic: String,
        payload: Vec<u8>,
    },
    Media {
        track: String,
        kind: MediaKind,
        data: Arc<[u8]>,
        level: Option<i8>,
        /// The sequence numbers of its RTP packets.
        packets: RangeInclusive<u64>,
    },
    /// The server ends the connection.
    Left(proto::LeaveRequest),
    Closed,
}

enum Order {
    Send {
        topic: String,
        payload: Vec<u8>,
    },
    /// A packet of the microphone.
    Speak {
        packet: Vec<u8>,
        level: i8,
    },
    Leave,
}

/// A participant. Dropping it breaks the connection.
pub(crate) struct Peer {
    orders: UnboundedSender<Order>,
    events: UnboundedReceiver<Event>,
}

impl Peer {
    /// Joins a room, without waiting for its media. An error of the upgrade is a [`tungstenite::Error`].
    pub(crate) async fn join(url: &str, token: &str, path: Path) -> Result<Peer, Failure> {
        let mut connection = Connection::new(path).await?;
        let request = match path {
            Path::Dual => format!("{url}/rtc?access_token={token}&protocol=16"),
            Path::Single => {
                let join = proto::JoinRequest { publisher_offer: connection.offer(), ..Default::default() };
                let wrapped =
                    proto::WrappedJoinRequest { join_request: join.encode_to_vec(), ..Default::default() };
                let join = URL_SAFE.encode(wrapped.encode_to_vec());
                format!("{url}/rtc/v1?access_token={token}&join_request={join}")
            }
        };
        let address = url.trim_start_matches("ws://");
        let (socket, _) =
            client_async(request.into_client_request()?, TcpStream::connect(address).await?).await?;
        let (orders, pending_orders) = unbounded_channel();
        let (reported, events) = unbounded_channel();
        connection.events = Some(reported);
        tokio::spawn(async move {
            // A failure looks like a broken connection.
            let _ = connection.run(socket, pending_orders).await;
            connection.report(Event::Closed);
        });
        Ok(Peer { orders, events })
    }

    /// Waits for an event and skips all others.
    pub(crate) async fn wait_for<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.unwrap_or(Event::Closed);
                let is_closed = matches!(event, Event::Closed);
                if let Some(found) = wanted(event) {
                    return found;
                }
                assert!(!is_closed, "the connection ended before the event");
            }
        };
        tokio::time::timeout(TIMEOUT, found).await.expect("the event happens in time")
    }

    /// Waits until data can be sent.
    pub(crate) async fn ready(&mut self) {
        self.wait_for(|event| matches!(event, Event::Ready).then_some(())).await;
    }

    pub(crate) fn send(&self, topic: &str, payload: Vec<u8>) {
        let _ = self.orders.send(Order::Send { topic: topic.to_owned(), payload });
    }

    pub(crate) fn speak(&self, packet: Vec<u8>, level: i8) {
        let _ = self.orders.send(Order::Speak { packet, level });
    }

    pub(crate) fn leave(&self) {
        let _ = self.orders.send(Order::Leave);
    }
}

struct Side {
    rtc: Rtc,
    udp: UdpSocket,
    pending: Option<SdpPendingOffer>,
}

struct Connection {
    path: Path,
    sides: Vec<Side>,
    reliable: Option<ChannelId>,
    microphone: Option<Mid>,
    /// Samples that the microphone has sent.
    samples: u64,
    tracks: HashMap<String, String>,
    offers: u32,
    events: Option<UnboundedSender<Event>>,
}

impl Connection {
    async fn new(path: Path) -> Result<Connection, Failure> {
        let mut sides = Vec::new();
        // str0m cannot tell two peer connections apart that share a socket.
        for _ in 0..if path == Path::Dual { 2 } else { 1 } {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let mut rtc = Rtc::builder()
                .set_crypto_provider(Arc::new(from_feature_flags()))
                .clear_codecs()
                .enable_opus(true, false)
                .enable_vp8(true)
                .build(Instant::now());
            rtc.add_local_candidate(Candidate::host(udp.local_addr()?, "udp")?);
            sides.push(Side { rtc, udp, pending: None });
        }
        let (tracks, offers) = (HashMap::new(), 0);
        Ok(Connection {
            path,
            sides,
            reliable: None,
            microphone: None,
            samples: 0,
            tracks,
            offers,
            events: None,
        })
    }

    fn report(&self, event: Event) {
        if let Some(events) = &self.events {
            let _ = events.send(event);
        }
    }

    /// Offers the data channel, the microphone and, with one peer connection, sections for others' tracks.
    fn offer(&mut self) -> Option<proto::SessionDescription> {
        let side = &mut self.sides[PUBLISHER];
        let mut api = side.rtc.sdp_api();
        if self.path == Path::Single {
            api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
            api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        if self.reliable.is_none() {
            self.reliable = Some(api.add_channel("_reliable".to_owned()));
            let name = Some(MICROPHONE.to_owned());
            self.microphone =
                Some(api.add_media(MediaKind::Audio, Direction::SendOnly, name.clone(), name, None));
        }
        let (offer, pending) = api.apply()?;
        side.pending = Some(pending);
        self.offers += 1;
        Some(proto::SessionDescription {
            r#type: "offer".to_owned(),
            sdp: offer.to_sdp_string(),
            id: self.offers,
            ..Default::default()
        })
    }

    async fn run(
        &mut self,
        mut socket: WebSocketStream<TcpStream>,
        mut orders: UnboundedReceiver<Order>,
    ) -> Result<(), Failure> {
        let mut buffers = [vec![0; 2000], vec![0; 2000]];
        loop {
            let wake = self.drain().await?;
            let [first, second] = &mut buffers;
            let received = async {
                let udp = &self.sides[PUBLISHER].udp;
                match self.sides.get(SUBSCRIBER) {
                    None => (PUBLISHER, udp.recv_from(first).await),
                    Some(other) => tokio::select! {
                        got = udp.recv_from(first) => (PUBLISHER, got),
                        got = other.udp.recv_from(second) => (SUBSCRIBER, got),
                    },
                }
            };
            tokio::select! {
                message = socket.next() => {
                    let Some(message) = message else { return Ok(()) };
                    if let Message::Binary(bytes) = message? {
                        for request in self.signal(&bytes)? {
                            let request = proto::SignalRequest { message: Some(request) };
                            socket.send(Message::Binary(request.encode_to_vec().into())).await?;
                        }
                    }
                }
                (which, got) = received => {
                    let (length, source) = got?;
                    let side = &mut self.sides[which];
                    let contents = buffers[which][..length].try_into()?;
                    let destination = side.udp.local_addr()?;
                    let receive = Receive { proto: Protocol::Udp, source, destination, contents };
                    side.rtc.handle_input(Input::Receive(Instant::now(), receive))?;
                }
                order = orders.recv() => match order {
                    Some(Order::Leave) => {
                        let leave = Request::Leave(proto::LeaveRequest::default());
                        let leave = proto::SignalRequest { message: Some(leave) };
                        socket.send(Message::Binary(leave.encode_to_vec().into())).await?;
                        socket.close(None).await?;
                    }
                    Some(order) => self.follow(order)?,
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(wake.into()) => {
                    for side in &mut self.sides {
                        side.rtc.handle_input(Input::Timeout(Instant::now()))?;
                    }
                }
            }
        }
    }

    /// Handles a message of the server; returns what to send back.
    fn signal(&mut self, bytes: &[u8]) -> Result<Vec<Request>, Failure> {
        match proto::SignalResponse::decode(bytes)?.message {
            Some(Response::Join(join)) => {
                self.report(Event::Joined(join.other_participants));
                let microphone = Request::AddTrack(proto::AddTrackRequest {
                    cid: MICROPHONE.to_owned(),
                    r#type: proto::TrackType::Audio.into(),
                    source: proto::TrackSource::Microphone.into(),
                    ..Default::default()
                });
                let offer = if self.path == Path::Dual { self.offer().map(Request::Offer) } else { None };
                return Ok([microphone].into_iter().chain(offer).collect());
            }
            Some(Response::Offer(offer)) => {
                self.tracks.extend(offer.mid_to_track_id);
                let side = &mut self.sides[SUBSCRIBER];
                let answer = side.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(&offer.sdp)?)?;
                return Ok(vec![Request::Answer(proto::SessionDescription {
                    r#type: "answer".to_owned(),
                    sdp: answer.to_sdp_string(),
                    id: offer.id,
                    ..Default::default()
                })]);
            }
            Some(Response::Answer(answer)) => {
                self.tracks.extend(answer.mid_to_track_id);
                let side = &mut self.sides[PUBLISHER];
                if let Some(pending) = side.pending.take() {
                    side.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer.sdp)?)?;
                }
            }
            Some(Response::MediaSectionsRequirement(_)) => {
                return Ok(self.offer().map(Request::Offer).into_iter().collect());
            }
            Some(Response::Update(update)) => {
                update.participants.into_iter().for_each(|it| self.report(Event::Participant(Box::new(it))));
            }
            Some(Response::SpeakersChanged(changed)) => {
                self.report(Event::Speaking(changed.speakers.iter().any(|it| it.active)));
            }
            Some(Response::Leave(leave)) => self.report(Event::Left(leave)),
            _ => {}
        }
        Ok(Vec::new())
    }

    fn follow(&mut self, order: Order) -> Result<(), Failure> {
        let rtc = &mut self.sides[PUBLISHER].rtc;
        match order {
            Order::Send { topic, payload } => {
                let user = proto::UserPacket { payload, topic: Some(topic), ..Default::default() };
                let value = Some(proto::data_packet::Value::User(user));
                let packet = proto::DataPacket { value, ..Default::default() };
                let channel = self.reliable.and_then(|id| rtc.channel(id));
                channel.ok_or("the data channel is not open")?.write(true, &packet.encode_to_vec())?;
            }
            Order::Speak { packet, level } => {
                if let Some(writer) = self.microphone.and_then(|mid| rtc.writer(mid)) {
                    let opus = writer.payload_params().find(|it| it.spec().codec == Codec::Opus);
                    let pt = opus.ok_or("Opus was not negotiated")?.pt();
                    let time = MediaTime::new(self.samples, Frequency::FORTY_EIGHT_KHZ);
                    self.samples += 960;
                    writer.audio_level(level, level > -60).write(pt, Instant::now(), time, packet)?;
                    rtc.handle_input(Input::Timeout(Instant::now()))?;
                }
            }
            Order::Leave => {}
        }
        Ok(())
    }

    /// Sends pending packets and reports events; returns when to call it again.
    async fn drain(&mut self) -> Result<Instant, Failure> {
        let mut wake = Instant::now() + TIMEOUT;
        for which in 0..self.sides.len() {
            loop {
                let side = &mut self.sides[which];
                match side.rtc.poll_output()? {
                    Output::Timeout(at) => {
                        wake = wake.min(at);
                        break;
                    }
                    Output::Transmit(transmit) => {
                        side.udp.send_to(&transmit.contents, transmit.destination).await?;
                    }
                    Output::Event(event) => self.event(which, event)?,
                }
            }
        }
        Ok(wake)
    }

    fn event(&mut self, which: usize, event: str0m::Event) -> Result<(), Failure> {
        match event {
            str0m::Event::ChannelOpen(id, _) if which == PUBLISHER && Some(id) == self.reliable => {
                self.report(Event::Ready);
            }
            str0m::Event::ChannelData(data) => {
                let packet = proto::DataPacket::decode(&data.data[..])?;
                if let Some(proto::data_packet::Value::User(user)) = packet.value {
                    let (topic, payload) = (user.topic.unwrap_or_default(), user.payload);
                    self.report(Event::Data { from: packet.participant_identity, topic, payload });
                }
            }
            str0m::Event::MediaData(media) => {
                let is_audio = media.params.spec().codec == Codec::Opus;
                self.report(Event::Media {
                    track: self.tracks.get(&media.mid.to_string()).cloned().unwrap_or_default(),
                    kind: if is_audio { MediaKind::Audio } else { MediaKind::Video },
                    data: media.data,
                    level: media.ext_vals.audio_level,
                    packets: **media.seq_range.start()..=**media.seq_range.end(),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns the status and the text of a rejected upgrade.
pub(crate) fn rejection(failure: &Failure) -> Option<(u16, String)> {
    match failure.downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            Some((response.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
        }
        _ => None,
    }
}
