//! The journal file of a [`FileStore`](super::FileStore), without locking and threads.
//!
//! Each line is `CHECKSUM PAYLOAD\n`. The first line is the header; each following line changes the entry of one session. A
//! line is valid only if it is complete and its checksum matches, so that an interrupted write leaves earlier lines intact.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The journal's file name.
const NAME: &str = "sessions";

/// A new journal is written to this file, which then replaces the journal.
const NEW_NAME: &str = "sessions.new";

const VERSION: &str = "1";

/// A shorter journal is not worth rewriting.
const COMPACT_FROM_LINES: usize = 1_000;

/// The journal is rewritten when it has this many lines per entry.
const COMPACT_FACTOR: usize = 4;

/// The record of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The store that acquired or claimed the session.
    pub(super) owner: Uuid,
    /// The latest time at which the session can still run, in milliseconds since 1970.
    pub(super) until: u64,
    /// When the owner claimed it from a dead one, in milliseconds since 1970.
    pub(super) claimed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Note(Uuid, Entry),
    Forget(Uuid),
}

/// Maximum length of the header in bytes. A longer file without a valid line is not a journal.
const MAX_HEADER_LENGTH: usize = 128;

/// Identifies a journal; rewriting it creates a new generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    generation: Uuid,
    /// From this time on, the journal lists the sessions of every living owner. Not 0 only if an earlier journal was lost.
    sure_from: u64,
}

/// The journal's content, up to the last line read.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    new_path: PathBuf,
    folder: PathBuf,
    header: Option<Header>,
    entries: BTreeMap<Uuid, Entry>,
    /// The end of the last valid line; anything after it is an interrupted write.
    end: u64,
    lines: usize,
}

impl Journal {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(NAME),
            new_path: folder.join(NEW_NAME),
            folder: folder.to_path_buf(),
            header: None,
            entries: BTreeMap::new(),
            end: 0,
            lines: 0,
        }
    }

    pub(super) fn entries(&self) -> &BTreeMap<Uuid, Entry> {
        &self.entries
    }

    pub(super) fn sure_from(&self) -> u64 {
        self.header.map_or(u64::MAX, |header| header.sure_from)
    }

    /// Reads what other processes have written.
    pub(super) fn catch_up(&mut self) -> io::Result<JournalState> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.forget();
                return Ok(JournalState::Damaged);
            }
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if let Some(header) = self.header.filter(|_| length >= self.end) {
            let known = header.line();
            let mut first = vec![0; known.len()];
            let same = file.read_exact(&mut first).is_ok() && first == known.as_bytes();
            if same {
                file.seek(SeekFrom::Start(self.end))?;
                let mut news = Vec::new();
                file.read_to_end(&mut news)?;
                return self.read(&news);
            }
        }
        self.forget();
        file.seek(SeekFrom::Start(0))?;
        let mut all = Vec::new();
        file.read_to_end(&mut all)?;
        self.read(&all)
    }

    fn forget(&mut self) {
        self.header = None;
        self.entries.clear();
        self.end = 0;
        self.lines = 0;
    }

    fn read(&mut self, bytes: &[u8]) -> io::Result<JournalState> {
        let mut at = 0;
        let mut broken = false;
        let mut damaged = false;
        while let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') {
            let line = &bytes[at..at + length];
            at += length + 1;
            let Some(payload) = checked(line) else {
                broken = true;
                continue;
            };
            // A broken line before a valid one is not an interrupted write: an entry was lost.
            damaged |= broken;
            match (self.header, Header::read(payload), Change::read(payload)) {
                (None, Some(header), _) => self.header = Some(header),
                (_, None, Some(change)) => self.apply(change),
                // Do not discard the data of a later version.
                _ => return Err(foreign("was written by another version of this crate")),
            }
            self.lines += 1;
            if !broken {
                self.end += length as u64 + 1;
            }
        }
        if self.lines == 0 && bytes.len() > MAX_HEADER_LENGTH {
            return Err(foreign("is not a session journal; use a separate folder for the store"));
        }
        Ok(if damaged || self.header.is_none() { JournalState::Damaged } else { JournalState::Whole })
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Note(session, entry) => drop(self.entries.insert(session, entry)),
            Change::Forget(session) => drop(self.entries.remove(&session)),
        }
    }

    /// Appends the changes durably; truncates an interrupted write first.
    pub(super) fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        let text: String = changes.iter().map(Change::line).collect();
        let written = OpenOptions::new().write(true).open(&self.path).and_then(|mut file| {
            if file.metadata()?.len() > self.end {
                file.set_len(self.end)?;
            }
            file.seek(SeekFrom::Start(self.end))?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        });
        if let Err(error) = written {
            // It is unknown which lines were written, so read the whole file next time.
            self.forget();
            return Err(error);
        }
        self.end += text.len() as u64;
        self.lines += changes.len();
        for change in changes {
            self.apply(*change);
        }
        Ok(())
    }

    /// Whether most lines are obsolete.
    pub(super) fn is_long(&self) -> bool {
        self.lines > COMPACT_FROM_LINES && self.lines > COMPACT_FACTOR * self.entries.len()
    }

    /// Replaces the journal atomically and durably with one that holds only the current entries.
    pub(super) fn rewrite(&mut self, now: u64, sure_from: u64) -> io::Result<()> {
        self.entries.retain(|_, entry| entry.until > now);
        let header = Header { generation: random_id(), sure_from };
        let notes = self.entries.iter().map(|(session, entry)| Change::Note(*session, *entry).line());
        let text: String = std::iter::once(header.line()).chain(notes).collect();
        let mut file = File::create(&self.new_path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&self.new_path, &self.path)?;
        // Syncing the folder makes the rename durable. Where a folder cannot be opened, the file system does so itself.
        if let Ok(folder) = File::open(&self.folder) {
            folder.sync_all()?;
        }
        self.header = Some(header);
        self.end = text.len() as u64;
        self.lines = self.entries.len() + 1;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JournalState {
    Whole,
    /// It is new, was deleted, or has lost entries; see [`rewrite`](Journal::rewrite).
    Damaged,
}

/// A random id, not suitable as a secret.
pub(super) fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

fn line_of(payload: &str) -> String {
    let mut line = String::with_capacity(payload.len() + 10);
    // Writing to a string cannot fail.
    let _ = writeln!(line, "{:08x} {payload}", crc32fast::hash(payload.as_bytes()));
    line
}

/// The payload of a line, if its checksum matches.
fn checked(line: &[u8]) -> Option<&str> {
    let (sum, payload) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let matches = sum.len() == 8 && u32::from_str_radix(sum, 16).ok()? == crc32fast::hash(payload.as_bytes());
    matches.then_some(payload)
}

impl Header {
    fn line(self) -> String {
        line_of(&format!("journal {VERSION} {} {}", self.generation.simple(), self.sure_from))
    }

    fn read(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        if words.next()? != "journal" || words.next()? != VERSION {
            return None;
        }
        let header = Self { generation: id(words.next()?)?, sure_from: words.next()?.parse().ok()? };
        words.next().is_none().then_some(header)
    }
}

impl Change {
    fn line(&self) -> String {
        match self {
            Self::Note(session, Entry { owner, until, claimed }) => {
                let (session, owner) = (session.simple(), owner.simple());
                match claimed {
                    None => line_of(&format!("take {session} {owner} {until}")),
                    Some(at) => line_of(&format!("claim {session} {owner} {until} {at}")),
                }
            }
            Self::Forget(session) => line_of(&format!("done {}", session.simple())),
        }
    }

    fn read(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        let kind = words.next()?;
        let session = id(words.next()?)?;
        let change = match kind {
            "done" => Self::Forget(session),
            "take" | "claim" => {
                let owner = id(words.next()?)?;
                let until = words.next()?.parse().ok()?;
                let claimed = if kind == "claim" { Some(words.next()?.parse().ok()?) } else { None };
                Self::Note(session, Entry { owner, until, claimed })
            }
            _ => return None,
        };
        words.next().is_none().then_some(change)
    }
}

fn foreign(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the file `{NAME}` in the store's folder {why}"))
}

fn id(word: &str) -> Option<Uuid> {
    Uuid::try_parse(word).ok()
}
