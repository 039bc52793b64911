//! Rules of the calls that look back: lists of sessions, one session, transcripts.

use liveavatar_mock::Server;
use serde_json::{Value, json};

use crate::harness::{AVATAR, From, Lab, SANDBOX_AVATAR, advance, full, lite, send, with};

async fn stop(lab: &Lab, token: &str) {
    assert_eq!(send(lab.request(From::Token(token), "POST", "/v1/sessions/stop")).await.status, 200);
}

fn ids(page: &Value) -> Vec<String> {
    let results = page["data"]["results"].as_array().expect("results");
    results.iter().map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_session_moves_from_the_active_to_the_historic_list() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(full()).await;
    assert_eq!(ids(&lab.get("/v1/sessions?type=active").await.body), [id.as_str()]);
    assert_eq!(lab.get("/v1/sessions?type=historic").await.body["data"]["count"], 0);
    stop(&lab, &token).await;
    assert_eq!(lab.get("/v1/sessions?type=active").await.body["data"]["count"], 0);
    assert_eq!(ids(&lab.get("/v1/sessions?type=historic").await.body), [id.as_str()]);
}

#[tokio::test]
async fn links_lead_through_all_pages_and_keep_the_filters() {
    let lab = Lab::with(Server::builder().session_limit(9)).await;
    for _ in 0..3 {
        lab.running(lite()).await;
    }
    let mut url = Some(format!("/v1/sessions?type=active&page_size=2&avatar_id={AVATAR}"));
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    while let Some(path) = url {
        let page = lab.get(&path).await.body;
        assert_eq!(page["data"]["count"], 3);
        sizes.push(ids(&page).len());
        seen.extend(ids(&page));
        url = page["data"]["next"].as_str().map(|link| {
            link.strip_prefix(lab.server.url()).expect("an absolute link to this server").to_owned()
        });
    }
    assert_eq!(sizes, [2, 1]);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 3);
    let last = lab.get("/v1/sessions?type=active&page_size=2&page=2").await;
    let previous = format!("{}/v1/sessions?type=active&page_size=2&page=1", lab.server.url());
    assert_eq!(last.text("/data/previous"), previous);
}

#[tokio::test]
async fn lists_are_filtered() {
    let lab = Lab::start().await;
    let persona = json!({ "avatar_persona": { "context_id": SANDBOX_AVATAR } });
    let (with_context, _) = lab.running(with(full(), persona)).await;
    lab.running(full()).await;
    let list = async |filter: &str| lab.get(&format!("/v1/sessions?type=active&{filter}")).await.body;
    assert_eq!(ids(&list(&format!("context_id={SANDBOX_AVATAR}")).await), [with_context]);
    assert_eq!(list(&format!("avatar_id={SANDBOX_AVATAR}")).await["data"]["count"], 0);
    assert_eq!(list("embed_id=x").await["data"]["count"], 0);
}

#[tokio::test]
async fn one_session_shows_mode_duration_and_credits() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(full()).await;
    advance(90).await;
    let session = lab.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!(session.get("end_reason"), None);
    stop(&lab, &token).await;
    let session = lab.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!(
        session,
        json!({
            "id": id,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:01:30Z",
            "end_at": "2026-01-01T00:01:30Z",
            "end_reason": "USER_CLOSED",
            "duration": 90,
            "source": "API",
            "mode": "FULL",
            "is_sandbox": false,
            "credits_consumed": 4,
        })
    );
}

#[tokio::test]
async fn the_sandbox_costs_nothing() {
    let lab = Lab::start().await;
    let (id, _) = lab.running(with(lite(), json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR }))).await;
    let session = lab.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!((&session["credits_consumed"], &session["is_sandbox"]), (&json!(0), &json!(true)));
}

#[tokio::test]
async fn an_unknown_session_is_not_found() {
    let lab = Lab::start().await;
    let expected = json!({ "code": 4040, "data": null, "message": "Session not found" });
    for (method, path) in
        [("GET", "/v1/sessions/x"), ("GET", "/v1/sessions/x/transcript"), ("DELETE", "/v1/sessions/x/events")]
    {
        let reply = send(lab.request(From::Key, method, path)).await;
        assert_eq!((reply.status, reply.body), (404, expected.clone()), "{method} {path}");
    }
}

#[tokio::test]
async fn a_transcript_grows_while_the_session_runs() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(full()).await;
    let path = format!("/v1/sessions/{id}/transcript");
    let lines = |data: &Value| data["transcript_data"].as_array().map(Vec::len);
    let first = lab.get(&path).await.body["data"].clone();
    assert_eq!((lines(&first), &first["session_active"]), (Some(1), &json!(true)));
    advance(20).await;
    assert_eq!(lines(&lab.get(&path).await.body["data"]), Some(3));
    stop(&lab, &token).await;
    advance(20).await;
    let last = lab.get(&path).await.body["data"].clone();
    assert_eq!(
        (lines(&last), &last["session_active"], &last["next_timestamp"]),
        (Some(3), &json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn a_long_transcript_is_read_in_pages() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(full()).await;
    advance(250).await;
    stop(&lab, &token).await;
    let path = format!("/v1/sessions/{id}/transcript");
    let first = lab.get(&path).await.body["data"].clone();
    let next = first["next_timestamp"].as_i64().expect("a second page");
    let second = lab.get(&format!("{path}?start_timestamp={next}")).await.body["data"].clone();
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
async fn a_lite_session_has_no_transcript() {
    let lab = Lab::start().await;
    let (id, _) = lab.running(lite()).await;
    let reply = lab.get(&format!("/v1/sessions/{id}/transcript")).await;
    assert_eq!(
        reply.body["data"],
        json!({ "session_active": true, "transcript_data": [], "next_timestamp": null })
    );
}

#[tokio::test]
async fn deleted_events_are_gone_for_good() {
    let lab = Lab::start().await;
    let (id, _) = lab.running(full()).await;
    advance(25).await;
    let reply = send(lab.request(From::Key, "DELETE", &format!("/v1/sessions/{id}/events"))).await;
    assert_eq!(reply.status, 200);
    advance(10).await;
    let data = lab.get(&format!("/v1/sessions/{id}/transcript")).await.body["data"].clone();
    let lines = data["transcript_data"].as_array().expect("lines");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["relative_timestamp"], 30);
}
