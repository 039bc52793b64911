//! Minting a token, starting the session, keeping it alive, stopping it, and reading what was said.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, TryStreamExt as _};
use uuid::Uuid;

use super::configuration::Mintable;
use super::duty::certainly_not_started;
use crate::call::Call as _;
use crate::client::Client;
use crate::credential::Credential;
use crate::error::Error;
use crate::secret::Secret;
use crate::types::{self, SessionEndReason};

/// How often to keep a session alive.
///
/// The service ends a session 5 minutes after the last sign of life (documentation), and was seen to reap one after 194 s
/// (field report); a minute leaves room for two lost calls.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// A transcript has a page per some seconds; this many say that the service repeats itself.
const TRANSCRIPT_PAGES: usize = 10_000;

impl Client {
    /// Mints the token of one session; nothing is billed before it is started.
    ///
    /// The configuration cannot be changed afterwards.
    ///
    /// # Errors
    /// When the client has no API key, the configuration's LiveKit token has expired by now, or the service refuses the
    /// configuration: a foreign avatar, a duration above the plan's limit.
    ///
    /// # Cancel safety
    /// Dropped before the answer, a token may exist that nobody knows; it costs nothing and expires.
    pub async fn mint<C: Mintable>(&self, configuration: &C) -> Result<Minted<C::Mode>, Error> {
        self.check(configuration)?;
        let token = self.create_session_token().body(configuration.body().clone()).data().await?;
        Ok(Minted {
            client: self.clone(),
            id: token.session_id,
            token: token.session_token,
            mode: PhantomData,
        })
    }

    /// A session by its id, such as one that another process started.
    ///
    /// Nothing is sent, and whether there is such a session shows with the first call.
    ///
    /// ```no_run
    /// # async fn said(client: liveavatar_api::Client, id: liveavatar_api::Uuid) -> Result<(), liveavatar_api::Error> {
    /// for line in client.session(id).transcript().await? {
    ///     println!("{}: {}", line.role, line.transcript);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn session(&self, id: Uuid) -> SessionRef {
        SessionRef { client: self.clone(), id }
    }

    /// Refuses a configuration that was fine when it was built and is so no more.
    pub(super) fn check(&self, configuration: &impl Mintable) -> Result<(), Error> {
        let problems = configuration.problems_at(self.clock().now());
        if !problems.has_errors() {
            return Ok(());
        }
        let lines = problems.errors().map(|problem| format!("{}: {}", problem.path(), problem.message()));
        let text = lines.collect::<Vec<_>>().join("; ");
        Err(Error::refused(text).during("create_session_token").caused_by(problems))
    }
}

/// A session that has a token and is not started.
#[derive(Clone, Debug)]
#[must_use = "a token is for starting its session"]
pub struct Minted<M> {
    client: Client,
    id: Uuid,
    token: Secret,
    mode: PhantomData<fn() -> M>,
}

impl<M> Minted<M> {
    /// The session's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The session's token, for a browser that starts the session itself.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Starts the session and returns its media endpoints; from here on it costs credits.
    ///
    /// # Errors
    /// When too many sessions run, no credits are left, or what the configuration refers to does not exist. After a
    /// failure that leaves open whether the session runs, it is stopped as far as possible before the error is returned.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before the answer, the session may run until the service ends it for idleness. Stop it by
    /// [`id`](Self::id) then.
    pub async fn start(self) -> Result<Started<M>, Error> {
        let bearer = self.client.with_credential(Credential::session_token(self.token.clone())?);
        match bearer.start_session().data().await {
            Ok(started) => Ok(Started {
                session: self.client.session(self.id),
                answer: Arc::new(started),
                mode: PhantomData,
            }),
            Err(error) => {
                if !certainly_not_started(&error) {
                    // The first error says more than one about the stop.
                    let _ = self.client.session(self.id).stop(SessionEndReason::ServerError).await;
                }
                Err(error)
            }
        }
    }
}

/// A running session that nobody looks after.
///
/// It runs, and costs credits, until [`stop`](SessionRef::stop) or until the service ends it; dropping this handle does not
/// stop it. [`Client::open`] makes one that keeps itself alive and stops. It dereferences to [`SessionRef`], whose methods keep
/// it alive, stop it and read what was said.
#[derive(Clone, Debug)]
#[must_use = "a session runs until it is stopped"]
pub struct Started<M> {
    session: SessionRef,
    answer: Arc<types::StartSessionResponse>,
    mode: PhantomData<fn() -> M>,
}

impl<M> Started<M> {
    /// What the start answered: where to join the LiveKit room, the LITE socket's address.
    #[must_use]
    pub fn started(&self) -> &types::StartSessionResponse {
        &self.answer
    }

    /// How long the service lets the session run, counted from its start.
    #[must_use]
    pub fn max_duration(&self) -> Option<Duration> {
        self.answer
            .max_session_duration
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs)
    }
}

impl<M> Deref for Started<M> {
    type Target = SessionRef;

    fn deref(&self) -> &SessionRef {
        &self.session
    }
}

/// A session known by its id, whoever started it; see [`Client::session`].
///
/// It is no more than the id and the client: dropping it stops nothing.
#[derive(Clone, Debug)]
pub struct SessionRef {
    client: Client,
    id: Uuid,
}

impl SessionRef {
    /// The session's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Restarts the service's idle countdown; call it every [`KEEP_ALIVE_INTERVAL`].
    ///
    /// # Errors
    /// When the session has ended, which [`Error::is_not_found`] tells, or the call failed.
    ///
    /// # Cancel safety
    /// Cancel safe: call it again.
    pub async fn keep_alive(&self) -> Result<(), Error> {
        let body = types::KeepSessionAlive::builder().session_id(self.id);
        self.client.keep_session_alive().body(body).data().await.map(drop)
    }

    /// Stops the session; one that has already ended is stopped as well.
    ///
    /// The slot that it held is free 0.8 to 3 s later (field reports).
    ///
    /// # Errors
    /// When the call failed, and the session may still run.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the session may still run: call it again.
    pub async fn stop(&self, reason: SessionEndReason) -> Result<(), Error> {
        let body = types::StopSession::builder().session_id(self.id).reason(reason);
        match self.client.stop_session().body(body).data().await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
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
        self.client.get_session().session_id(self.id.to_string()).data().await
    }

    /// What user and avatar have said so far, all pages of it; FULL sessions only have any.
    ///
    /// # Errors
    /// When a call failed, or the pages do not end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn transcript(&self) -> Result<Vec<types::SessionTranscriptData>, Error> {
        let mut said = Vec::new();
        let mut from = None;
        for _ in 0..TRANSCRIPT_PAGES {
            let page = self.transcript_from(from).await?;
            said.extend(page.transcript_data);
            let Some(next) = forward(from, page.next_timestamp) else { return Ok(said) };
            from = Some(next);
        }
        Err(Error::decode("the transcript names ever further pages"))
    }

    /// What user and avatar say, as it is said, until the session has ended.
    ///
    /// Asks the service every `interval`, and each line comes once. The stream ends when the session has ended and all is
    /// read, or with the first error; a time limit is the caller's, such as `take_until`.
    ///
    /// # Cancel safety
    /// Cancel safe: the stream can be dropped at any point and begun again.
    pub fn follow_transcript(
        &self,
        interval: Duration,
    ) -> impl Stream<Item = Result<types::SessionTranscriptData, Error>> + Send + use<> {
        let session = self.clone();
        let start = Some(Follow { from: None, read: 0, wait: false });
        let pages = stream::try_unfold((session, start), move |(session, state)| async move {
            let Some(Follow { from, read, wait }) = state else { return Ok::<_, Error>(None) };
            if wait {
                session.client.clock().sleep(interval).await;
            }
            let page = session.transcript_from(from).await?;
            // A page is asked for again while the session goes on; what was read of it is not told twice.
            let all = page.transcript_data.len();
            let new: Vec<_> = page.transcript_data.into_iter().skip(read).map(Ok).collect();
            let next = match forward(from, page.next_timestamp) {
                next @ Some(_) => Some(Follow { from: next, read: 0, wait: false }),
                None => page.session_active.then_some(Follow { from, read: all.max(read), wait: true }),
            };
            Ok(Some((stream::iter(new), (session, next))))
        });
        pages.try_flatten()
    }

    async fn transcript_from(&self, from: Option<i64>) -> Result<types::SessionTranscriptResponse, Error> {
        let mut call = self.client.get_session_transcript().session_id(self.id.to_string());
        if let Some(from) = from {
            call = call.start_timestamp(from);
        }
        call.data().await
    }
}

/// The next page of a transcript; one that points backwards or at itself would never end.
fn forward(from: Option<i64>, next: Option<i64>) -> Option<i64> {
    next.filter(|next| from.is_none_or(|from| *next > from))
}

/// Where a transcript is read on.
struct Follow {
    /// The page, by its first timestamp.
    from: Option<i64>,
    /// How many lines of it are read.
    read: usize,
    /// Whether the page was read to its end, so that there is something to wait for.
    wait: bool,
}
