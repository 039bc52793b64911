//! A store in a local folder: a journal, and one locked file per living owner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::journal::{Change, Entry, Journal, JournalState, random_id};
use super::{BoxFuture, CLAIM, Store, StoreError, millis, unix_millis};
use crate::http::{Clock, SystemClock};

/// The file that is locked while the journal is read or written.
const LOCK_NAME: &str = "lock";

/// Name prefix of the file that an owner keeps locked while it lives; the owner's id follows.
const OWNER_PREFIX: &str = "owner-";

/// The owner of a session that runs without one; it counts as living.
const NO_OWNER: Uuid = Uuid::nil();

/// Time limit for locking the journal. A read takes microseconds and a write milliseconds, so a longer wait means that the holder hangs.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum pause between two attempts to lock the journal.
const MAX_LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Time for living owners to record their sessions again after the journal was lost: 1.5 keep-alive intervals.
const RECOVERY_TIME: Duration = Duration::from_secs(90);

/// A session store in a local folder, for one or several processes.
///
/// Records survive a process crash at any point and power loss. Each change is appended to a journal as one checksummed line and
/// is on disk before the call returns; concurrent calls share one write. The next writer truncates an interrupted line.
///
/// An owner lives as long as its `FileStore`. It holds an operating-system lock that is released when the process ends, even by
/// SIGKILL. From then on its sessions are [abandoned](Store::claim_abandoned).
///
/// The folder must be on a local disk, because network file systems do not lock reliably. Do not delete its files while processes
/// run. If that happens, living owners record their sessions again with the next keep-alive, and for 90 s only sessions known to be
/// abandoned are reaped. The files hold ids and times but no secrets. Slots are not counted.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("liveavatar-doc-{}", std::process::id()));
/// use liveavatar_api::store::{FileStore, Store as _};
///
/// let store = FileStore::open(&folder)?;
/// for session in store.claim_abandoned().await? {
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
    requests: Option<mpsc::Sender<StoreRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl FileStore {
    /// Opens a store in a folder, which is created if it does not exist.
    ///
    /// Blocks for a few milliseconds, and starts a thread for all later reads and writes.
    ///
    /// # Errors
    /// If the folder cannot be created, read or written, its file `sessions` is not a session journal, or its file system does
    /// not support locks.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        let owner = random_id();
        let clock = SystemClock::new();
        let opened = StoreThread::open(&folder, owner, unix_millis(clock.now()));
        let store = opened.map_err(|error| in_folder(&folder, &error))?;
        let (requests, inbox) = mpsc::channel();
        let thread = thread::Builder::new().name("liveavatar-store".to_owned());
        let thread = thread.spawn(move || store.run(&inbox)).map_err(StoreError::unavailable)?;
        Ok(Self { folder, owner, clock: Arc::new(clock), requests: Some(requests), thread: Some(thread) })
    }

    /// Replaces the system clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn send<T>(&self, call: impl FnOnce(Reply<T>) -> StoreCall) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let request = StoreRequest { now: unix_millis(self.clock.now()), call: call(reply) };
        let sent = self.requests.as_ref().map(|requests| requests.send(request));
        let ended = || StoreError::unavailable("the store's thread has ended");
        if !matches!(sent, Some(Ok(()))) {
            return Err(ended());
        }
        result.await.map_err(|_| ended())?.map_err(|error| in_folder(&self.folder, &error))
    }
}

impl Store for FileStore {
    fn acquire(&self, session: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        let until = unix_millis(until);
        Box::pin(self.send(move |reply| StoreCall::Acquire { session, until, reply }))
    }

    fn hold(&self, session: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        let until = unix_millis(until);
        Box::pin(self.send(move |reply| StoreCall::Hold { session, until, reply }))
    }

    fn renew(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.send(move |reply| StoreCall::Renew { session, reply }))
    }

    fn release(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.send(move |reply| StoreCall::Release { session, reply }))
    }

    fn claim_abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(self.send(|reply| StoreCall::ClaimAbandoned { reply }))
    }

    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(self.send(|reply| StoreCall::Held { reply }))
    }
}

/// Completes pending calls; when this returns, the owner counts as dead.
impl Drop for FileStore {
    fn drop(&mut self) {
        drop(self.requests.take());
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

type Reply<T> = oneshot::Sender<io::Result<T>>;

/// A request to the store's thread.
struct StoreRequest {
    /// In milliseconds since 1970.
    now: u64,
    call: StoreCall,
}

enum StoreCall {
    Acquire { session: Uuid, until: u64, reply: Reply<()> },
    Hold { session: Uuid, until: u64, reply: Reply<()> },
    Renew { session: Uuid, reply: Reply<()> },
    Release { session: Uuid, reply: Reply<()> },
    ClaimAbandoned { reply: Reply<Vec<Uuid>> },
    Held { reply: Reply<BTreeSet<Uuid>> },
}

impl StoreCall {
    fn fail(self, error: io::Error) {
        // Sending fails if the caller no longer waits.
        match self {
            Self::Acquire { reply, .. }
            | Self::Hold { reply, .. }
            | Self::Renew { reply, .. }
            | Self::Release { reply, .. } => drop(reply.send(Err(error))),
            Self::ClaimAbandoned { reply } => drop(reply.send(Err(error))),
            Self::Held { reply } => drop(reply.send(Err(error))),
        }
    }
}

/// The state of the store's thread. It reads and writes only while it holds the journal's lock.
struct StoreThread {
    folder: PathBuf,
    owner: Uuid,
    /// Locked as long as the store lives.
    owner_file: File,
    journal: Journal,
    /// The sessions that this owner acquired and did not release, with the latest time of their end.
    own: BTreeMap<Uuid, u64>,
}

impl StoreThread {
    fn open(folder: &Path, owner: Uuid, now: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let _lock = lock(folder)?;
        let mut store = Self {
            folder: folder.to_path_buf(),
            owner,
            owner_file: new_owner_file(folder, owner)?,
            journal: Journal::new(folder),
            own: BTreeMap::new(),
        };
        store.catch_up(now)?;
        store.remove_dead_owners();
        Ok(store)
    }

    fn run(mut self, inbox: &mpsc::Receiver<StoreRequest>) {
        while let Ok(first) = inbox.recv() {
            let requests: Vec<StoreRequest> = std::iter::once(first).chain(inbox.try_iter()).collect();
            self.execute(requests);
        }
        // An owner without sessions removes its file. If that fails, the next owner does so.
        if let Ok(_lock) = lock(&self.folder)
            && self.journal.catch_up().is_ok()
            && !self.journal.entries().values().any(|entry| entry.owner == self.owner)
        {
            let _ = fs::remove_file(owner_path(&self.folder, self.owner));
        }
    }

    /// Executes all requests with one read of the journal and, if anything changes, one write.
    fn execute(&mut self, requests: Vec<StoreRequest>) {
        let Some(now) = requests.iter().map(|request| request.now).max() else { return };
        let prepared = lock(&self.folder).and_then(|lock| {
            self.restore_owner_file()?;
            self.catch_up(now)?;
            Ok(lock)
        });
        let _lock = match prepared {
            Ok(lock) => lock,
            Err(error) => return requests.into_iter().for_each(|request| request.call.fail(copy(&error))),
        };
        let mut batch = Batch::default();
        for request in requests {
            batch.add(self, request);
        }
        if let Err(error) = self.write(&batch.changes, now) {
            return batch.replies.into_iter().for_each(|reply| reply(Some(copy(&error))));
        }
        for (session, until) in batch.own {
            match until {
                Some(until) => drop(self.own.insert(session, until)),
                None => drop(self.own.remove(&session)),
            }
        }
        batch.replies.into_iter().for_each(|reply| reply(None));
    }

    fn write(&mut self, changes: &[Change], now: u64) -> io::Result<()> {
        if !changes.is_empty() {
            self.journal.append(changes)?;
        }
        if self.journal.is_long() {
            let sure_from = self.journal.sure_from();
            self.journal.rewrite(now, sure_from)?;
        }
        Ok(())
    }

    /// Reads what other processes have written, and rewrites the journal if entries were lost.
    fn catch_up(&mut self, now: u64) -> io::Result<()> {
        if self.journal.catch_up()? == JournalState::Damaged {
            // Without other living owners, no one else's entries can be missing.
            let others = owners(&self.folder)?.into_iter().any(|owner| self.is_living_other(owner));
            let sure_from = if others { now + millis(RECOVERY_TIME) } else { 0 };
            self.journal.rewrite(now, sure_from)?;
        }
        Ok(())
    }

    /// Recreates the owner's file if it was deleted, because without it this process counts as dead.
    fn restore_owner_file(&mut self) -> io::Result<()> {
        if !owner_path(&self.folder, self.owner).try_exists()? {
            self.owner_file = new_owner_file(&self.folder, self.owner)?;
        }
        Ok(())
    }

    fn is_living_other(&self, owner: Uuid) -> bool {
        owner != self.owner && lives(&self.folder, owner)
    }

    /// Removes the files of dead owners without an entry in the journal.
    fn remove_dead_owners(&self) {
        let recorded: BTreeSet<Uuid> = self.journal.entries().values().map(|entry| entry.owner).collect();
        for owner in owners(&self.folder).unwrap_or_default() {
            if owner != self.owner && !recorded.contains(&owner) && !lives(&self.folder, owner) {
                let _ = fs::remove_file(owner_path(&self.folder, owner));
            }
        }
    }
}

/// The changes and replies of requests that share one write.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    /// Called with `None` once the changes are written, or with the error.
    replies: Vec<Box<dyn FnOnce(Option<io::Error>)>>,
    /// The new entries of the sessions that this batch changes; `None` removes one.
    changed: BTreeMap<Uuid, Option<Entry>>,
    /// The sessions that the owner acquires in this batch, or releases (`None`).
    own: BTreeMap<Uuid, Option<u64>>,
    /// Whether each owner lives, checked once per batch.
    living: BTreeMap<Uuid, bool>,
}

impl Batch {
    fn add(&mut self, store: &StoreThread, StoreRequest { now, call }: StoreRequest) {
        match call {
            StoreCall::Acquire { session, until, reply } => {
                self.own.insert(session, Some(until));
                self.record(store, session, until);
                self.reply(reply, Ok(()));
            }
            StoreCall::Hold { session, until, reply } => {
                let entry = Entry { owner: NO_OWNER, until, claimed: None };
                if self.entry(store, session) != Some(entry) {
                    self.change(session, Some(entry));
                }
                self.reply(reply, Ok(()));
            }
            StoreCall::Renew { session, reply } => {
                let changed = self.own.get(&session).copied();
                if let Some(until) = changed.unwrap_or_else(|| store.own.get(&session).copied()) {
                    self.record(store, session, until);
                }
                self.reply(reply, Ok(()));
            }
            StoreCall::Release { session, reply } => {
                self.own.insert(session, None);
                if self.entry(store, session).is_some() {
                    self.change(session, None);
                }
                self.reply(reply, Ok(()));
            }
            StoreCall::ClaimAbandoned { reply } => {
                let found: Vec<(Uuid, Entry)> = self
                    .running(store, now)
                    .into_iter()
                    .filter(|(_, entry)| match entry.claimed {
                        // A claim in the future comes from a clock that was set back, and must not last forever.
                        Some(at) if at > now || now - at >= millis(CLAIM) => true,
                        _ => !self.lives(store, entry.owner),
                    })
                    .collect();
                for (session, Entry { until, .. }) in &found {
                    let claim = Entry { owner: store.owner, until: *until, claimed: Some(now) };
                    self.change(*session, Some(claim));
                }
                self.reply(reply, Ok(found.into_iter().map(|(session, _)| session).collect()));
            }
            StoreCall::Held { reply } => {
                let held = if now < store.journal.sure_from() {
                    Err(io::Error::other(
                        "the journal was lost, and its living owners may not have recorded their sessions again yet",
                    ))
                } else {
                    let held = self.running(store, now).into_iter();
                    Ok(held
                        .filter(|(_, entry)| entry.claimed.is_none() && self.lives(store, entry.owner))
                        .map(|(session, _)| session)
                        .collect())
                };
                self.reply(reply, held);
            }
        }
    }

    fn reply<T: 'static>(&mut self, reply: Reply<T>, result: io::Result<T>) {
        self.replies.push(Box::new(move |failed| {
            // Sending fails if the caller no longer waits.
            let _ = reply.send(failed.map_or(result, Err));
        }));
    }

    /// Records a session of this owner, unless the journal has the same entry.
    fn record(&mut self, store: &StoreThread, session: Uuid, until: u64) {
        let entry = Entry { owner: store.owner, until, claimed: None };
        if self.entry(store, session) != Some(entry) {
            self.change(session, Some(entry));
        }
    }

    fn change(&mut self, session: Uuid, entry: Option<Entry>) {
        self.changed.insert(session, entry);
        self.changes.push(entry.map_or(Change::Forget(session), |entry| Change::Note(session, entry)));
    }

    fn entry(&self, store: &StoreThread, session: Uuid) -> Option<Entry> {
        let changed = self.changed.get(&session).copied();
        changed.unwrap_or_else(|| store.journal.entries().get(&session).copied())
    }

    /// The recorded sessions that can still run.
    fn running(&self, store: &StoreThread, now: u64) -> Vec<(Uuid, Entry)> {
        let new = self.changed.keys().filter(|session| !store.journal.entries().contains_key(*session));
        let all = store.journal.entries().keys().chain(new);
        let entries = all.filter_map(|session| Some((*session, self.entry(store, *session)?)));
        entries.filter(|(_, entry)| entry.until > now).collect()
    }

    fn lives(&mut self, store: &StoreThread, owner: Uuid) -> bool {
        let living = || owner == store.owner || owner == NO_OWNER || lives(&store.folder, owner);
        *self.living.entry(owner).or_insert_with(living)
    }
}

fn owner_path(folder: &Path, owner: Uuid) -> PathBuf {
    folder.join(format!("{OWNER_PREFIX}{}", owner.simple()))
}

/// Call this only under the journal's lock; otherwise another process may find the file before it is locked.
fn new_owner_file(folder: &Path, owner: Uuid) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(owner_path(folder, owner))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::Error(error) => error,
        TryLockError::WouldBlock => io::Error::other("another process uses the same owner id"),
    })?;
    Ok(file)
}

fn owners(folder: &Path) -> io::Result<Vec<Uuid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(OWNER_PREFIX));
        found.extend(id.and_then(|id| Uuid::try_parse(id).ok()));
    }
    Ok(found)
}

/// Whether an owner lives; assumed if its file cannot be opened.
fn lives(folder: &Path, owner: Uuid) -> bool {
    match OpenOptions::new().write(true).open(owner_path(folder, owner)) {
        // Dropping the file releases the lock.
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Locks the journal until the returned file is dropped.
fn lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK_NAME);
    let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            open()?
        }
        opened => opened?,
    };
    let since = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if since.elapsed() < LOCK_TIMEOUT => thread::sleep(pause),
            Err(TryLockError::WouldBlock) => {
                let text = format!("another process has held the lock for {} s", LOCK_TIMEOUT.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        pause = (pause * 2).min(MAX_LOCK_PAUSE);
    }
}

/// Copies an error, for several callers of one write.
fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}
