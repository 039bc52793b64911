//! 20 rooms of the mock at once: lost packets, the slowest join, and the server's processor time and memory.
//!
//! `cargo bench -p liveavatar-benches --bench rooms`. The server runs in another process on the same cores. In each room, the avatar
//! speaks to one participant; half of them join with one peer connection, and half with two.

#![expect(clippy::unwrap_used, reason = "a bench fails if a value is missing")]

#[path = "../room/peer.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod peer;
mod rows;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future;
use liveavatar_api::realtime::full::FullCommand;
use liveavatar_api::session::AnyConfiguration;
use liveavatar_api::{Client, Credential};
use liveavatar_mock::Server;
use str0m::media::MediaKind;

use peer::{Event, Path, Peer};

const CONFIGURATION: &str = include_str!("../../liveavatar-api/examples/full-sandbox.json");
/// The argument that makes this program the server.
const SERVE: &str = "--serve";
const KEY: &str = "bench-api-key";
/// Words a second that the avatar speaks at most.
const WORDS: usize = 10;
/// Louder packets are not silence, in decibels relative to full scale.
const LOUD: i8 = -60;
/// The unit of processor time in `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// Serves until standard input ends, which it also does if the bench fails.
fn serve(rooms: usize) {
    runtime().block_on(async {
        let server = Server::builder().api_key(KEY).session_limit(rooms).room().start().await.unwrap();
        println!("{}", server.url());
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        end.await.unwrap().unwrap();
    });
}

struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(rooms: usize) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([SERVE, &rooms.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Process { child, url: url.trim().to_owned() }
    }

    /// Returns the processor time until now, if the system reports it.
    fn processor_time(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The name of the program may contain spaces. After it, the times are fields 12 and 13.
        let fields = text.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
        Some(TICK * fields.filter_map(|field| field.parse::<u32>().ok()).sum())
    }

    /// Returns the largest resident memory in kB, if the system reports it.
    fn memory(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// What a participant has seen and heard.
struct Report {
    /// Until the picture has arrived and commands can be sent.
    joined_after: Duration,
    received: u64,
    lost: u64,
}

/// Joins a room, lets the avatar speak, and counts packets for a while.
async fn participate(client: &Client, path: Path, time: Duration) -> Report {
    let configuration = AnyConfiguration::from_json(CONFIGURATION).unwrap();
    let session = client.mint(&configuration).await.unwrap().start().await.unwrap();
    let (url, token) = (session.livekit_url.unwrap(), session.livekit_client_token.unwrap());

    let start = Instant::now();
    let mut peer = Peer::join(&url, token.expose(), path).await.unwrap();
    let (mut is_ready, mut has_picture) = (false, false);
    peer.wait_for(|event| {
        is_ready |= matches!(event, Event::Ready);
        has_picture |= matches!(event, Event::Media { kind: MediaKind::Video, .. });
        (is_ready && has_picture).then_some(())
    })
    .await;
    let joined_after = start.elapsed();

    let words = "word ".repeat(WORDS * usize::try_from(time.as_secs()).unwrap());
    let command = FullCommand::SpeakText(words.into()).packet();
    peer.send(command.topic, command.payload);
    let (mut received, mut lost, mut loud) = (0, 0, 0);
    let mut latest = HashMap::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let packets = peer.wait_for(|event| match event {
            Event::Media { track, packets, level, .. } => Some((track, packets, level)),
            _ => None,
        });
        let (track, packets, level) = packets.await;
        received += packets.end() - packets.start() + 1;
        loud += u64::from(level.is_some_and(|level| level > LOUD));
        if let Some(before) = latest.insert(track, *packets.end()) {
            lost += packets.start() - before - 1;
        }
    }
    peer.leave();
    assert!(loud > received / 2, "the avatar speaks in {loud} of {received} packets");
    Report { joined_after, received, lost }
}

fn measure(rooms: usize, time: Duration) {
    let server = Process::start(rooms);
    let credential = Credential::api_key(KEY).unwrap();
    let client = Client::builder().base_url(&server.url).credential(credential).build().unwrap();
    let start = Instant::now();
    let reports = runtime().block_on(future::join_all((0..rooms).map(|room| {
        let path = if room % 2 == 0 { Path::Dual } else { Path::Single };
        participate(&client, path, time)
    })));
    let wall_clock = start.elapsed();
    let (received, lost) =
        reports.iter().fold((0, 0), |sum, report| (sum.0 + report.received, sum.1 + report.lost));
    let slowest = reports.iter().map(|report| report.joined_after).max().unwrap();
    let mut value = format!("{lost} of {} packets lost; slowest join {slowest:.0?}", received + lost);
    if let (Some(spent), Some(memory)) = (server.processor_time(), server.memory()) {
        let share = 100.0 * spent.as_secs_f64() / wall_clock.as_secs_f64();
        let _ = write!(value, "; server: {share:.0} % of one core, {} MB", memory / 1000);
    }
    server.end();
    rows::fact(&format!("{rooms} rooms of the mock at once for {time:?}, all avatars speaking"), &value);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(rooms) = arguments.iter().position(|argument| argument == SERVE) {
        return serve(arguments[rooms + 1].parse().unwrap());
    }
    // `cargo test --benches` passes `--test`, and only checks that the benches run.
    let is_quick = arguments.iter().any(|argument| argument == "--test");
    let (rooms, seconds) = if is_quick { (2, 1) } else { (20, 30) };
    measure(rooms, Duration::from_secs(seconds));
}
