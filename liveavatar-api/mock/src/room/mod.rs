//! LiveKit rooms: one for each running session, which unmodified LiveKit clients join on loopback.
//!
//! A connection is one client's web socket, its UDP socket and its peer connections. The avatar is a task that publishes media and
//! speaks the protocol of FULL sessions. A room knows both and passes on what they send.

mod avatar;
mod clip;
mod connection;
mod conversation;
mod fault;
mod http;
mod members;
mod microphone;
mod peer;
mod sdp;
mod token;
mod voice;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::clock::Clock;
use crate::journal::Journal;
use crate::playback::Sound;
use crate::sessions::{LiveKit, Mode, Sessions};
use crate::state::{ServerState, lock};

use avatar::AvatarTerms;
pub(crate) use fault::RoomFaults;
pub use fault::{RoomActivity, RoomFault};
pub(crate) use http::{is_signalling, respond};
use members::{Room, ToAvatar};

/// How often the rooms look for sessions that time has ended.
const SESSION_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The settings of all rooms of a server.
#[derive(Clone)]
pub(crate) struct RoomSettings {
    /// Where the UDP sockets listen.
    pub(crate) address: IpAddr,
    pub(crate) faults: RoomFaults,
    /// What the avatar answers, one after the other; empty for an echo.
    pub(crate) responses: Vec<String>,
}

impl Default for RoomSettings {
    fn default() -> RoomSettings {
        RoomSettings {
            address: Ipv4Addr::LOCALHOST.into(),
            faults: RoomFaults::default(),
            responses: Vec::new(),
        }
    }
}

/// What the rooms of a server share.
struct Context {
    /// Of the LiveKit server.
    url: String,
    clock: Clock,
    state: Arc<Mutex<ServerState>>,
    journal: Arc<Journal>,
    settings: RoomSettings,
    faults: Mutex<RoomFaults>,
}

/// The rooms of a server.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Inner>);

struct Inner {
    context: Arc<Context>,
    open: Mutex<HashMap<String, OpenRoom>>,
    /// Of sessions that ended.
    past: Mutex<HashMap<Uuid, RoomActivity>>,
    tasks: Mutex<JoinSet<()>>,
}

struct OpenRoom {
    room: Arc<Room>,
    /// The session whose avatar is in the room.
    session: Option<Uuid>,
}

impl Rooms {
    /// Opens the rooms of the sessions that start from now on; `url` is that of the server, with the scheme `ws`.
    pub(crate) fn start(
        url: String,
        settings: RoomSettings,
        clock: &Clock,
        state: &Arc<Mutex<ServerState>>,
        journal: &Arc<Journal>,
    ) -> Rooms {
        let mut changes = {
            let sessions = &mut lock(state).sessions;
            sessions.livekit = LiveKit { url: url.clone(), token: token::sign };
            sessions.records_speech = true;
            sessions.subscribe()
        };
        let faults = Mutex::new(settings.faults);
        let (state, journal) = (Arc::clone(state), Arc::clone(journal));
        let context = Context { url, clock: clock.clone(), state, journal, settings, faults };
        let rooms = Rooms(Arc::new(Inner {
            context: Arc::new(context),
            open: Mutex::default(),
            past: Mutex::default(),
            tasks: Mutex::default(),
        }));
        let this = rooms.clone();
        let mut clock_changes = clock.subscribe();
        rooms.spawn(async move {
            loop {
                this.synchronise();
                tokio::select! {
                    _ = changes.changed() => {}
                    _ = clock_changes.changed() => {}
                    () = sleep(SESSION_CHECK_INTERVAL) => {}
                }
            }
        });
        rooms
    }

    /// Opens rooms for sessions that have started, and closes those of sessions that have ended.
    fn synchronise(&self) {
        let context = &self.0.context;
        let mut ended = Vec::new();
        {
            let sessions = &mut lock(&context.state).sessions;
            sessions.settle();
            let mut open = lock(&self.0.open);
            for (name, session) in open.iter().filter_map(|(name, it)| Some((name, it.session?))) {
                if !sessions.running().any(|it| it.id == session) {
                    let reason = sessions.end_reason(session).unwrap_or_default();
                    ended.push((name.clone(), session, reason.to_owned()));
                }
            }
            for terms in running(sessions, &context.url) {
                let is_open = open.get(&terms.room).is_some_and(|it| it.session.is_some());
                if !is_open {
                    let (sender, receiver) = unbounded_channel();
                    let existing = open.remove(&terms.room).map(|it| it.room);
                    let room = existing.unwrap_or_else(|| Arc::new(Room::new(terms.room.clone())));
                    room.set_avatar(Some(sender));
                    let session = Some(terms.session);
                    open.insert(terms.room.clone(), OpenRoom { room: Arc::clone(&room), session });
                    self.spawn(avatar::run(Arc::clone(context), room, terms, receiver));
                }
            }
        }
        for (name, session, reason) in ended {
            let Some(OpenRoom { room, .. }) = lock(&self.0.open).remove(&name) else { continue };
            room.tell_avatar(ToAvatar::SessionEnded(reason));
            lock(&self.0.past).insert(session, room.activity());
        }
    }

    /// Returns the room that a valid token names; `None` if it is that of a session which is not running.
    fn find(&self, name: &str) -> Option<Arc<Room>> {
        self.synchronise();
        let mut open = lock(&self.0.open);
        // Rooms of people who left, and to which no avatar comes.
        open.retain(|other, it| it.session.is_some() || other == name || Arc::strong_count(&it.room) > 1);
        if let Some(found) = open.get(name) {
            return Some(Arc::clone(&found.room));
        }
        if Uuid::parse_str(name).is_ok() {
            return None;
        }
        let room = Arc::new(Room::new(name.to_owned()));
        open.insert(name.to_owned(), OpenRoom { room: Arc::clone(&room), session: None });
        Some(room)
    }

    /// Passes on what a session says on its command socket.
    pub(crate) fn hear(&self, session: Uuid, sound: Sound) {
        let open = lock(&self.0.open);
        if let Some(found) = open.values().find(|it| it.session == Some(session)) {
            found.room.tell_avatar(ToAvatar::Sound(sound));
        }
    }

    pub(crate) fn activity(&self, session: Uuid) -> RoomActivity {
        let open = lock(&self.0.open);
        let found = open.values().find(|it| it.session == Some(session)).map(|it| it.room.activity());
        found.or_else(|| lock(&self.0.past).get(&session).cloned()).unwrap_or_default()
    }

    pub(crate) fn add_fault(&self, fault: RoomFault) {
        if !lock(&self.0.context.faults).add(fault) {
            let open = lock(&self.0.open);
            open.values().for_each(|it| it.room.disconnect());
        }
    }

    pub(crate) fn faults(&self) -> RoomFaults {
        *lock(&self.0.context.faults)
    }

    pub(crate) fn clear_faults(&self) {
        *lock(&self.0.context.faults) = RoomFaults::default();
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.0.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends all connections without a word.
    pub(crate) fn stop(&self) {
        lock(&self.0.tasks).abort_all();
    }
}

/// Returns the running sessions whose rooms are on this server.
fn running(sessions: &Sessions, url: &str) -> Vec<AvatarTerms> {
    let avatar = |session: &crate::sessions::Session| {
        let (id, terms) = (session.id, &session.terms);
        let claims = match &terms.own_room {
            None => None,
            Some((own, token)) if own.trim_end_matches('/') == url => Some(token::verify(token).ok()?),
            Some(_) => return None,
        };
        Some(AvatarTerms {
            session: id,
            room: claims.as_ref().map_or_else(|| id.to_string(), |it| it.video.room.clone()),
            is_full: terms.mode == Mode::Full,
            has_connector: terms.has_connector,
            uses_push_to_talk: terms.uses_push_to_talk,
            claims,
        })
    };
    sessions.running().filter_map(avatar).collect()
}
