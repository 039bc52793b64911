//! Several processes on one store, one of them killed: at the end nothing runs that nobody knows about, and nobody has lost a live session.
//!
//! The processes and Redis live in real time, so that these tests wait for them; as long as it takes, and no longer.

use std::fs::File;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use liveavatar_mock::Server;
use tempfile::TempDir;

use super::redis_server::RedisServer;

/// Sessions that may run at once, and sessions that each process wants: fewer than all of them want.
const SLOTS: usize = 10;
const WANTED: usize = 5;

/// A machine with few cores runs all of this at the same time as other tests: a beat may come ten beats late.
const BEAT: Duration = Duration::from_millis(100);
const LEASE: Duration = Duration::from_secs(4);

/// What takes longer has failed.
const LIMIT: Duration = Duration::from_secs(90);

struct Member {
    child: Child,
}

struct Fleet {
    server: Server,
    store: String,
    logs: TempDir,
    members: Vec<Member>,
}

impl Fleet {
    async fn start(store: String, members: usize, limit: usize) -> Self {
        let server = Server::builder().session_limit(limit).start().await.unwrap();
        let mut fleet = Self { server, store, logs: tempfile::tempdir().unwrap(), members: Vec::new() };
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
            .env("FLEET_BEAT", BEAT.as_millis().to_string())
            .env("FLEET_SESSIONS", WANTED.to_string())
            .env("FLEET_SEED", seed.to_string())
            .stdin(Stdio::piped())
            .stdout(File::create(&output).unwrap())
            .spawn()
            .unwrap();
        self.members.push(Member { child });
    }

    /// Ends the first process as SIGKILL does.
    fn kill_one(&mut self) {
        let mut member = self.members.remove(0);
        member.child.kill().unwrap();
        member.child.wait().unwrap();
    }

    /// How often the service has answered an operation this way.
    fn count(&self, operation: &str, status: u16) -> usize {
        let requests = self.server.requests();
        requests.iter().filter(|it| it.operation.as_deref() == Some(operation) && it.status == status).count()
    }

    /// Waits until so many more sessions were started.
    async fn starts(&self, more: usize) {
        let wanted = self.count("start_session", 201) + more;
        self.until("sessions are started", || self.count("start_session", 201) >= wanted).await;
    }

    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let since = Instant::now();
        while !is_so() {
            assert!(since.elapsed() < LIMIT, "it never came to this: {what}; {}", self.told());
            tokio::time::sleep(BEAT).await;
        }
    }

    fn told(&self) -> String {
        // Of the killed ones too: they have reaped until then.
        let outputs = std::fs::read_dir(self.logs.path()).unwrap();
        let outputs = outputs.map(|output| std::fs::read_to_string(output.unwrap().path()).unwrap());
        outputs.collect::<Vec<_>>().join("\n")
    }

    /// Lets the living finish, and looks at what is left and at what they have seen.
    async fn finish(mut self) -> String {
        for member in &mut self.members {
            member.child.stdin.as_mut().unwrap().write_all(b"finish\n").unwrap();
        }
        self.until("nothing runs any more", || self.server.running_sessions().is_empty()).await;
        for member in &mut self.members {
            drop(member.child.stdin.take());
        }
        for position in 0..self.members.len() {
            let since = Instant::now();
            let status = loop {
                if let Some(status) = self.members[position].child.try_wait().unwrap() {
                    break status;
                }
                assert!(since.elapsed() < LIMIT, "a process does not end");
                tokio::time::sleep(BEAT).await;
            };
            assert!(status.success(), "{status}");
        }
        assert!(self.server.running_sessions().is_empty());
        let told = self.told();
        assert!(!told.contains("lost"), "a live session was stopped by somebody else:\n{told}");
        assert_eq!(told.matches("finished").count(), self.members.len());
        told
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
async fn a_process_killed_on_a_shared_folder_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    // A folder counts no slots, so that nobody has to wait for one.
    let mut fleet = Fleet::start(folder.path().to_str().unwrap().to_owned(), 2, 3 * WANTED).await;
    fleet.starts(4 * WANTED).await;
    let running = fleet.server.running_sessions().len();
    fleet.kill_one();
    fleet.starts(WANTED).await;
    let told = fleet.finish().await;
    assert!(running > 0 && told.contains(" stopped"), "{told}");
}

#[tokio::test]
async fn three_processes_on_redis_survive_sigkill_and_its_restarts_with_and_without_its_data() {
    let Some(mut redis) = RedisServer::start("three processes, SIGKILL, restarts of Redis").await else {
        return;
    };
    let mut fleet = Fleet::start(redis.address(), 3, SLOTS).await;
    fleet.starts(3 * SLOTS).await;
    fleet.kill_one();
    fleet.starts(SLOTS).await;
    redis.kill();
    // Longer than the silence after which nobody is sure.
    let stopped = Instant::now();
    fleet.until("Redis was away for longer than a lease", || stopped.elapsed() > LEASE + BEAT).await;
    redis.start_again().await;
    fleet.starts(SLOTS).await;
    assert_eq!(fleet.count("start_session", 403), 0, "somebody started a session without a slot");
    fleet.kill_one();
    fleet.join(9);
    redis.kill();
    redis.lose_data();
    redis.start_again().await;
    fleet.starts(SLOTS).await;
    let told = fleet.finish().await;
    assert!(told.contains(" stopped"), "{told}");
}
