//! A Redis server for one test, on a Unix socket in a temporary folder.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use liveavatar_api::store::{RedisStore, RedisStoreBuilder};
use tempfile::TempDir;

/// How often a starting server is pinged, and the pause between two pings.
const PINGS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct RedisServer {
    folder: TempDir,
    password: Option<&'static str>,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server. If `redis-server` is not installed, writes a note to standard error and returns `None`.
    pub(super) async fn start(test: &str) -> Option<Self> {
        Self::start_with(test, None).await
    }

    pub(super) async fn start_with(test: &str, password: Option<&'static str>) -> Option<Self> {
        let mut server = Self { folder: tempfile::tempdir().unwrap(), password, child: None };
        if server.launch().await {
            return Some(server);
        }
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: `redis-server` is not installed");
        None
    }

    async fn launch(&mut self) -> bool {
        let launched = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .args(self.password.map(|password| ["--requirepass", password]).into_iter().flatten())
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .spawn();
        match launched {
            Ok(child) => self.child = Some(child),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
            Err(error) => panic!("failed to start redis-server: {error}"),
        }
        for _ in 0..PINGS {
            if self
                .connection()
                .is_some_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok())
            {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("redis-server does not respond");
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(super) fn address(&self) -> String {
        let password = self.password.map(|password| format!("?pass={password}")).unwrap_or_default();
        format!("redis+unix://{}{password}", self.socket().display())
    }

    pub(super) fn store(&self) -> RedisStoreBuilder {
        RedisStore::builder(self.address())
    }

    fn connection(&self) -> Option<redis::Connection> {
        redis::Client::open(self.address()).unwrap().get_connection().ok()
    }

    /// Runs a command on one of the store's keys directly.
    pub(super) fn command(&self, name: &str, key: &str, arguments: &[&str]) {
        let mut command = redis::cmd(name);
        command.arg(format!("liveavatar:{{default}}:{key}")).arg(arguments);
        command.exec(&mut self.connection().unwrap()).unwrap();
    }

    /// Kills the server; its data stays on disk.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(super) async fn start_again(&mut self) {
        assert!(self.launch().await);
    }

    pub(super) fn lose_data(&self) {
        std::fs::remove_dir_all(self.folder.path().join("appendonlydir")).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
