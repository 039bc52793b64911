//! The outcome of an utterance.

use futures_util::stream;
use liveavatar_api::realtime::lite::{Socket, SpeechEnd};
use liveavatar_api::session::LiteSession;
use liveavatar_mock::{EventStyle, Server};
use liveavatar_tests::client;

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// The answers of the predicates: finished, interrupted, lost.
fn predicates(end: &SpeechEnd) -> [bool; 3] {
    [end.is_finished(), end.is_interrupted(), end.is_lost()]
}

#[test]
fn at_most_one_predicate_of_an_end_is_true() {
    assert_eq!(predicates(&SpeechEnd::Finished), [true, false, false]);
    assert_eq!(predicates(&SpeechEnd::Interrupted), [false, true, false]);
    assert_eq!(predicates(&SpeechEnd::Lost), [false, false, true]);
    assert!(SpeechEnd::Lost.error().is_none());
}

#[tokio::test]
async fn a_failed_outcome_can_be_cloned_and_returns_its_error() {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let configuration = LiteSession::builder().avatar_id(ID).build().unwrap();
    let token = client(&server).mint(&configuration).await.unwrap();
    let socket = Socket::connect(&token.start().await.unwrap().ws_url.unwrap()).await.unwrap();
    let failing = stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("the file ends"))]);
    let outcome = socket.speak(failing).await;
    let end = outcome.clone().end;
    drop(outcome);
    assert_eq!(predicates(&end), [false; 3]);
    insta::assert_snapshot!(end.error().unwrap(), @"the source of the audio failed");
}
