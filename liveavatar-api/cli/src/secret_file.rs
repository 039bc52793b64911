//! Files that only their owner can read.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A new file for a secret, which is removed again unless the secret is written to it.
pub(crate) struct NewSecretFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl NewSecretFile {
    /// Creates the file, so that a path that cannot be written fails before the secret is created.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        match options.open(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file, is_written: false }),
            Err(error) => Err(failed(path, &error)),
        }
    }

    pub(crate) fn write(mut self, text: &str) -> Result<(), Failure> {
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_all())
            .map_err(|error| failed(&self.path, &error))?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for NewSecretFile {
    fn drop(&mut self) {
        if !self.is_written {
            // The failure that led here is reported.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("failed to write {}: {error}", path.display());
    Failure::Usage(
        message,
        (error.kind() == std::io::ErrorKind::AlreadyExists)
            .then(|| "use another file, or remove this one".to_owned()),
    )
}
