//! Connections that break, and responses in unusual frames.

use liveavatar_api::ErrorKind;

use super::scripted_server::{End, Response, ScriptedServer};
use super::{Case, GET, Harness, Time, call, coded, failure, run, run_case, success};

#[tokio::test]
async fn a_refused_connection_sends_nothing() {
    let mut text = String::new();
    for operation in [GET, "start_session", "create_secret", "create_context", "stop_session"] {
        let case = Case::new("connection refused", operation, Response::close()).unreceived(4);
        text.push_str(&run_case(&case, &ScriptedServer::refusing(), Time::Test).await);
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_connection_lost_after_the_request_may_have_been_sent() {
    let cases = vec![
        Case::new(
            "port closed without a response",
            "stop_session",
            Response::close().then(End::StopListening),
        )
        .unreceived(3),
        Case::new(
            "port closed without a response",
            "delete_secret",
            Response::close().then(End::StopListening),
        )
        .unreceived(3),
        Case::new("port closed after 503", GET, failure(503).until_close().then(End::StopListening))
            .unreceived(3),
        Case::new(
            "port closed after 429",
            "start_session",
            failure(429).until_close().then(End::StopListening),
        )
        .unreceived(3),
        Case::new(
            "port closed without a response",
            "start_session",
            Response::close().then(End::StopListening),
        ),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_broken_connection_is_retried_only_if_the_operation_is_idempotent() {
    let head = "HTTP/1.1 200 OK\r\ncontent-le";
    let mut cases = Vec::new();
    for operation in [GET, "create_session_token", "start_session", "create_secret"] {
        let case = |name: &str, first: Response| Case::new(name, operation, [first, success(operation)]);
        cases.push(case("closed without a response", Response::close()));
        cases.push(case("reset", Response::reset()));
        cases.push(case("closed within the head", Response::raw(head)));
        cases.push(case("closed after the head", success(operation).truncated(0)));
        cases.push(case("closed within the body", success(operation).truncated(12)));
        cases.push(case("closed before the body's last byte", success(operation).content_length("4000")));
        cases.push(case("closed within the chunks", success(operation).chunked(9, "")));
        cases.push(case("a malformed chunk", success(operation).chunked(9, "zz\r\n")));
        cases.push(case(
            "closed within a body without a length",
            success(operation).truncated(12).until_close(),
        ));
    }
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_complete_response_is_read_in_any_framing() {
    let cases = vec![
        Case::new("in two writes", GET, success(GET).split(10)),
        Case::new(
            "in two writes, the second of one byte",
            GET,
            success(GET).split(liveavatar_mock::example_response(GET).unwrap().to_string().len() - 1),
        ),
        Case::new("in chunks of a byte", GET, success(GET).chunked(1, "0\r\n\r\n")),
        Case::new("in one chunk", "start_session", success("start_session").chunked(100_000, "0\r\n\r\n")),
        Case::new("in chunks with a trailer", GET, success(GET).chunked(5, "0\r\nx-sum: 1\r\n\r\n")),
        Case::new("without a length", GET, success(GET).until_close()),
        Case::new("with bytes after its length", GET, success(GET).content_length("2")),
        Case::new(
            "as HTTP/1.0",
            GET,
            Response::raw("HTTP/1.0 200 OK\r\n\r\n{\"data\":{\"credits_left\":1}}"),
        ),
        Case::new(
            "with a length and in chunks",
            GET,
            success(GET).chunked(5, "0\r\n\r\n").header("content-length", "3"),
        ),
        Case::new(
            "with the same length twice",
            GET,
            Response::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}"),
        ),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn malformed_http_is_a_broken_connection() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let malformed = |name: &str, operation, bytes: String| {
        Case::new(name, operation, [Response::raw(bytes), success(operation)])
    };
    let many = "x-more: canary\r\n".repeat(150);
    let wide = format!("x-wide: {}\r\n", "canary".repeat(200_000));
    let cases = vec![
        malformed("another protocol", GET, "SSH-2.0-canary\r\n\r\n".to_owned()),
        malformed("another protocol for a start", "start_session", "SSH-2.0-canary\r\n\r\n".to_owned()),
        malformed("no status code", GET, "HTTP/1.1 \r\n\r\n".to_owned()),
        malformed("a status code of two digits", GET, "HTTP/1.1 20 OK\r\n\r\n".to_owned()),
        malformed("a status code below 100", GET, "HTTP/1.1 099 OK\r\n\r\n".to_owned()),
        malformed("a header without a name", GET, format!("{ok}: canary\r\n\r\n")),
        malformed("a negative length", GET, format!("{ok}content-length: -1\r\n\r\n")),
        malformed(
            "two different lengths",
            GET,
            format!("{ok}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
        ),
        malformed("too many headers", GET, format!("{ok}{many}\r\n{{}}")),
        malformed("too large a header", "create_secret", format!("{ok}{wide}\r\n{{}}")),
        Case::new("a length of 9 TB", GET, [success(GET).content_length("9000000000000"), coded(403, 4032)]),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_start_on_a_reused_connection_is_not_retried() {
    let server = ScriptedServer::start(vec![success(GET), Response::close(), success("start_session")]);
    let client = Harness::new(&server, Time::Test).client;
    call(client.clone(), GET).await.unwrap();
    let error = call(client, "start_session").await.unwrap_err();
    assert_eq!(server.requests(), ["get /v1/users/credits", "post /v1/sessions/start"]);
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 1));
    assert!(error.may_have_been_sent());
}
