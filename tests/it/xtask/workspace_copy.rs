//! A copy of the files that `cargo xtask regen` reads and writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use xtask::documents;
use xtask::error::TaskStatus;
use xtask::regen::{self, RegenMode, RegenOptions};
use xtask::source::DocumentSource;
use xtask::surface;

use super::{frozen, with_shell};

const DOCUMENTS: [&str; 5] =
    [documents::UPSTREAM, documents::OVERLAY, documents::LOWERED, documents::PACKAGED, documents::CORRECTED];

/// The frozen documents and what `regen` derives from them.
static FROZEN: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let copy = WorkspaceCopy(tempfile::tempdir().unwrap());
    for file in [documents::UPSTREAM, documents::OVERLAY] {
        copy.write(file, &std::fs::read_to_string(frozen().join(file)).unwrap());
    }
    let (status, output) = copy.run(None, RegenMode::Write);
    assert_eq!(status, TaskStatus::Success, "\n{output}");
    copy.texts()
});

/// A workspace in a temporary folder.
pub(super) struct WorkspaceCopy(tempfile::TempDir);

impl WorkspaceCopy {
    pub(super) fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        FROZEN.iter().for_each(|(file, text)| copy.write(file, text));
        copy
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(super) fn read(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap()
    }

    pub(super) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The documents and the generated files, by their paths.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let folder = std::fs::read_dir(self.path(documents::GENERATED)).unwrap();
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let generated = folder.map(|entry| format!("{}/{}", documents::GENERATED, name(entry)));
        let files = DOCUMENTS.map(str::to_owned).into_iter().chain(generated);
        files.map(|file| (file.clone(), self.text(&file))).collect()
    }

    /// The public items generated from the lowered document, one line each.
    pub(super) fn items(&self) -> BTreeSet<String> {
        let surface = surface::generated(&self.read(documents::LOWERED)).unwrap();
        surface.0.iter().map(|(item, kind)| format!("{item:?}: {kind}")).collect()
    }

    /// The frozen document with a change, as a source.
    pub(super) fn changed(&self, change: impl FnOnce(&mut Value)) -> DocumentSource {
        let mut document = self.read(documents::UPSTREAM);
        change(&mut document);
        self.source(&document)
    }

    pub(super) fn source(&self, document: &Value) -> DocumentSource {
        self.write("changed.json", &document.to_string());
        DocumentSource::File(self.path("changed.json"))
    }

    /// Runs the command, and returns its status and output.
    pub(super) fn run(&self, source: Option<&DocumentSource>, mode: RegenMode) -> (TaskStatus, String) {
        self.run_on(source, mode, 0)
    }

    /// Runs the command some days later.
    pub(super) fn run_on(
        &self,
        source: Option<&DocumentSource>,
        mode: RegenMode,
        day: u64,
    ) -> (TaskStatus, String) {
        run_in(self.0.path(), source, mode, day)
    }
}

/// Runs the command in a folder, and returns its status and output without the folder's name.
pub(super) fn run_in(
    root: &Path,
    source: Option<&DocumentSource>,
    mode: RegenMode,
    day: u64,
) -> (TaskStatus, String) {
    let today = chrono::NaiveDate::from_ymd_opt(2026, 2, 3).unwrap() + chrono::Days::new(day);
    let options = RegenOptions { mode, verbose: false, today };
    let (status, output) = with_shell(|shell| {
        regen::run(root, source, &options, shell).unwrap_or_else(|error| {
            shell.command_failed("regen", &error).unwrap();
            TaskStatus::Failed
        })
    });
    (status, output.replace(&root.display().to_string(), "[root]"))
}
