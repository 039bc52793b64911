//! The folder of a [`FileStore`](super::FileStore): one file per session, and one locked file per living owner.
//!
//! ```text
//! owner-OWNER                            locked while the owner lives
//! lost                                   when an owner last noticed that its files were deleted
//! ACCOUNT/SESSION.held.OWNER             a session that its owner acquired
//! ACCOUNT/SESSION.held.NIL               a session that runs without an owner
//! ACCOUNT/SESSION.claimed.OWNER.MILLIS   a session that a reaper claimed, and when
//! ```
//!
//! A record's name says everything that decides about its session. A rename changes it at once, so that it is never half-written
//! and only one of several reapers can claim it. The content is for people, except for `until`: if the power fails, it may be
//! lost, and then the session counts as running. Names that start with a dot belong to writes in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat};
use uuid::Uuid;

use super::{Account, CLAIM, millis, unix_millis};

const OWNER_PREFIX: &str = "owner-";
const NEW_PREFIX: &str = ".new-";
const LOST: &str = "lost";

/// The owner of a session that runs without one; it counts as living.
const NO_OWNER: Uuid = Uuid::nil();

/// How wrong a clock may be before an abandoned session is forgotten too early; covers local time that is taken for UTC (14 h).
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 60 * 60);

/// Time for living owners to record their sessions again after files were deleted: more than the longest keep-alive interval, 180 s.
const SURE_AFTER: Duration = Duration::from_secs(200);

/// What the name of a session's file says.
#[derive(Clone, Copy)]
struct Record {
    session: Uuid,
    owner: Uuid,
    /// When the owner claimed the session from a dead one, in milliseconds since 1970.
    claimed: Option<u64>,
}

impl Record {
    fn name(self) -> String {
        let Self { session, owner, claimed } = self;
        match claimed {
            None => format!("{session}.held.{owner}"),
            Some(at) => format!("{session}.claimed.{owner}.{at}"),
        }
    }

    fn read(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let session = Uuid::try_parse(parts.next()?).ok()?;
        let kind = parts.next()?;
        let owner = Uuid::try_parse(parts.next()?).ok()?;
        let claimed = match kind {
            "held" => None,
            "claimed" => Some(parts.next()?.parse().ok()?),
            _ => return None,
        };
        parts.next().is_none().then_some(Self { session, owner, claimed })
    }
}

/// The folder as one owner sees and changes it.
pub(super) struct Folder {
    path: PathBuf,
    owner: Uuid,
    /// Locked as long as the owner lives.
    owner_file: File,
    /// The sessions that this owner acquired and did not release, with the latest time of their end.
    own: BTreeMap<(Account, Uuid), SystemTime>,
    /// The folders with new files that may not survive a power failure yet.
    unsynced: BTreeSet<PathBuf>,
}

impl Folder {
    pub(super) fn open(path: &Path, owner: Uuid) -> io::Result<Self> {
        create_private_folder(path)?;
        let owner_file = new_owner_file(path, owner)?;
        let (own, unsynced) = Default::default();
        // Dropping it after an error removes the owner's file.
        let folder = Self { path: path.to_path_buf(), owner, owner_file, own, unsynced };
        #[cfg(unix)]
        make_private(path, &folder.owner_file)?;
        folder.remove_leftovers()?;
        Ok(folder)
    }

    /// Recreates the owner's file if someone deleted it, because without it this process counts as dead.
    pub(super) fn restore(&mut self, now: SystemTime) -> io::Result<()> {
        if owner_path(&self.path, self.owner).try_exists()? {
            return Ok(());
        }
        create_private_folder(&self.path)?;
        self.owner_file = new_owner_file(&self.path, self.owner)?;
        self.write(&self.path.clone(), LOST, &unix_millis(now).to_string())
    }

    /// Makes new files durable: once per folder, because this takes milliseconds.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let folders = std::mem::take(&mut self.unsynced);
        // Other systems do not open folders; their file systems make a rename durable.
        if cfg!(unix) { folders.iter().try_for_each(|folder| File::open(folder)?.sync_all()) } else { Ok(()) }
    }

    pub(super) fn acquire(
        &mut self,
        account: Account,
        session: Uuid,
        until: SystemTime,
        now: SystemTime,
    ) -> io::Result<()> {
        self.own.insert((account, session), until);
        self.record(account, session, self.owner, until, now)
    }

    /// Records a session that no owner renews.
    pub(super) fn hold(
        &mut self,
        account: Account,
        session: Uuid,
        until: SystemTime,
        now: SystemTime,
    ) -> io::Result<()> {
        self.record(account, session, NO_OWNER, until, now)
    }

    pub(super) fn renew(&mut self, account: Account, session: Uuid, now: SystemTime) -> io::Result<()> {
        let Some(until) = self.own.get(&(account, session)).copied() else { return Ok(()) };
        // Programs that tidy up temporary folders delete files with an old modification time. If this fails, `restore` helps.
        let _ = self.owner_file.set_modified(SystemTime::now());
        if self.own_path(account, session).try_exists()? {
            return Ok(());
        }
        self.record(account, session, self.owner, until, now)
    }

    /// Removes the session's records. This need not be durable: a record that returns leads to one needless stop.
    pub(super) fn release(&mut self, account: Account, session: Uuid) -> io::Result<()> {
        self.own.remove(&(account, session));
        if remove(&self.own_path(account, session))? {
            return Ok(());
        }
        let records = self.records(account)?.into_iter().filter(|record| record.session == session);
        records.map(|record| self.record_path(account, record)).try_for_each(|path| remove(&path).map(drop))
    }

    pub(super) fn claim_abandoned(&self, account: Account, now: SystemTime) -> io::Result<Vec<Uuid>> {
        self.check_complete(now)?;
        let records = self.current_records(account, now)?;
        let living = self.living(&records);
        let held = held(&records, &living);
        let mut claimed = BTreeSet::new();
        for record in records.into_iter().filter(|record| !held.contains(&record.session)) {
            // A claim in the future comes from a clock that was set back, and must not last forever.
            let is_claimed = record
                .claimed
                .is_some_and(|at| unix_millis(now).checked_sub(at).is_some_and(|age| age < millis(CLAIM)));
            if is_claimed && living.contains(&record.owner) {
                continue;
            }
            let path = self.record_path(account, record);
            if is_over(&path, now, CLOCK_SKEW)? {
                remove(&path)?;
                continue;
            }
            let claim = Record { owner: self.owner, claimed: Some(unix_millis(now)), ..record };
            match fs::rename(&path, self.record_path(account, claim)) {
                Ok(()) => drop(claimed.insert(record.session)),
                // Another reaper was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(claimed.into_iter().collect())
    }

    pub(super) fn held(&self, account: Account, now: SystemTime) -> io::Result<BTreeSet<Uuid>> {
        self.check_complete(now)?;
        let records = self.current_records(account, now)?;
        Ok(held(&records, &self.living(&records)))
    }

    fn record(
        &mut self,
        account: Account,
        session: Uuid,
        owner: Uuid,
        until: SystemTime,
        now: SystemTime,
    ) -> io::Result<()> {
        let (recorded, until) = (time_text(now), time_text(until));
        let text = format!(
            "session: {session}\naccount: {account}\nowner: {owner}\nrecorded: {recorded}\nuntil: {until}\n"
        );
        let folder = self.path.join(account.to_string());
        if !folder.try_exists()? {
            create_private_folder(&folder)?;
            self.unsynced.insert(self.path.clone());
        }
        self.write(&folder, &Record { session, owner, claimed: None }.name(), &text)
    }

    /// Writes a file that appears under its name only when it is complete.
    fn write(&mut self, folder: &Path, name: &str, text: &str) -> io::Result<()> {
        let new = folder.join(format!("{NEW_PREFIX}{}", self.owner));
        let mut file = private(OpenOptions::new().create(true).truncate(true).write(true)).open(&new)?;
        file.write_all(text.as_bytes())?;
        drop(file);
        fs::rename(new, folder.join(name))?;
        self.unsynced.insert(folder.to_path_buf());
        Ok(())
    }

    /// Returns an error while living owners may not have recorded their sessions again.
    fn check_complete(&self, now: SystemTime) -> io::Result<()> {
        let lost = match fs::read_to_string(self.path.join(LOST)) {
            // Only a power failure loses the content, and then no owner lives.
            Ok(text) => text.parse().unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let left = millis(SURE_AFTER).saturating_sub(unix_millis(now).abs_diff(lost));
        if left == 0 {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "files were deleted while processes used them, and their owners have {} s left to record their sessions again",
            left.div_ceil(1000)
        )))
    }

    fn records(&self, account: Account) -> io::Result<Vec<Record>> {
        let names = match names(&self.path.join(account.to_string())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names?,
        };
        let names = names.iter().filter(|name| !name.starts_with('.'));
        names.map(|name| Record::read(name).ok_or_else(|| foreign(&format!("{account}/{name}")))).collect()
    }

    /// All records but those without an owner whose time has passed, which are removed.
    fn current_records(&self, account: Account, now: SystemTime) -> io::Result<Vec<Record>> {
        let mut current = Vec::new();
        for record in self.records(account)? {
            let path = self.record_path(account, record);
            if record.owner == NO_OWNER && is_over(&path, now, Duration::ZERO)? {
                remove(&path)?;
            } else {
                current.push(record);
            }
        }
        Ok(current)
    }

    /// The owners of these records that live.
    fn living(&self, records: &[Record]) -> BTreeSet<Uuid> {
        let mut owners: BTreeSet<Uuid> = records.iter().map(|record| record.owner).collect();
        owners.retain(|owner| self.lives(*owner));
        owners
    }

    /// Whether an owner lives; assumed if its file cannot be opened.
    fn lives(&self, owner: Uuid) -> bool {
        owner == self.owner
            || owner == NO_OWNER
            || match File::open(owner_path(&self.path, owner)) {
                // A shared lock, so that two processes that check do not take each other for the owner.
                Ok(file) => file.try_lock_shared().is_err(),
                Err(error) => error.kind() != io::ErrorKind::NotFound,
            }
    }

    /// Removes what dead owners left, except for their records.
    fn remove_leftovers(&self) -> io::Result<()> {
        for name in names(&self.path)? {
            let path = self.path.join(&name);
            let owner = name.strip_prefix(OWNER_PREFIX).and_then(|id| Uuid::try_parse(id).ok());
            if let Some(owner) = owner {
                if !self.lives(owner) {
                    remove(&path)?;
                }
            } else if Account::is_fingerprint(&name) {
                names(&path)?.iter().try_for_each(|name| self.remove_unfinished(&path, name))?;
            } else if name.starts_with('.') {
                self.remove_unfinished(&self.path, &name)?;
            } else if name != LOST {
                return Err(foreign(&name));
            }
        }
        Ok(())
    }

    fn remove_unfinished(&self, folder: &Path, name: &str) -> io::Result<()> {
        let owner = name.strip_prefix(NEW_PREFIX).and_then(|id| Uuid::try_parse(id).ok());
        if owner.is_some_and(|owner| !self.lives(owner)) {
            remove(&folder.join(name))?;
        }
        Ok(())
    }

    fn own_path(&self, account: Account, session: Uuid) -> PathBuf {
        self.record_path(account, Record { session, owner: self.owner, claimed: None })
    }

    fn record_path(&self, account: Account, record: Record) -> PathBuf {
        self.path.join(account.to_string()).join(record.name())
    }
}

/// Lets the owner count as dead.
impl Drop for Folder {
    fn drop(&mut self) {
        // If this fails, the next owner removes the file.
        let _ = remove(&owner_path(&self.path, self.owner));
    }
}

/// The sessions of living owners. Only a dead owner's session can be claimed, so a claim does not count.
fn held(records: &[Record], living: &BTreeSet<Uuid>) -> BTreeSet<Uuid> {
    let held = records.iter().filter(|record| record.claimed.is_none() && living.contains(&record.owner));
    held.map(|record| record.session).collect()
}

/// Whether a session can no longer run, according to its file. If the file cannot be read, the session may run.
fn is_over(path: &Path, now: SystemTime, skew: Duration) -> io::Result<bool> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        // Another reaper was faster; its claim decides.
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let until = text.lines().find_map(|line| line.strip_prefix("until: "));
    let until = until.and_then(|until| DateTime::parse_from_rfc3339(until).ok()).map(SystemTime::from);
    Ok(until.and_then(|until| until.checked_add(skew)).is_some_and(|end| end <= now))
}

/// A time such as `2026-01-01T00:00:00.000Z`.
fn time_text(time: SystemTime) -> String {
    let time = i64::try_from(unix_millis(time)).ok().and_then(DateTime::from_timestamp_millis);
    time.map_or_else(|| "unknown".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn owner_path(folder: &Path, owner: Uuid) -> PathBuf {
    folder.join(format!("{OWNER_PREFIX}{owner}"))
}

fn new_owner_file(folder: &Path, owner: Uuid) -> io::Result<File> {
    let path = owner_path(folder, owner);
    loop {
        let mut file = private(OpenOptions::new().create(true).truncate(true).write(true)).open(&path)?;
        // Waits only for a process that checks whether this owner lives.
        file.lock()?;
        // That process may have removed the file.
        if path.try_exists()? {
            writeln!(file, "process: {}", std::process::id())?;
            return Ok(file);
        }
    }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Removes a file; returns whether it existed.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

fn foreign(name: &str) -> io::Error {
    let message = format!(
        "the file `{name}` does not belong to this version of the store; move it elsewhere, or use a new folder"
    );
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Sets the permissions of a file that these options create.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Removes the other users' access to a folder of this user, whose id is that of `own_file`.
#[cfg(unix)]
fn make_private(folder: &Path, own_file: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let found = fs::metadata(folder)?;
    let denied = |message| Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    if found.uid() != own_file.metadata()?.uid() {
        return denied("the folder belongs to another user; use a new folder, for example one inside it");
    }
    if found.mode() & 0o002 != 0 {
        return denied(
            "every user can write to the folder; use a new folder, or check its files and run `chmod 700` on it",
        );
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
