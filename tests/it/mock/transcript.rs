//! Transcripts of sessions.

use serde_json::{Value, json};

use super::harness::{Auth, Mock, advance, full, lite, send, stop};

#[tokio::test]
async fn a_transcript_grows_while_the_session_runs() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(full()).await;
    let path = format!("/v1/sessions/{id}/transcript");
    let lines = |data: &Value| data["transcript_data"].as_array().map(Vec::len);
    let first = mock.get(&path).await.body["data"].clone();
    assert_eq!((lines(&first), &first["session_active"]), (Some(1), &json!(true)));
    advance(20).await;
    assert_eq!(lines(&mock.get(&path).await.body["data"]), Some(3));
    stop(&mock, &token).await;
    advance(20).await;
    let last = mock.get(&path).await.body["data"].clone();
    assert_eq!(
        (lines(&last), &last["session_active"], &last["next_timestamp"]),
        (Some(3), &json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn a_long_transcript_has_several_pages() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(full()).await;
    advance(250).await;
    stop(&mock, &token).await;
    let path = format!("/v1/sessions/{id}/transcript");
    let first = mock.get(&path).await.body["data"].clone();
    let next = first["next_timestamp"].as_i64().expect("a second page");
    let second = mock.get(&format!("{path}?start_timestamp={next}")).await.body["data"].clone();
    assert_eq!(second["next_timestamp"], Value::Null);
    let lines = |data: &Value| data["transcript_data"].as_array().cloned().unwrap_or_default();
    let times: Vec<_> = [lines(&first), lines(&second)]
        .concat()
        .iter()
        .map(|line| line["relative_timestamp"].clone())
        .collect();
    let expected: Vec<_> = (0..=25).map(|line| json!(line * 10)).collect();
    assert_eq!(times, expected);
}

#[tokio::test]
async fn the_transcript_of_a_lite_session_is_empty() {
    let mock = Mock::start().await;
    let (id, _) = mock.start_session(lite()).await;
    let response = mock.get(&format!("/v1/sessions/{id}/transcript")).await;
    assert_eq!(
        response.body["data"],
        json!({ "session_active": true, "transcript_data": [], "next_timestamp": null })
    );
}

#[tokio::test]
async fn deleted_events_stay_deleted() {
    let mock = Mock::start().await;
    let (id, _) = mock.start_session(full()).await;
    advance(25).await;
    let response = send(mock.request(Auth::Key, "DELETE", &format!("/v1/sessions/{id}/events"))).await;
    assert_eq!(response.status, 200);
    advance(10).await;
    let data = mock.get(&format!("/v1/sessions/{id}/transcript")).await.body["data"].clone();
    let lines = data["transcript_data"].as_array().expect("lines");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["relative_timestamp"], 30);
}
