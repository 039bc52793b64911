//! The supervised session: opening it, observing it and stopping it.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{KEEP_ALIVE_INTERVAL, SessionRef};
use crate::client::Client;
use crate::config::{Mintable, ModeName, max_duration};
use crate::error::Error;
use crate::supervisor::{
    EndReason, SessionEvents, SessionOptions, SessionTask, State, Status, StopGuard, Template,
    in_current_span, mint_and_start,
};
use crate::types::{self, CreateSessionTokenBody};

/// Default time between [`SessionEvent::EndsSoon`](super::SessionEvent::EndsSoon) and the session's end: 15 s.
///
/// Other clients replace the session at this point, because at the limit the service may go silent without closing anything.
pub const WARN_BEFORE: Duration = Duration::from_secs(15);

/// A shorter keep-alive interval does not help and exceeds the rate limit.
const MIN_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// The service was observed to end a session 194 s after its last keep-alive (field report).
const MAX_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(180);

impl Client {
    /// Opens a supervised session: mints its token, starts it and keeps it alive.
    ///
    /// Await or spawn the returned future, after setting options on it if needed. The session runs, and costs credits, until
    /// [`Session::stop`] is called, the handle is dropped, or it reaches its maximum duration. See [`session`](crate::session) for
    /// what happens when something fails.
    ///
    /// ```no_run
    /// # async fn open(client: liveavatar_api::Client) -> Result<(), liveavatar_api::Error> {
    /// use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID};
    ///
    /// let configuration = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build()?;
    /// let session = client.open(&configuration).await?;
    /// println!("join {:?}", session.started().livekit_url);
    /// session.stop().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Before anything is sent: without a Tokio runtime, if the client was shut down, an option is out of range, or the
    /// configuration's LiveKit token has expired. Later: if the token cannot be minted (see [`Client::mint`]), the session store
    /// has no free slot or fails, or the start fails. If a failed start may have taken effect, the session is stopped in the
    /// background.
    ///
    /// # Cancel safety
    /// Cancel safe. If the future is dropped before the start request is sent, nothing is started. If it is dropped later, the
    /// start completes in the background and the session is then stopped.
    pub fn open<C: Mintable>(&self, configuration: &C) -> OpenSession<C::Mode> {
        let opening = Opening {
            client: self.clone(),
            checked: self.check(configuration),
            body: configuration.body().clone(),
        };
        OpenSession {
            options: SessionOptions {
                keep_alive_interval: KEEP_ALIVE_INTERVAL,
                warn_before: WARN_BEFORE,
                auto_rotate: false,
            },
            stage: Stage::NotPolled(Some(Box::new(opening))),
        }
    }
}

/// A future of a supervised session, returned by [`Client::open`].
///
/// Nothing is sent before it is polled. Set options before that; afterwards they have no effect.
///
/// # Cancel safety
/// Cancel safe; see [`Client::open`].
#[must_use = "the session is only opened when this is awaited"]
pub struct OpenSession<M> {
    options: SessionOptions,
    stage: Stage<M>,
}

enum Stage<M> {
    /// `None` once it was taken for the first poll.
    NotPolled(Option<Box<Opening>>),
    Running(Pin<Box<dyn Future<Output = Result<Session<M>, Error>> + Send>>),
}

/// What to open, and whether it can be opened.
struct Opening {
    client: Client,
    checked: Result<(), Error>,
    body: CreateSessionTokenBody,
}

impl<M> OpenSession<M> {
    /// Sets the keep-alive interval, from 1 s to 180 s. Default: [`KEEP_ALIVE_INTERVAL`].
    ///
    /// The first keep-alive is sent at a random time within the interval, so that sessions opened together spread out.
    pub fn keep_alive_interval(mut self, interval: Duration) -> Self {
        self.options.keep_alive_interval = interval;
        self
    }

    /// Sets how long before its end the session warns. Default: [`WARN_BEFORE`].
    ///
    /// If `time` is longer than half the session's duration, the warning comes at the midpoint.
    pub fn warn_before(mut self, time: Duration) -> Self {
        self.options.warn_before = time;
        self
    }

    /// Replaces the session with a new one of the same configuration before it expires, repeatedly.
    ///
    /// The new session starts twice the [warning time](Self::warn_before) before the end of the old one, which is then stopped,
    /// so both briefly need a slot. If only one is available, the old session runs to its end first and hands its slot over.
    ///
    /// [`SessionEvent::Rotated`](super::SessionEvent::Rotated) and [`Session::watch`] report the rotation. The new session has
    /// other media endpoints and an empty transcript. The token of your own LiveKit room must outlive the new session, too. Rotations
    /// are at least 15 s apart, because each start costs at least one credit; a session that is too short for that ends.
    pub fn auto_rotate(mut self) -> Self {
        self.options.auto_rotate = true;
        self
    }
}

impl Opening {
    async fn run<M>(self, options: SessionOptions) -> Result<Session<M>, Error> {
        check_interval(options.keep_alive_interval)?;
        self.checked?;
        let Ok(runtime) = Handle::try_current() else {
            return Err(Error::invalid_request(
                "a session needs a Tokio runtime to keep it alive; open it within one",
            ));
        };
        let mode_name = mode_name(&self.body);
        let (result_sender, result) = oneshot::channel();
        // A separate task, so that dropping this future never interrupts the opening half-way.
        runtime.spawn(in_current_span(open(self.client.clone(), self.body, options, result_sender)));
        let guard = result.await.unwrap_or_else(|_| {
            Err(Error::invalid_request(
                "the Tokio runtime shut down while the session was opening, or an observer panicked",
            ))
        })?;
        Ok(Session { guard, client: self.client, mode_name, mode: PhantomData })
    }
}

fn check_interval(interval: Duration) -> Result<(), Error> {
    if interval < MIN_KEEP_ALIVE_INTERVAL || interval > MAX_KEEP_ALIVE_INTERVAL {
        let [interval, min, max, default] =
            [interval, MIN_KEEP_ALIVE_INTERVAL, MAX_KEEP_ALIVE_INTERVAL, KEEP_ALIVE_INTERVAL]
                .map(|duration| duration.as_secs_f64());
        return Err(Error::invalid_request(format!(
            "keep_alive_interval: {interval} s is outside {min} s to {max} s; omit it to use {default} s"
        )));
    }
    Ok(())
}

fn mode_name(body: &CreateSessionTokenBody) -> ModeName {
    match body {
        CreateSessionTokenBody::FullSessionConfig(_) => ModeName::Full,
        CreateSessionTokenBody::LiteSessionConfig(_) => ModeName::Lite,
        CreateSessionTokenBody::CustomSessionConfig(_) => ModeName::Custom,
    }
}

impl<M: 'static> Future for OpenSession<M> {
    type Output = Result<Session<M>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Stage::NotPolled(opening) = &mut this.stage
            && let Some(opening) = opening.take()
        {
            this.stage = Stage::Running(Box::pin(opening.run(this.options.clone())));
        }
        match &mut this.stage {
            Stage::Running(opening) => opening.as_mut().poll(cx),
            // Unreachable: the stage changes when the opening is taken.
            Stage::NotPolled(_) => Poll::Pending,
        }
    }
}

/// Omits the configuration, which may contain tokens.
impl<M> fmt::Debug for OpenSession<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSession").field("options", &self.options).finish_non_exhaustive()
    }
}

async fn open(
    client: Client,
    body: CreateSessionTokenBody,
    options: SessionOptions,
    result_sender: oneshot::Sender<Result<StopGuard, Error>>,
) {
    let supervisor = client.supervisor();
    let template = Arc::new(Template { max_duration: max_duration(&body), body, options });
    let check_wanted = || {
        if result_sender.is_closed() {
            return Err(Error::invalid_request("the session's opening was cancelled"));
        }
        supervisor.check_open()
    };
    let started = mint_and_start(supervisor, client.calls(), &template, check_wanted).await;
    let opened = started.and_then(|guard| {
        check_wanted()?;
        guard.drive();
        Ok(guard)
    });
    // If the caller no longer waits, the guard is dropped here, which stops the session.
    let _ = result_sender.send(opened);
}

/// A supervised session, returned by [`Client::open`].
///
/// It is kept alive until this handle is dropped, [`stop`](Self::stop) is called, or it reaches its maximum duration; then it is
/// stopped. The handle is not `Clone`, so that the session has one owner. To share it, use an `Arc`.
#[must_use = "the session is stopped when its handle is dropped"]
pub struct Session<M> {
    guard: StopGuard,
    client: Client,
    /// The mode of the configuration, which [`AnyMode`](super::AnyMode) does not tell.
    mode_name: ModeName,
    mode: PhantomData<fn() -> M>,
}

impl<M> Session<M> {
    /// Returns the session's id, which changes with each rotation.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.status().id
    }

    /// Returns the start's response, with the LiveKit room to join and the LITE socket's address.
    #[must_use]
    pub fn started(&self) -> Arc<types::StartSessionResponse> {
        self.task().current().1
    }

    /// Returns the current state.
    #[must_use]
    pub fn state(&self) -> State {
        self.status().state
    }

    /// Returns the current status: id, state and end.
    #[must_use]
    pub fn status(&self) -> Status {
        self.task().status()
    }

    /// Returns a receiver of the current status and every change to it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.task().watch()
    }

    /// Returns the session's events from now on; a slow reader loses the oldest ones.
    #[must_use]
    pub fn events(&self) -> SessionEvents {
        self.task().events()
    }

    /// Returns when the service ends the session; `None` if its maximum duration is unknown.
    #[must_use]
    pub fn ends_at(&self) -> Option<SystemTime> {
        self.status().ends_at
    }

    /// Returns the time until [`ends_at`](Self::ends_at).
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let now = self.client.clock().now();
        self.ends_at().map(|end| end.duration_since(now).unwrap_or_default())
    }

    /// Records that the service has just shown, in another way, that it knows that the session is in use.
    ///
    /// The next keep-alive call is due one [interval](OpenSession::keep_alive_interval) after this. After a rotation, this counts
    /// for the new session.
    pub fn record_activity(&self) {
        self.task().record_sign(self.id(), self.client.clock().now());
    }

    /// Stops the session and waits until the stop is confirmed.
    ///
    /// A failed stop is retried with increasing pauses for up to [`STOP_LIMIT`](super::STOP_LIMIT). It succeeds if the session has
    /// already ended. The service frees the session's slot 0.8 to 3 s later (field reports).
    ///
    /// # Errors
    /// If the stop could not be confirmed ([`Error::is_stop_failed`]). The session may still run, and
    /// [`ClientBuilder::on_stop_failed`](crate::ClientBuilder::on_stop_failed) has been called. Call `stop` again to retry.
    ///
    /// # Cancel safety
    /// Cancel safe: if the future is dropped, the stop continues in the background.
    pub async fn stop(&self) -> Result<(), Error> {
        self.client.supervisor().end(self.task(), EndReason::Stopped);
        match self.wait_until_over().await {
            State::StopFailed => Err(Error::stop_failed(self.task().stop_failure())),
            _ => Ok(()),
        }
    }

    /// Waits until the session has ended and returns the reason.
    ///
    /// # Errors
    /// If a stop could not be confirmed, as for [`stop`](Self::stop). The session may still run.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&self) -> Result<EndReason, Error> {
        match self.wait_until_over().await {
            State::Ended(reason) => Ok(reason),
            _ => Err(Error::stop_failed(self.task().stop_failure())),
        }
    }

    /// Returns the session's entry in the service's session lists.
    ///
    /// # Errors
    /// If the call fails.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn details(&self) -> Result<types::ListHistoricEntry, Error> {
        self.by_id().details().await
    }

    /// Returns the transcript so far; see [`SessionRef::transcript`].
    ///
    /// # Errors
    /// If a call fails, or the pages do not end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn transcript(&self) -> Result<Vec<types::SessionTranscriptData>, Error> {
        self.by_id().transcript().await
    }

    /// Streams the transcript while it grows; see [`SessionRef::follow_transcript`].
    ///
    /// The stream follows the current session. After a rotation, call this again for the new one.
    ///
    /// # Cancel safety
    /// Cancel safe: the stream can be dropped at any point. A new one starts with the first line.
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
        &self.guard.task
    }

    #[cfg(feature = "lite")]
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    #[cfg(feature = "lite")]
    pub(crate) fn mode_name(&self) -> ModeName {
        self.mode_name
    }

    async fn wait_until_over(&self) -> State {
        let mut status = self.watch();
        match status.wait_for(|status| status.state.is_over()).await {
            Ok(status) => status.state.clone(),
            // Unreachable: the task that this handle holds owns the sender.
            Err(_) => self.state(),
        }
    }
}

/// Prints the mode, the id and the state, and omits the media endpoints.
impl<M> fmt::Debug for Session<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { id, state, .. } = self.status();
        f.debug_struct("Session")
            .field("mode", &self.mode_name)
            .field("id", &id)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
