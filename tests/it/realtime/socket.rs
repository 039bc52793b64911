//! The LITE socket against scripted servers on real sockets, on a clock that jumps to whatever comes next.
//!
//! A script says what the server does with each connection and what the caller does; its record has both, with the time
//! of each line. `scripts` is the table.

mod script;
mod scripts;

use liveavatar_api::realtime::lite::Socket;
use script::play;
use scripts::{SCRIPTS, STALLED};

#[test]
fn every_script_comes_to_what_was_reviewed() {
    let mut names = std::collections::HashSet::new();
    let mut records = Vec::new();
    for script in SCRIPTS {
        assert!(names.insert(script.name), "two scripts are called {}", script.name);
        records.push(format!("# {}\n{}", script.name, play(script)));
    }
    assert!(names.len() >= 40);
    insta::assert_snapshot!(records.join("\n\n"));
}

#[test]
fn a_script_plays_the_same_every_time() {
    for script in SCRIPTS.iter().step_by(7) {
        let first = play(script);
        assert_eq!(first, play(script), "{}", script.name);
    }
}

#[test]
fn no_record_shows_an_address_or_audio() {
    for script in SCRIPTS {
        let record = play(script);
        assert!(!record.contains("canary"), "{record}");
        assert!(!record.contains("127.0.0.1"), "{record}");
    }
}

#[test]
fn a_server_that_reads_nothing_ends_the_utterance_and_the_socket() {
    let record = play(&STALLED);
    let said: Vec<&str> = record.lines().map(|line| line[10..].split(',').next().unwrap()).collect();
    assert_eq!(
        said[3..],
        [
            "caller speaks (600000)",
            "caller hears of its speech 1: lost",
            "caller sees the socket closed: Broken"
        ]
    );
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_refused_and_not_repeated() {
    let addresses = [
        "",
        "canary",
        "https://canary.example/",
        "wss://",
        "ws://[",
        "ws://canary.example/socket",
        "ws://10.0.0.1/canary",
    ];
    let mut said = Vec::new();
    for address in addresses {
        let error = Socket::connect(&address.into()).await.unwrap_err();
        assert!(error.is_invalid_request());
        said.push(error.to_string());
    }
    insta::assert_snapshot!(said.join("\n"));
}
