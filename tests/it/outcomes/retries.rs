//! What is repeated: by operation, by status, by budget and by option.

use std::time::Duration;

use liveavatar_api::{Call as _, IntoData as _, RequestOptions, Sent as _};

use super::server::{Answer, Server};
use super::{Lab, Row, Time, call, coded, failure, report, success};

/// Every operation of the table, those that make something new at the end.
const OPERATIONS: [&str; 10] = [
    "get_user_credits",
    "list_voices",
    "delete_secret",
    "delete_memory",
    "create_session_token",
    "keep_session_alive",
    "stop_session",
    "start_session",
    "create_secret",
    "create_context",
];

fn good(operation: &str) -> Answer {
    if operation == "delete_memory" { Answer::bare(204) } else { success(operation) }
}

#[tokio::test]
async fn what_can_do_no_harm_twice_is_repeated() {
    let mut rows = Vec::new();
    for operation in OPERATIONS {
        rows.push(Row::new("503 and no end", operation, vec![failure(503)]));
        rows.push(Row::new("429 and no end", operation, vec![failure(429)]));
        rows.push(Row::new("closed without an answer", operation, vec![Answer::nothing(), good(operation)]));
        rows.push(Row::new("refused, then answered", operation, vec![failure(429), good(operation)]));
    }
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn only_what_may_pass_is_repeated() {
    let mut rows = Vec::new();
    for status in
        [400, 401, 402, 403, 404, 408, 409, 422, 425, 429, 499, 500, 501, 502, 503, 504, 507, 520, 599]
    {
        let script = vec![failure(status), success("get_user_credits")];
        rows.push(Row::new(format!("{status} for a get"), "get_user_credits", script));
    }
    for status in [408, 425, 429, 500, 502, 503, 504] {
        rows.push(Row::new(
            format!("{status} for a start"),
            "start_session",
            vec![failure(status), success("start_session")],
        ));
    }
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn a_call_ends_with_its_last_answer() {
    let get = "get_user_credits";
    let rows = vec![
        Row::new("answered at the second request", get, vec![failure(500), success(get)]),
        Row::new("answered at the third request", get, vec![failure(502), Answer::nothing(), success(get)]),
        Row::new(
            "answered at the fourth request",
            get,
            vec![failure(503), failure(429), failure(504), success(get)],
        ),
        Row::new(
            "answered too late",
            get,
            vec![failure(503), failure(503), failure(503), failure(503), success(get)],
        ),
        Row::new("refused for good at the second request", get, vec![failure(503), coded(403, 4033)]),
        Row::new("gone at the second request", "delete_secret", vec![Answer::nothing(), failure(404)]),
        Row::new("unreadable at the second request", get, vec![failure(503), Answer::bare(200)]),
        Row::new("without data at the second request", get, vec![failure(503), coded(200, 100)]),
        Row::new("a failure's code at the second request", get, vec![failure(503), coded(200, 4033)]),
        Row::new("a create refused, then broken", "create_secret", vec![failure(429), Answer::nothing()]),
        Row::new("a start refused, then failed", "start_session", vec![failure(429), failure(503)]),
        Row::new(
            "a limit of sessions under 429",
            "start_session",
            vec![coded(429, 4032), success("start_session")],
        ),
        Row::new("one attempt", get, vec![failure(503)]).options(RequestOptions::new().max_attempts(1)),
        Row::new("no attempts are one", get, vec![failure(503)])
            .options(RequestOptions::new().max_attempts(0)),
        Row::new("one attempt of what was refused", get, vec![failure(429)])
            .options(RequestOptions::new().max_attempts(1)),
        Row::new("two attempts", get, vec![failure(503)]).options(RequestOptions::new().max_attempts(2)),
        Row::new("twelve attempts, with pauses of at most 8 s", get, vec![failure(503)])
            .options(RequestOptions::new().max_attempts(12)),
        Row::new("pauses that fill the time for all", get, vec![failure(503).header("retry-after", "3")])
            .options(RequestOptions::new().timeout(Duration::from_secs(7))),
        Row::new("a pause longer than the time for all", get, vec![failure(503).header("retry-after", "9")])
            .options(RequestOptions::new().timeout(Duration::from_secs(9))),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn an_answer_tells_how_many_requests_it_took() {
    let get = "get_user_credits";
    for (failures, header) in [(0, "9"), (1, "9"), (2, "x"), (3, "")] {
        let mut script = vec![failure(503); failures];
        // The service cannot tell it in the client's place.
        script.push(success(get).header("x-liveavatar-client-attempts", header));
        let server = Server::start(script);
        let answer = Lab::new(&server, Time::Test).client.get_user_credits().send().await.unwrap();
        assert_eq!(answer.attempts() as usize, failures + 1);
        assert_eq!(server.seen().len(), failures + 1);
        answer.into_data().unwrap();
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_pauses() {
    let mut all = Vec::new();
    for _ in 0..2 {
        let server = Server::start(vec![failure(503)]);
        let lab = Lab::new(&server, Time::Test);
        lab.client.get_user_credits().data().await.unwrap_err();
        lab.client.get_user_credits().data().await.unwrap_err();
        all.push(lab.clock.slept());
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0].len(), 6);
    assert_ne!(all[0][..3], all[0][3..], "each call has pauses of its own");
}

#[tokio::test]
async fn a_clients_clones_spend_one_budget() {
    let get = "get_user_credits";
    // Successes after the failures below, each of which gives back a fifth of a repetition.
    let mut script = vec![failure(503); 140];
    script.extend(vec![success(get); 10]);
    script.push(failure(503));
    let server = Server::start(script);
    let lab = Lab::new(&server, Time::Test);
    let mut requests = Vec::new();
    while server.seen().len() < 140 {
        let before = server.seen().len();
        let error = call(lab.client.clone(), get).await.unwrap_err();
        assert_eq!(error.attempts() as usize, server.seen().len() - before);
        requests.push(error.attempts());
    }
    // 500 in the purse, 5 for a repetition: 100 repetitions, 3 for each call until the 34th.
    let repeated: u32 = requests.iter().map(|requests| requests - 1).sum();
    assert_eq!(repeated, 100);
    assert_eq!(requests[..33], [4; 33]);
    assert_eq!(requests[33..], [2, 1, 1, 1, 1, 1, 1]);
    for _ in 0..10 {
        call(lab.client.clone(), get).await.unwrap();
    }
    let error = call(lab.client.clone(), get).await.unwrap_err();
    assert_eq!(error.attempts(), 3, "ten successes pay for two repetitions");
}

#[tokio::test]
async fn a_repetition_for_which_no_time_is_left_costs_nothing() {
    let server = Server::start(vec![failure(503).header("retry-after", "9")]);
    let lab = Lab::new(&server, Time::Test);
    let hasty = lab.client.with_options(RequestOptions::new().timeout(Duration::from_secs(5)));
    for _ in 0..100 {
        assert_eq!(call(hasty.clone(), "get_user_credits").await.unwrap_err().attempts(), 1);
    }
    let error = call(lab.client.clone(), "get_user_credits").await.unwrap_err();
    assert_eq!(error.attempts(), 4);
}
