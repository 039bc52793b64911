//! Tests of a program that greets with a session, on a service that fails.

use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID};
use liveavatar_api::{Client, Error};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};

/// The program: it opens a session if the account can pay for it.
async fn greet(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    if client.get_user_credits().await?.credits_left.is_some_and(|left| left < 1) {
        return Err("no credits".into());
    }
    let config = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build()?;
    let session = client.open(&config).await?;
    session.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_server_error_is_retried() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start().await?;
    let client = server.client()?;
    server.mock_response("get_user_credits", MockResponse::raw(503, "", ""));
    greet(&client).await?;
    let operations: Vec<_> = server.requests().into_iter().filter_map(|request| request.operation).collect();
    assert_eq!(operations[..2], ["get_user_credits", "get_user_credits"]);
    assert!(server.running_sessions().is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_start_is_lost_is_stopped() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start().await?;
    let client = server.client()?;
    server.faults(|operation| (operation == "start_session").then_some(Fault::After(Failure::Disconnect)));
    let error = greet(&client).await.expect_err("the response is lost");
    let error = error.downcast_ref::<Error>().expect("an error of the client");
    assert!(error.may_have_been_sent());
    server.clear_faults();
    assert!(client.shutdown().await.is_empty());
    assert!(server.running_sessions().is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slow_service_times_out() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start().await?;
    let client = server.client()?;
    server.inject_fault("get_user_credits", 10, Fault::Before(Failure::Hang));
    let error = client.get_user_credits().await.expect_err("no response");
    assert!(error.is_timeout());
    Ok(())
}

#[tokio::test]
async fn an_empty_account_opens_no_session() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().credits(0).start().await?;
    let error = greet(&server.client()?).await.expect_err("no credits");
    assert_eq!(error.to_string(), "no credits");
    assert!(!server.requests().iter().any(|request| request.operation.as_deref() == Some("start_session")));
    Ok(())
}
