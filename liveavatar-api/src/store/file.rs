//! A store in a local folder, and the thread that reads and writes it.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::folder::Folder;
use super::{Account, BoxFuture, Store, StoreError};
use crate::http::{Clock, SystemClock};

/// A session store in a local folder, for one or several processes.
///
/// The folder holds one small, readable file per session, and survives a process crash at any point and power loss: a session's
/// file is on disk before [`acquire`](Store::acquire) returns. Concurrent calls share the wait for the disk.
///
/// An owner lives as long as its `FileStore`. It holds an operating-system lock that is released when the process ends, even by
/// SIGKILL. From then on its sessions are [abandoned](Store::claim_abandoned). Until then they are held, even if a clock is wrong;
/// an abandoned session is forgotten one day after its latest end, so that a clock may be wrong by that much.
///
/// The folder must be on a local disk, because network file systems do not lock reliably. Do not delete its files while processes
/// run. If that happens, living owners record their sessions again with the next keep-alive, and for 200 s
/// [`claim_abandoned`](Store::claim_abandoned) and [`held`](Store::held) return an error. The files hold ids and times but no
/// secrets, and only their user can read them. Slots are not counted.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("liveavatar-doc-{}", std::process::id()));
/// use liveavatar_api::Credential;
/// use liveavatar_api::store::{Account, FileStore, Store as _};
///
/// let store = FileStore::open(&folder)?;
/// let account = Account::of(&Credential::api_key("key")?).expect("an API key has an account");
/// for session in store.claim_abandoned(account).await? {
///     println!("{session} was left by a crash"); // `Client::reap` stops it
/// }
/// # drop(store);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(())
/// # }
/// ```
pub struct FileStore {
    folder: PathBuf,
    owner: Uuid,
    clock: Arc<dyn Clock>,
    /// `None` only while the store is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Reads or changes the folder, and returns what to do when the change is durable.
type Job = Box<dyn FnOnce(&mut Folder) -> Reply + Send>;

type Reply = Box<dyn FnOnce(&io::Result<()>)>;

impl FileStore {
    /// Opens a store in a folder, which is created if it does not exist.
    ///
    /// On Unix, other users lose access to the folder. Blocks for a few milliseconds, and starts a thread for all later reads and
    /// writes.
    ///
    /// # Errors
    /// If the folder cannot be created, read or written, belongs to another user, can be written by every user, contains other
    /// files, or its file system does not support locks.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        // Not suitable as a secret.
        let owner = uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid();
        let opened = Folder::open(&folder, owner).map_err(|error| in_folder(&folder, &error))?;
        let (jobs, inbox) = mpsc::channel();
        let thread = thread::Builder::new().name("liveavatar-store".to_owned());
        let thread = thread.spawn(move || run(opened, &inbox)).map_err(StoreError::unavailable)?;
        let clock = Arc::new(SystemClock::new());
        Ok(Self { folder, owner, clock, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Replaces the system clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Folder, SystemTime) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let now = self.clock.wall_clock();
        let (sender, result) = oneshot::channel();
        let job: Job = Box::new(move |folder| {
            let done = folder.restore(now).and_then(|()| job(folder, now));
            Box::new(move |synced| {
                let copied = synced.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()));
                // Sending fails if the caller no longer waits.
                let _ = sender.send(done.and_then(|value| copied.map(|()| value)));
            })
        });
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        let ended = || StoreError::unavailable("the store's thread has ended");
        if !matches!(sent, Some(Ok(()))) {
            return Err(ended());
        }
        result.await.map_err(|_| ended())?.map_err(|error| in_folder(&self.folder, &error))
    }
}

/// Runs jobs until the store is dropped. All jobs that wait share one sync of the folder.
fn run(mut folder: Folder, inbox: &mpsc::Receiver<Job>) {
    while let Ok(first) = inbox.recv() {
        let jobs = std::iter::once(first).chain(inbox.try_iter());
        let replies: Vec<Reply> = jobs.map(|job| job(&mut folder)).collect();
        let synced = folder.sync();
        for reply in replies {
            reply(&synced);
        }
    }
}

impl Store for FileStore {
    fn acquire(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.run(move |folder, now| folder.acquire(account, session, until, now)))
    }

    fn hold(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.run(move |folder, now| folder.hold(account, session, until, now)))
    }

    fn renew(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.run(move |folder, now| folder.renew(account, session, now)))
    }

    fn release(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.run(move |folder, _| folder.release(account, session)))
    }

    fn claim_abandoned(&self, account: Account) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(self.run(move |folder, now| folder.claim_abandoned(account, now)))
    }

    fn held(&self, account: Account) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(self.run(move |folder, now| folder.held(account, now)))
    }
}

/// Completes pending calls; when this returns, the owner counts as dead.
impl Drop for FileStore {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, it has released its locks, too.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("folder", &self.folder)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

fn in_folder(folder: &Path, error: &io::Error) -> StoreError {
    StoreError::unavailable(io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}
