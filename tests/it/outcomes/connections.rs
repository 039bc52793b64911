//! Answers that are cut, and connections that break.

use liveavatar_api::ErrorKind;

use super::server::{Answer, Server};
use super::{Lab, Row, Time, call, coded, failure, outcome, report, success};

const GET: &str = "get_user_credits";

#[tokio::test]
async fn a_port_where_nobody_listens_got_nothing() {
    let mut text = String::new();
    for operation in ["get_user_credits", "start_session", "create_secret", "create_context", "stop_session"]
    {
        let row = Row::new("nobody listens", operation, vec![Answer::nothing()]).unheard(4);
        text.push_str(&outcome(&row, &Server::absent(), Time::Test).await);
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_service_that_goes_away_may_have_acted() {
    let rows = vec![
        Row::new("gone without an answer", "stop_session", vec![Answer::nothing().then_gone()]).unheard(3),
        Row::new("gone without an answer", "delete_secret", vec![Answer::nothing().then_gone()]).unheard(3),
        Row::new("gone after 503", GET, vec![failure(503).until_close().then_gone()]).unheard(3),
        Row::new("gone after 429", "start_session", vec![failure(429).until_close().then_gone()]).unheard(3),
        Row::new("gone without an answer", "start_session", vec![Answer::nothing().then_gone()]),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn a_broken_connection_is_repeated_where_that_does_no_harm() {
    let head = "HTTP/1.1 200 OK\r\ncontent-le";
    let mut rows = Vec::new();
    for operation in [GET, "create_session_token", "start_session", "create_secret"] {
        let row = |name: &str, first: Answer| Row::new(name, operation, vec![first, success(operation)]);
        rows.push(row("closed without an answer", Answer::nothing()));
        rows.push(row("reset", Answer::reset()));
        rows.push(row("closed within the head", Answer::raw(head)));
        rows.push(row("closed behind the head", success(operation).cut(0)));
        rows.push(row("closed within the body", success(operation).cut(12)));
        rows.push(row("closed before the body's last byte", success(operation).claiming("4000")));
        rows.push(row("closed within the chunks", success(operation).chunked(9, "")));
        rows.push(row("a broken chunk", success(operation).chunked(9, "zz\r\n")));
        rows.push(row("closed within a body without length", success(operation).cut(12).until_close()));
    }
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn what_is_whole_is_taken_however_it_comes() {
    let rows = vec![
        Row::new("in two pieces", GET, vec![success(GET).split(10)]),
        Row::new(
            "in two pieces, the second one byte",
            GET,
            vec![{
                success(GET).split(liveavatar_mock::example_response(GET).unwrap().to_string().len() - 1)
            }],
        ),
        Row::new("in chunks of a byte", GET, vec![success(GET).chunked(1, "0\r\n\r\n")]),
        Row::new(
            "in one chunk",
            "start_session",
            vec![success("start_session").chunked(100_000, "0\r\n\r\n")],
        ),
        Row::new("in chunks with a trailer", GET, vec![success(GET).chunked(5, "0\r\nx-sum: 1\r\n\r\n")]),
        Row::new("without a length", GET, vec![success(GET).until_close()]),
        Row::new("with more than its length", GET, vec![success(GET).claiming("2")]),
        Row::new(
            "as HTTP/1.0",
            GET,
            vec![Answer::raw("HTTP/1.0 200 OK\r\n\r\n{\"data\":{\"credits_left\":1}}")],
        ),
        Row::new(
            "a length with both lengths and chunks",
            GET,
            vec![success(GET).chunked(5, "0\r\n\r\n").header("content-length", "3")],
        ),
        Row::new(
            "the same length twice",
            GET,
            vec![Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}")],
        ),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn what_is_no_http_is_a_broken_connection() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let raw = |name: &str, operation, bytes: String| {
        Row::new(name, operation, vec![Answer::raw(bytes), success(operation)])
    };
    let many = "x-more: canary\r\n".repeat(150);
    let wide = format!("x-wide: {}\r\n", "canary".repeat(200_000));
    let rows = vec![
        raw("another protocol", GET, "SSH-2.0-canary\r\n\r\n".to_owned()),
        raw("another protocol for a start", "start_session", "SSH-2.0-canary\r\n\r\n".to_owned()),
        raw("no status", GET, "HTTP/1.1 \r\n\r\n".to_owned()),
        raw("a status of two digits", GET, "HTTP/1.1 20 OK\r\n\r\n".to_owned()),
        raw("a status below 100", GET, "HTTP/1.1 099 OK\r\n\r\n".to_owned()),
        raw("a header without a name", GET, format!("{ok}: canary\r\n\r\n")),
        raw("a negative length", GET, format!("{ok}content-length: -1\r\n\r\n")),
        raw("two lengths", GET, format!("{ok}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")),
        raw("more headers than a client reads", GET, format!("{ok}{many}\r\n{{}}")),
        raw("a header larger than a client reads", "create_secret", format!("{ok}{wide}\r\n{{}}")),
        Row::new(
            "a length of the size of a disk",
            GET,
            vec![success(GET).claiming("9000000000000"), coded(403, 4032)],
        ),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn a_start_on_a_connection_that_served_before_is_not_repeated_either() {
    let server = Server::start(vec![success(GET), Answer::nothing(), success("start_session")]);
    let client = Lab::new(&server, Time::Test).client;
    call(client.clone(), GET).await.unwrap();
    let error = call(client, "start_session").await.unwrap_err();
    assert_eq!(server.seen(), ["get /v1/users/credits", "post /v1/sessions/start"]);
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 1));
    assert!(error.may_have_been_sent());
}
