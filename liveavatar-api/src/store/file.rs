//! A store in a folder of this machine: a journal, and one locked file per living owner.

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

use super::journal::{Change, Entry, Journal, Read, random_id};
use super::{BoxFuture, CLAIM, Store, StoreError, millis, milliseconds};
use crate::http::{Clock, SystemClock};

/// Locked while the journal is read or written.
const LOCK_NAME: &str = "lock";

/// The file that an owner keeps locked while it lives, followed by the owner's id.
const OWNER_PREFIX: &str = "owner-";

/// Somebody who holds the lock of the journal for longer is stopped or hangs; one look takes microseconds, one write milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// The pause between two tries for the lock, at most.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// How long living owners have to note their sessions again when the journal was lost: a beat and a half.
const SURE_AFTER: Duration = Duration::from_secs(90);

/// Running sessions in a folder of this machine, for one process or several.
///
/// What is noted survives a crash of the process at any point, and the loss of power. Every change is one checksummed line
/// at the end of a journal and is on the disk before the call returns; calls that come at the same time share one write.
/// A line that was not written to its end is cut off by the next writer.
///
/// An owner lives as long as its `FileStore`: it holds an operating system's lock that is released with the process, even by
/// SIGKILL. The sessions of an owner that is gone are [abandoned](Store::abandoned) from that moment.
///
/// The folder has to be on a local disk, because network file systems do not keep locks reliably. Do not delete files in
/// it while processes run; if it happens, living owners note their sessions again with the next beat, and nothing but what is
/// certainly abandoned is reaped for 90 s. The files hold ids and times, no secrets. Slots are not counted.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("liveavatar-doc-{}", std::process::id()));
/// use liveavatar_api::store::{FileStore, Store as _};
///
/// let store = FileStore::open(&folder)?;
/// for left_by_a_crash in store.claim_abandoned().await? {
///     println!("{left_by_a_crash} has to be stopped"); // as `Client::reap` does
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
    /// None once it is being dropped.
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl FileStore {
    /// Opens the store in a folder, which is made if it does not exist.
    ///
    /// Blocks for some milliseconds, and starts a thread that does the reading and writing from then on.
    ///
    /// # Errors
    /// When the folder cannot be made, read or written, holds something else, or its file system has no locks.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        let owner = random_id();
        let clock = SystemClock::new();
        let opened = StoreThread::open(&folder, owner, milliseconds(clock.now()));
        let store = opened.map_err(|error| in_folder(&folder, &error))?;
        let (orders, inbox) = mpsc::channel();
        let thread = thread::Builder::new().name("liveavatar-store".to_owned());
        let thread = thread.spawn(move || store.work(&inbox)).map_err(StoreError::unavailable)?;
        Ok(Self { folder, owner, clock: Arc::new(clock), orders: Some(orders), thread: Some(thread) })
    }

    /// Another clock, for tests that do not wait.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Task) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let now = milliseconds(self.clock.now());
        let sent = self.orders.as_ref().map(|orders| orders.send(Order { now, task: order(reply) }));
        let gone = || StoreError::unavailable("the store's thread has ended");
        if !matches!(sent, Some(Ok(()))) {
            return Err(gone());
        }
        answer.await.map_err(|_| gone())?.map_err(|error| in_folder(&self.folder, &error))
    }
}

impl Store for FileStore {
    fn acquire(&self, session: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        let until = milliseconds(until);
        Box::pin(self.ask(move |reply| Task::Take { session, until, reply }))
    }

    fn renew(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.ask(move |reply| Task::Renew { session, reply }))
    }

    fn release(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.ask(move |reply| Task::GiveBack { session, reply }))
    }

    fn claim_abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(self.ask(|reply| Task::Abandoned { reply }))
    }

    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        Box::pin(self.ask(|reply| Task::Held { reply }))
    }
}

/// Finishes what was asked for, and is gone for the other owners when this returns.
impl Drop for FileStore {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has released its locks as well.
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

/// What the thread is asked for.
struct Order {
    /// In milliseconds since 1970.
    now: u64,
    task: Task,
}

enum Task {
    Take { session: Uuid, until: u64, reply: Reply<()> },
    Renew { session: Uuid, reply: Reply<()> },
    GiveBack { session: Uuid, reply: Reply<()> },
    Abandoned { reply: Reply<Vec<Uuid>> },
    Held { reply: Reply<BTreeSet<Uuid>> },
}

impl Task {
    fn fail(self, error: io::Error) {
        // Who no longer waits needs no answer.
        match self {
            Self::Take { reply, .. } | Self::Renew { reply, .. } | Self::GiveBack { reply, .. } => {
                drop(reply.send(Err(error)));
            }
            Self::Abandoned { reply } => drop(reply.send(Err(error))),
            Self::Held { reply } => drop(reply.send(Err(error))),
        }
    }
}

/// The thread's side: reads and writes, always under the journal's lock.
struct StoreThread {
    folder: PathBuf,
    owner: Uuid,
    /// Locked from the beginning to the end.
    owner_file: File,
    journal: Journal,
    /// The sessions that were taken here and not given back, with the time at which they end at the latest.
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
        store.clear_away();
        Ok(store)
    }

    fn work(mut self, inbox: &mpsc::Receiver<Order>) {
        while let Ok(first) = inbox.recv() {
            let orders: Vec<Order> = std::iter::once(first).chain(inbox.try_iter()).collect();
            self.carry_out(orders);
        }
        // Whoever leaves nothing behind leaves no file either; what is left would be found by the next one all the same.
        if let Ok(_lock) = lock(&self.folder)
            && self.journal.catch_up().is_ok()
            && !self.journal.entries().values().any(|entry| entry.owner == self.owner)
        {
            let _ = fs::remove_file(owner_path(&self.folder, self.owner));
        }
    }

    /// Answers all orders with one look at the journal and, where something changes, one write.
    fn carry_out(&mut self, orders: Vec<Order>) {
        let Some(now) = orders.iter().map(|order| order.now).max() else { return };
        let prepared = lock(&self.folder).and_then(|lock| {
            self.show_life()?;
            self.catch_up(now)?;
            Ok(lock)
        });
        let _lock = match prepared {
            Ok(lock) => lock,
            Err(error) => return orders.into_iter().for_each(|order| order.task.fail(copy(&error))),
        };
        let mut batch = Batch::default();
        for order in orders {
            batch.add(self, order);
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

    /// Reads what others have written, and begins anew where something of it is gone.
    fn catch_up(&mut self, now: u64) -> io::Result<()> {
        if self.journal.catch_up()? == Read::Damaged {
            // Alone there is nobody whose sessions could be missing.
            let others = owners(&self.folder)?.into_iter().any(|owner| self.is_living_other(owner));
            let sure_from = if others { now + millis(SURE_AFTER) } else { 0 };
            self.journal.rewrite(now, sure_from)?;
        }
        Ok(())
    }

    /// Makes the owner's file again if somebody has deleted it, because without it this process counts as gone.
    fn show_life(&mut self) -> io::Result<()> {
        if !owner_path(&self.folder, self.owner).try_exists()? {
            self.owner_file = new_owner_file(&self.folder, self.owner)?;
        }
        Ok(())
    }

    fn is_living_other(&self, owner: Uuid) -> bool {
        owner != self.owner && lives(&self.folder, owner)
    }

    /// Removes the files of owners that are gone and have nothing left in the journal.
    fn clear_away(&self) {
        let noted: BTreeSet<Uuid> = self.journal.entries().values().map(|entry| entry.owner).collect();
        for owner in owners(&self.folder).unwrap_or_default() {
            if owner != self.owner && !noted.contains(&owner) && !lives(&self.folder, owner) {
                let _ = fs::remove_file(owner_path(&self.folder, owner));
            }
        }
    }
}

/// What one look at the journal leads to.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    /// Called when the changes are written, or with the reason why they are not.
    replies: Vec<Box<dyn FnOnce(Option<io::Error>)>>,
    /// What the journal will say of the sessions that have changed in this batch.
    changed: BTreeMap<Uuid, Option<Entry>>,
    /// What the owner will know of the sessions that it took or gave back in this batch.
    own: BTreeMap<Uuid, Option<u64>>,
    /// Whether an owner lives, asked once.
    living: BTreeMap<Uuid, bool>,
}

impl Batch {
    fn add(&mut self, store: &StoreThread, Order { now, task }: Order) {
        match task {
            Task::Take { session, until, reply } => {
                self.own.insert(session, Some(until));
                self.note(store, session, until);
                self.reply(reply, Ok(()));
            }
            Task::Renew { session, reply } => {
                let changed = self.own.get(&session).copied();
                if let Some(until) = changed.unwrap_or_else(|| store.own.get(&session).copied()) {
                    self.note(store, session, until);
                }
                self.reply(reply, Ok(()));
            }
            Task::GiveBack { session, reply } => {
                self.own.insert(session, None);
                if self.entry(store, session).is_some() {
                    self.change(session, None);
                }
                self.reply(reply, Ok(()));
            }
            Task::Abandoned { reply } => {
                let found: Vec<(Uuid, Entry)> = self
                    .running(store, now)
                    .into_iter()
                    .filter(|(_, entry)| match entry.claimed {
                        // A clock that was set back must not keep a claim for ever.
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
            Task::Held { reply } => {
                let held = if now < store.journal.sure_from() {
                    Err(io::Error::other(
                        "the journal was lost; its living owners have not all noted their sessions again yet",
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

    fn reply<T: 'static>(&mut self, reply: Reply<T>, answer: io::Result<T>) {
        self.replies.push(Box::new(move |failed| {
            // Who no longer waits needs no answer.
            let _ = reply.send(failed.map_or(answer, Err));
        }));
    }

    /// Notes a session of this owner, unless the journal says so already.
    fn note(&mut self, store: &StoreThread, session: Uuid, until: u64) {
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

    /// What is noted and can still run.
    fn running(&self, store: &StoreThread, now: u64) -> Vec<(Uuid, Entry)> {
        let new = self.changed.keys().filter(|session| !store.journal.entries().contains_key(*session));
        let all = store.journal.entries().keys().chain(new);
        let noted = all.filter_map(|session| Some((*session, self.entry(store, *session)?)));
        noted.filter(|(_, entry)| entry.until > now).collect()
    }

    fn lives(&mut self, store: &StoreThread, owner: Uuid) -> bool {
        let living = || owner == store.owner || lives(&store.folder, owner);
        *self.living.entry(owner).or_insert_with(living)
    }
}

fn owner_path(folder: &Path, owner: Uuid) -> PathBuf {
    folder.join(format!("{OWNER_PREFIX}{}", owner.simple()))
}

/// To be called under the journal's lock, or somebody could find the file before it is locked.
fn new_owner_file(folder: &Path, owner: Uuid) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(owner_path(folder, owner))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::Error(error) => error,
        TryLockError::WouldBlock => io::Error::other("another process has the id of this one"),
    })?;
    Ok(file)
}

/// All owners that have a file.
fn owners(folder: &Path) -> io::Result<Vec<Uuid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(OWNER_PREFIX));
        found.extend(id.and_then(|id| Uuid::try_parse(id).ok()));
    }
    Ok(found)
}

/// Whether an owner lives; one that cannot be asked does.
fn lives(folder: &Path, owner: Uuid) -> bool {
    match OpenOptions::new().write(true).open(owner_path(folder, owner)) {
        // The lock is released again with the file.
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// The journal's lock, until the file is dropped.
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
            Err(TryLockError::WouldBlock) if since.elapsed() < LOCK_LIMIT => thread::sleep(pause),
            Err(TryLockError::WouldBlock) => {
                let text = format!("another process has held the lock for {} s", LOCK_LIMIT.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        pause = (pause * 2).min(LOCK_PAUSE);
    }
}

/// One error for everybody who waited for the same write.
fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}
