//! Several processes share a store and some are killed: no session leaks, and no live session is stopped by another process.
//!
//! These tests use real processes and real time.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use liveavatar_mock::{RecordedRequest, Server};
use tempfile::TempDir;

use super::redis_server::RedisServer;

/// Concurrent sessions of all processes; fewer than they want together.
const SLOTS: usize = 10;

/// Concurrent sessions that each process wants.
const WANTED: usize = 5;

/// Real time between two keep-alives; see `tests/fleet`. On a busy machine, a keep-alive may be late by ten intervals.
const INTERVAL: Duration = Duration::from_millis(100);
const LEASE: Duration = Duration::from_secs(4);

/// Time limit of each wait.
const TIMEOUT: Duration = Duration::from_secs(90);

struct Member {
    child: Child,
}

struct Fleet {
    server: Server,
    store: String,
    /// The certificates that the processes trust, instead of the system's.
    trusted: Option<PathBuf>,
    logs: TempDir,
    members: Vec<Member>,
}

impl Fleet {
    async fn start(store: String, members: usize, limit: usize) -> Self {
        Self::start_with(store, None, members, limit).await
    }

    async fn start_with(store: String, trusted: Option<PathBuf>, members: usize, limit: usize) -> Self {
        let server = Server::builder().session_limit(limit).start().await.unwrap();
        let logs = tempfile::tempdir().unwrap();
        let mut fleet = Self { server, store, trusted, logs, members: Vec::new() };
        for seed in 0..members {
            fleet.join(seed);
        }
        fleet
    }

    fn join(&mut self, seed: usize) {
        let output = self.logs.path().join(seed.to_string());
        let child = Command::new(env!("CARGO_BIN_EXE_fleet"))
            .env("FLEET_URL", self.server.url())
            .env("FLEET_KEY", self.server.api_key())
            .env("FLEET_STORE", &self.store)
            .env("FLEET_SLOTS", SLOTS.to_string())
            .env("FLEET_LEASE", LEASE.as_millis().to_string())
            .env("FLEET_INTERVAL", INTERVAL.as_millis().to_string())
            .env("FLEET_SESSIONS", WANTED.to_string())
            .env("FLEET_SEED", seed.to_string())
            .envs(self.trusted.iter().map(|file| ("SSL_CERT_FILE", file)))
            .stdin(Stdio::piped())
            .stdout(File::create(&output).unwrap())
            .spawn()
            .unwrap();
        self.members.push(Member { child });
    }

    /// Kills the first process with SIGKILL.
    fn kill_one(&mut self) {
        let mut member = self.members.remove(0);
        member.child.kill().unwrap();
        member.child.wait().unwrap();
    }

    /// The number of responses to an operation with this status.
    fn count(&self, operation: &str, status: u16) -> usize {
        let requests = self.server.requests();
        let has =
            |it: &&RecordedRequest| (it.operation.as_deref(), it.status) == (Some(operation), Some(status));
        requests.iter().filter(has).count()
    }

    /// Waits until this many more sessions were started.
    async fn wait_for_starts(&self, more: usize) {
        let total = self.count("start_session", 201) + more;
        self.wait_until("sessions are started", || self.count("start_session", 201) >= total).await;
    }

    async fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let since = Instant::now();
        while !condition() {
            assert!(since.elapsed() < TIMEOUT, "timed out waiting until {what}; {}", self.output());
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// The output of all processes, including the killed ones.
    fn output(&self) -> String {
        let outputs = std::fs::read_dir(self.logs.path()).unwrap();
        let outputs = outputs.map(|output| std::fs::read_to_string(output.unwrap().path()).unwrap());
        outputs.collect::<Vec<_>>().join("\n")
    }

    /// Lets the remaining processes finish, and checks that nothing runs and no process has lost a session.
    async fn finish(mut self) -> String {
        for member in &mut self.members {
            member.child.stdin.as_mut().unwrap().write_all(b"finish\n").unwrap();
        }
        self.wait_until("no session runs", || self.server.running_sessions().is_empty()).await;
        for member in &mut self.members {
            drop(member.child.stdin.take());
        }
        for position in 0..self.members.len() {
            let since = Instant::now();
            let status = loop {
                if let Some(status) = self.members[position].child.try_wait().unwrap() {
                    break status;
                }
                assert!(since.elapsed() < TIMEOUT, "a process does not end");
                tokio::time::sleep(INTERVAL).await;
            };
            assert!(status.success(), "{status}");
        }
        assert!(self.server.running_sessions().is_empty());
        let output = self.output();
        assert!(!output.contains("lost"), "another process stopped a live session:\n{output}");
        assert_eq!(output.matches("finished").count(), self.members.len());
        output
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
    }
}

#[tokio::test]
async fn the_sessions_of_a_process_killed_on_a_shared_folder_are_stopped() {
    let folder = tempfile::tempdir().unwrap();
    // The file store does not count slots, so no process waits for one.
    let mut fleet = Fleet::start(folder.path().to_str().unwrap().to_owned(), 2, 3 * WANTED).await;
    fleet.wait_for_starts(4 * WANTED).await;
    let running = fleet.server.running_sessions().len();
    fleet.kill_one();
    fleet.wait_for_starts(WANTED).await;
    let output = fleet.finish().await;
    assert!(running > 0 && output.contains(" stopped"), "{output}");
}

#[tokio::test]
async fn three_processes_survive_sigkill_and_redis_restarts_with_and_without_data() {
    let Some(mut redis) = RedisServer::start("three processes, SIGKILL, restarts of Redis").await else {
        return;
    };
    let mut fleet = Fleet::start(redis.address(), 3, SLOTS).await;
    fleet.wait_for_starts(3 * SLOTS).await;
    fleet.kill_one();
    fleet.wait_for_starts(SLOTS).await;
    redis.kill();
    // Longer than the outage after which no owner counts as dead.
    let stopped = Instant::now();
    fleet.wait_until("Redis was down for longer than a lease", || stopped.elapsed() > LEASE + INTERVAL).await;
    redis.start_again().await;
    fleet.wait_for_starts(SLOTS).await;
    assert_eq!(fleet.count("start_session", 403), 0, "a process started a session without a slot");
    fleet.kill_one();
    fleet.join(9);
    redis.kill();
    redis.lose_data();
    redis.start_again().await;
    fleet.wait_for_starts(SLOTS).await;
    let output = fleet.finish().await;
    assert!(output.contains(" stopped"), "{output}");
}

#[tokio::test]
async fn the_sessions_of_a_killed_process_are_stopped_over_rediss() {
    let Some(redis) = RedisServer::start_with_tls("Redis with TLS").await else { return };
    let (address, certificate) = redis.tls();
    // A process for its environment, which names the certificates to trust.
    let mut fleet = Fleet::start_with(address, Some(certificate), 2, SLOTS).await;
    fleet.wait_for_starts(2 * SLOTS).await;
    fleet.kill_one();
    fleet.wait_for_starts(SLOTS).await;
    let output = fleet.finish().await;
    assert!(output.contains(" stopped"), "{output}");
}
