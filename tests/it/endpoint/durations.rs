//! Durations that are too long to calculate with.

use std::time::Duration;

use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
use liveavatar_mock::{MockResponse, Server};
use serde_json::json;

use super::{AVATAR, ServedEndpoint, authorize, client, configuration, exchange, send};

#[tokio::test]
async fn the_longest_durations_and_pauses_do_not_overflow() {
    let server = Server::builder().session_limit(9).start().await.unwrap();
    let base = json!({ "mode": "LITE", "avatar_id": AVATAR });
    let endpoint = |seconds: u64| {
        let endpoint = TokenEndpoint::new(client(&server), configuration(&base), authorize);
        endpoint
            .max_session_duration(Duration::from_secs(seconds))
            .allow("max_session_duration", Choice::up_to(u64::MAX))
    };
    let mut exchanges = Vec::new();
    for seconds in [u64::MAX, u64::from(u32::MAX), 1 << 32] {
        let endpoint = ServedEndpoint::start(endpoint(seconds)).await;
        let case = format!("at most {seconds} s");
        exchanges.push(exchange(&case, &server, endpoint.post("ada", "{}")).await);
        for chosen in [json!(i64::MAX), json!(1e30)] {
            let choices = json!({ "max_session_duration": chosen }).to_string();
            let case = format!("{case}, {chosen} chosen");
            exchanges.push(exchange(&case, &server, endpoint.post("bob", &choices)).await);
        }
    }
    let longest = async |_| Err::<String, _>(Rejection::TooMany(Duration::MAX));
    let endpoint = TokenEndpoint::new(client(&server), configuration(&base), longest);
    let endpoint = ServedEndpoint::start(endpoint).await;
    exchanges.push(exchange("the longest rejection", &server, endpoint.post("ada", "{}")).await);

    let endpoint = TokenEndpoint::new(client(&server), configuration(&base), authorize).start_sessions();
    let endpoint = ServedEndpoint::start(endpoint).await;
    for pause in ["1e30", "18446744073709551615", "18446744073709551614.5"] {
        let full =
            MockResponse::json(403, json!({ "code": 4032, "message": "full" })).header("retry-after", pause);
        server.mock_response("start_session", full);
        let case = format!("the service asks for {pause} s");
        exchanges.push(exchange(&case, &server, endpoint.post("ada", "{}")).await);
    }
    assert_eq!(send(endpoint.post("ada", "{}")).await.0, 200);
    insta::assert_snapshot!(exchanges.join("\n"));
}
