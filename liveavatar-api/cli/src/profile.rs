//! Key profiles: the API keys that `login` stores, in a file that only its owner can read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use liveavatar_api::Secret;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::secret_file::NewSecretFile;

pub(crate) const DEFAULT_PROFILE: &str = "default";

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Profiles {
    profiles: BTreeMap<String, Profile>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) api_key: Key,
    /// The service that the key belongs to, unless it is the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
}

/// Serialized, unlike a [`Secret`].
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(secret.expose().to_owned())
    }

    pub(crate) fn secret(&self) -> Secret {
        self.0.as_str().into()
    }
}

/// Returns the file's path; none if the environment does not say where configuration files are.
pub(crate) fn path() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configuration = if cfg!(windows) {
        folder("APPDATA")
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))
    };
    Some(configuration?.join("liveavatar").join("profiles.toml"))
}

/// Reads a profile; none if it does not exist.
pub(crate) fn read(name: &str) -> Result<Option<Profile>, Failure> {
    let Some(path) = path() else { return Ok(None) };
    Ok(Profiles::read(&path)?.profiles.remove(name))
}

/// Adds or replaces a profile and returns the path of the file.
pub(crate) fn write(name: &str, profile: Profile) -> Result<PathBuf, Failure> {
    let path = path().ok_or_else(|| {
        Failure::usage("no folder for configuration files is known", "set HOME or XDG_CONFIG_HOME")
    })?;
    let mut profiles = Profiles::read(&path)?;
    profiles.profiles.insert(name.to_owned(), profile);
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("failed to write {}: {error}", path.display()), None)
    };
    let text = toml::to_string(&profiles).map_err(|error| failed(&error))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    // Renamed, so that a full disk does not lose the other keys.
    let new = path.with_extension(format!("toml.{}", std::process::id()));
    NewSecretFile::create(&new)?.write(&text)?;
    std::fs::rename(&new, &path).map_err(|error| failed(&error))?;
    Ok(path)
}

impl Profiles {
    fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::Usage(format!("failed to read {name}: {error}"), None)),
        };
        if others_can_access(path) {
            let hint = format!("run `chmod 600 {name}`, and replace the keys if others may have read them");
            return Err(Failure::usage(format!("{name} is accessible to other users"), hint));
        }
        toml::from_str(&text).map_err(|error| {
            // The error's own text quotes the line, which may have a key.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let hint = "correct the line, or remove the file and run `liveavatar login`";
            Failure::usage(format!("{name} is not a file of profiles: error in line {line}"), hint)
        })
    }
}

#[cfg(unix)]
fn others_can_access(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

/// Windows gives the folder of an account's settings to that account.
#[cfg(not(unix))]
fn others_can_access(_: &Path) -> bool {
    false
}
