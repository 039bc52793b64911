//! A Redis server for one test, on a Unix socket in a temporary folder.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use liveavatar_api::store::{Account, RedisStore, RedisStoreBuilder};
use tempfile::TempDir;

use super::mine;

/// How often a starting server is pinged, and the pause between two pings.
const PINGS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

const CERTIFICATE: &str = "certificate.pem";
const PRIVATE_KEY: &str = "key.pem";

pub(super) struct RedisServer {
    folder: TempDir,
    password: Option<&'static str>,
    /// The port for TLS, with a certificate that is valid for `localhost`.
    tls_port: Option<u16>,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server. If `redis-server` is not installed, writes a note to standard error and returns `None`.
    pub(super) async fn start(test: &str) -> Option<Self> {
        Self::start_with(test, None).await
    }

    pub(super) async fn start_with(test: &str, password: Option<&'static str>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, password, tls_port: None, child: None }.start_or_skip(test).await
    }

    /// Starts a server that also listens for TLS.
    pub(super) async fn start_with_tls(test: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join(CERTIFICATE), signed.cert.pem()).unwrap();
        std::fs::write(folder.path().join(PRIVATE_KEY), signed.signing_key.serialize_pem()).unwrap();
        let free = std::net::TcpListener::bind("localhost:0").unwrap().local_addr().unwrap().port();
        Self { folder, password: None, tls_port: Some(free), child: None }.start_or_skip(test).await
    }

    async fn start_or_skip(mut self, test: &str) -> Option<Self> {
        if self.launch().await {
            return Some(self);
        }
        let lacks = if self.tls_port.is_some() { " or lacks TLS" } else { "" };
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: `redis-server` is not installed{lacks}");
        None
    }

    /// The `rediss` address, and the file of the only certificate to trust.
    pub(super) fn tls(&self) -> (String, PathBuf) {
        let port = self.tls_port.expect("started with TLS");
        (format!("rediss://localhost:{port}/0"), self.folder.path().join(CERTIFICATE))
    }

    async fn launch(&mut self) -> bool {
        let launched = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .args(self.password.map(|password| ["--requirepass", password]).into_iter().flatten())
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--dir")
            .arg(self.folder.path())
            .args(self.tls_port.into_iter().flat_map(|port| {
                let file = |name| self.folder.path().join(name).display().to_string();
                let port = [
                    "--tls-port".to_owned(),
                    port.to_string(),
                    "--tls-auth-clients".to_owned(),
                    "no".to_owned(),
                ];
                let (certificate, key) = (file(CERTIFICATE), file(PRIVATE_KEY));
                port.into_iter().chain([
                    "--tls-cert-file".to_owned(),
                    certificate,
                    "--tls-key-file".to_owned(),
                    key,
                ])
            }))
            .stdout(Stdio::null())
            .spawn();
        match launched {
            Ok(child) => self.child = Some(child),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
            Err(error) => panic!("failed to start redis-server: {error}"),
        }
        for _ in 0..PINGS {
            let ended = self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some());
            if ended && self.tls_port.is_some() {
                return false;
            }
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
        self.command_of(mine(), name, key, arguments);
    }

    pub(super) fn command_of(&self, account: Account, name: &str, key: &str, arguments: &[&str]) {
        let mut command = redis::cmd(name);
        command.arg(format!("liveavatar:{{{account}}}:{key}")).arg(arguments);
        command.exec(&mut self.connection().unwrap()).unwrap();
    }

    /// The result of a command on one of the store's keys.
    pub(super) fn query<T: redis::FromRedisValue>(&self, name: &str, key: &str, arguments: &[&str]) -> T {
        let mut command = redis::cmd(name);
        command.arg(format!("liveavatar:{{{}}}:{key}", mine())).arg(arguments);
        command.query(&mut self.connection().unwrap()).unwrap()
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
