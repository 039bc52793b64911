//! The endpoint without axum's router: under hyper, below any path, and behind a proxy.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use liveavatar_api::endpoint::{Choice, TokenEndpoint, TokenService};
use liveavatar_mock::Server;
use serde_json::json;
use tokio::net::TcpListener;

use super::{AVATAR, ServedEndpoint, authorize, client, configuration, exchange};

fn service(server: &Server) -> TokenService<String> {
    let base = json!({ "mode": "FULL", "avatar_id": AVATAR, "avatar_persona": { "language": "en" } });
    TokenEndpoint::new(client(server), configuration(&base), authorize)
        .allow("avatar_persona.language", Choice::one_of(["de"]))
        .start_sessions()
        .service()
        .unwrap()
}

/// Serves with hyper alone; returns the server's address.
async fn serve_with_hyper(service: TokenService<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    format!("http://{address}")
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// A reverse proxy that removes the prefix `/app`.
async fn proxy(upstream: String) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let forward = async move |request: Request| {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path().strip_prefix("/app").unwrap().to_owned();
        for name in ["host", "content-length"] {
            parts.headers.remove(name);
        }
        let sent = http
            .request(parts.method, format!("{upstream}{path}"))
            .headers(parts.headers)
            .header("x-forwarded-prefix", "/app")
            .body(axum::body::to_bytes(body, usize::MAX).await.unwrap());
        let response = sent.send().await.unwrap();
        let mut answer = axum::http::Response::builder().status(response.status());
        for (name, value) in response.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
            answer = answer.header(name, value);
        }
        answer.body(Body::from(response.bytes().await.unwrap())).unwrap()
    };
    serve(Router::new().fallback(forward)).await
}

#[tokio::test(start_paused = true)]
async fn the_service_works_under_hyper_behind_prefixes_and_proxies() {
    let mut all = Vec::new();
    for setup in ["hyper", "nested in axum", "behind a proxy", "behind a proxy and nested"] {
        let server = Server::start().await.unwrap();
        let service = service(&server);
        let url = match setup {
            "hyper" => serve_with_hyper(service).await,
            "nested in axum" => {
                serve(Router::new().nest_service("/api/session", service)).await + "/api/session"
            }
            "behind a proxy" => proxy(serve_with_hyper(service).await).await + "/app/session/",
            _ => proxy(serve(Router::new().nest_service("/session", service)).await).await + "/app/session/",
        };
        let endpoint = ServedEndpoint { url, http: reqwest::Client::builder().no_proxy().build().unwrap() };
        let mut exchanges = Vec::new();
        for (case, request) in [
            ("POST", endpoint.post("ada", r#"{"avatar_persona": {"language": "de"}}"#)),
            ("another field", endpoint.post("bob", r#"{"avatar_id": "x"}"#)),
            ("a second session", endpoint.post("ada", "{}")),
            ("GET", endpoint.request(reqwest::Method::GET)),
            ("DELETE", endpoint.delete("ada")),
        ] {
            exchanges.push(exchange(case, &server, request).await);
        }
        all.push(exchanges.join("\n"));
    }
    for other in &all[1..] {
        assert_eq!(other, &all[0]);
    }
    insta::assert_snapshot!(all[0]);
}
