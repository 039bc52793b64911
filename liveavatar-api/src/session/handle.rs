//! The supervised session: opened, looked after, and ended for certain.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{KEEP_ALIVE_INTERVAL, SessionRef};
use crate::client::Client;
use crate::config::{Mintable, max_duration};
use crate::error::Error;
use crate::supervisor::{
    EndReason, RotationTemplate, SessionEvents, SessionTask, State, Status, Terms, begin, in_this_span,
};
use crate::types::{self, CreateSessionTokenBody};

/// How long before its end a session warns.
///
/// Drivers in the field rotate at this point, because the service goes silent at the limit instead of closing anything.
pub const WARN_BEFORE: Duration = Duration::from_secs(15);

/// The shortest interval between two keep-alive calls: more often is no help and meets the rate limit.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// The longest interval: sessions were seen reaped 194 s after their last sign of life (field report).
const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(180);

impl Client {
    /// Opens a session: mints its token, starts it, and looks after it until it is stopped.
    ///
    /// Await the result, or set options on it first. The session runs, and costs credits, until
    /// [`Session::stop`] is called, its handle is dropped, or its time is over; see [`session`](crate::session) for what
    /// happens when something goes wrong.
    ///
    /// ```no_run
    /// # async fn open(client: liveavatar_api::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use liveavatar_api::session::{Configuration, Lite, SANDBOX_AVATAR_ID};
    ///
    /// let configuration = Configuration::<Lite>::build(|lite| {
    ///     lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true)
    /// })?;
    /// let session = client.open(&configuration).await?;
    /// println!("join {:?}, {:?} left", session.started().livekit_url, session.time_left());
    /// session.stop().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When nothing was sent: there is no Tokio runtime, the client was shut down, an option is out of range, the
    /// configuration's LiveKit token has expired by now. When the token is
    /// refused, as [`Client::mint`]. When all slots of the session store are taken, or it cannot be reached. When the start
    /// failed: after a failure that leaves open whether the session runs, it is stopped in the background.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before the token, nothing is started; dropped while the start is under way, the start goes on
    /// in the background, and the session is stopped as soon as it runs.
    pub fn open<C: Mintable>(&self, configuration: &C) -> OpenSession<C::Mode> {
        OpenSession {
            client: self.clone(),
            checked: self.check(configuration),
            body: configuration.body().clone(),
            terms: Terms { keep_alive: KEEP_ALIVE_INTERVAL, warn_before: WARN_BEFORE, rotating: false },
            mode: PhantomData,
        }
    }
}

/// A session that is about to be opened; nothing happens before it is awaited.
#[must_use = "nothing is opened before it is awaited"]
pub struct OpenSession<M> {
    client: Client,
    checked: Result<(), Error>,
    body: CreateSessionTokenBody,
    terms: Terms,
    mode: PhantomData<fn() -> M>,
}

impl<M> OpenSession<M> {
    /// Keeps the session alive so often; [`KEEP_ALIVE_INTERVAL`] unless set, from 1 s to 180 s.
    ///
    /// The first call comes after a random part of it, so that sessions opened together are not kept alive together.
    pub fn keep_alive_interval(mut self, interval: Duration) -> Self {
        self.terms.keep_alive = interval;
        self
    }

    /// Warns so long before the session's time is over; [`WARN_BEFORE`] unless set.
    ///
    /// A session shorter than twice that warns in the middle of its time.
    pub fn warn_before(mut self, time: Duration) -> Self {
        self.terms.warn_before = time;
        self
    }

    /// Puts a fresh session of the same configuration into the handle's place whenever the time is nearly over.
    ///
    /// It is started twice the warning time before the end, and the old one is stopped only then, so two slots are needed for
    /// a moment. Where the account has one, the old session runs to its end first. [`SessionEvent::Rotated`](super::SessionEvent::Rotated)
    /// and [`Session::watch`] tell of it. The media endpoints are new ones, and what was said is in the old session's
    /// transcript. An own LiveKit room's token must be valid for long enough.
    pub fn auto_rotate(mut self) -> Self {
        self.terms.rotating = true;
        self
    }

    fn check(&self) -> Result<(), Error> {
        let interval = self.terms.keep_alive;
        if interval < SHORTEST_KEEP_ALIVE || interval > LONGEST_KEEP_ALIVE {
            return Err(Error::invalid_request(format!(
                "keep_alive_interval: {interval:?} is not from {SHORTEST_KEEP_ALIVE:?} to {LONGEST_KEEP_ALIVE:?}; \
                 leave it out for {KEEP_ALIVE_INTERVAL:?}"
            )));
        }
        Ok(())
    }
}

impl<M: 'static> IntoFuture for OpenSession<M> {
    type Output = Result<Session<M>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.check()?;
            self.checked?;
            let Ok(runtime) = Handle::try_current() else {
                return Err(Error::invalid_request(
                    "a session is opened within a Tokio runtime, which keeps it alive",
                ));
            };
            let (answer, opened) = oneshot::channel();
            // A task of its own, so that whoever waits can go away at any time without anything being left half-way.
            runtime.spawn(in_this_span(open(self.client.clone(), self.body, self.terms, answer)));
            let owner = opened.await.unwrap_or_else(|_| {
                Err(Error::invalid_request("the Tokio runtime shut down meanwhile, or an observer panicked"))
            })?;
            Ok(Session { owner, client: self.client, mode: PhantomData })
        })
    }
}

/// Shows no configuration, which may hold tokens.
impl<M> fmt::Debug for OpenSession<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSession").field("terms", &self.terms).finish_non_exhaustive()
    }
}

async fn open(
    client: Client,
    body: CreateSessionTokenBody,
    terms: Terms,
    answer: oneshot::Sender<Result<Owner, Error>>,
) {
    let supervisor = client.supervisor();
    let longest = max_duration(&body);
    let wanted = || {
        if answer.is_closed() {
            return Err(Error::invalid_request("nobody waits for the session any more"));
        }
        supervisor.check_open()
    };
    let opened = begin(supervisor, client.calls(), &body, longest, wanted).await.and_then(|begun| {
        let recipe = RotationTemplate { client: Arc::clone(client.calls()), body, longest };
        let owner = Owner(SessionTask::new(supervisor, begun, terms, recipe));
        // A shutdown in between has not seen it; dropping the owner stops it.
        supervisor.check_open()?;
        owner.0.ready();
        Ok(owner)
    });
    // If nobody waits any more, the owner is dropped here, which stops the session.
    let _ = answer.send(opened);
}

/// Ends the session when it is dropped.
struct Owner(Arc<SessionTask>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end(EndReason::Dropped);
    }
}

/// A running session that is looked after.
///
/// It is kept alive, and stopped when this handle is dropped, when [`stop`](Self::stop) is called, and when its time is over. It
/// is not `Clone`: who has the handle has the session. Share it with an `Arc`.
#[must_use = "a session is stopped when its handle is dropped"]
pub struct Session<M> {
    owner: Owner,
    client: Client,
    mode: PhantomData<fn() -> M>,
}

impl<M> Session<M> {
    /// The session's id; another one after a rotation.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.status().id
    }

    /// What the start answered: where to join the LiveKit room, the LITE socket's address.
    #[must_use]
    pub fn started(&self) -> Arc<types::StartSessionResponse> {
        self.task().started()
    }

    /// Where it stands now.
    #[must_use]
    pub fn state(&self) -> State {
        self.status().state
    }

    /// Its status now: id, state, end.
    #[must_use]
    pub fn status(&self) -> Status {
        self.task().status()
    }

    /// Its status now and whenever it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.task().watch()
    }

    /// What happens to it from now on; a slow reader loses the oldest events.
    #[must_use]
    pub fn events(&self) -> SessionEvents {
        self.task().events()
    }

    /// When the service ends it, counted from its start; none where no limit is known.
    #[must_use]
    pub fn ends_at(&self) -> Option<SystemTime> {
        self.status().ends_at
    }

    /// How long it can still run; none where no limit is known.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let now = self.task().supervisor().clock().now();
        self.ends_at().map(|end| end.duration_since(now).unwrap_or_default())
    }

    /// Says that the service has just had another sign of life, such as the LITE socket's `session.keep_alive`.
    ///
    /// The keep-alive call of the next [interval](OpenSession::keep_alive_interval) is spared.
    pub fn sign_of_life(&self) {
        self.task().sign_of_life();
    }

    /// Stops the session and waits until it certainly does not run.
    ///
    /// The stop is repeated with growing pauses for [`STOP_LIMIT`](super::STOP_LIMIT) at most. A session that has ended already is
    /// stopped as well. The slot that it held is free 0.8 to 3 s later (field reports).
    ///
    /// # Errors
    /// When the session may still run, which [`Error::is_stop_failed`] tells and
    /// [`ClientBuilder::on_stop_failed`](crate::ClientBuilder::on_stop_failed) is told too. Call it again to try again.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, the stop goes on in the background.
    pub async fn stop(&self) -> Result<(), Error> {
        self.task().end(EndReason::Stopped);
        match self.until_over().await {
            State::StopFailed => Err(Error::stop_failed(self.task().failure())),
            _ => Ok(()),
        }
    }

    /// Waits until the session has ended, by whatever reason.
    ///
    /// # Errors
    /// When it was to be stopped and may still run, as [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&self) -> Result<EndReason, Error> {
        match self.until_over().await {
            State::Ended(reason) => Ok(reason),
            _ => Err(Error::stop_failed(self.task().failure())),
        }
    }

    /// The session as the service's lists show it.
    ///
    /// # Errors
    /// When the call failed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn details(&self) -> Result<types::ListHistoricEntry, Error> {
        self.by_id().details().await
    }

    /// What user and avatar have said so far; see [`SessionRef::transcript`].
    ///
    /// # Errors
    /// When a call failed, or the pages do not end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn transcript(&self) -> Result<Vec<types::SessionTranscriptData>, Error> {
        self.by_id().transcript().await
    }

    /// What user and avatar say, as it is said; see [`SessionRef::follow_transcript`].
    ///
    /// It follows the session that the handle stands for now; after a rotation, ask again.
    ///
    /// # Cancel safety
    /// Cancel safe: the stream can be dropped at any point and begun again.
    pub fn follow_transcript(
        &self,
        interval: Duration,
    ) -> impl Stream<Item = Result<types::SessionTranscriptData, Error>> + Send + use<M> {
        self.by_id().follow_transcript(interval)
    }

    fn by_id(&self) -> SessionRef {
        self.client.session(self.id())
    }

    pub(crate) fn task(&self) -> &Arc<SessionTask> {
        &self.owner.0
    }

    async fn until_over(&self) -> State {
        let mut status = self.watch();
        match status.wait_for(|status| status.state.is_over()).await {
            Ok(status) => status.state.clone(),
            // The sender lives in the line, which this handle holds.
            Err(_) => self.state(),
        }
    }
}

/// Shows id and state; where to join stays hidden.
impl<M> fmt::Debug for Session<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { id, state, .. } = self.status();
        f.debug_struct("Session").field("id", &id).field("state", &state).finish_non_exhaustive()
    }
}
