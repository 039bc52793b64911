//! Signalling over HTTP: the upgrade of `/rtc` and `/rtc/v1` to a web socket, and the requests that explain a rejected one.

use std::collections::HashMap;
use std::io::Read as _;

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper_util::rt::TokioIo;
use livekit_protocol as proto;
use prost::Message as _;
use proto::wrapped_join_request::Compression;
use tokio_websockets::ServerBuilder;

use super::connection::{self, Join};
use super::{Rooms, token};
use crate::cors;
use crate::response::MockResponse;

/// The tail of the key in a web socket's handshake (RFC 6455).
const HANDSHAKE: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Largest join request after decompression.
const MAX_JOIN_BYTES: u64 = 1024 * 1024;
/// Clients differ in the padding of the join request.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns whether a path belongs to LiveKit's signalling, not to the service.
pub(crate) fn is_signalling(path: &str) -> bool {
    matches!(path, "/rtc" | "/rtc/v1" | "/rtc/validate" | "/rtc/v1/validate")
}

/// Responds to a signalling request.
///
/// Without CORS, a browser could read neither the rejection of a token nor that a path does not exist, on which clients try the other
/// one.
pub(crate) fn respond(rooms: &Rooms, mut request: Request) -> Response<Body> {
    let origin = request.headers().get(ORIGIN).cloned();
    let response = handle(rooms, &mut request);
    let mut response = response.unwrap_or_else(|rejected| rejected.into_response("mock-room"));
    cors::allow(origin.as_ref(), &mut response);
    response
}

fn handle(rooms: &Rooms, request: &mut Request) -> Result<Response<Body>, MockResponse> {
    if let Some(preflight) = cors::preflight(request.headers(), &["GET"]) {
        return Err(preflight);
    }
    let query = Query::<HashMap<String, String>>::try_from_uri(request.uri());
    let query = query.map(|query| query.0).map_err(|_| text(400, "the query is invalid"))?;
    let token = query.get("access_token").map(String::as_str).or_else(|| bearer(request.headers()));
    let token = token.ok_or_else(|| text(401, "no token was given"))?;
    let claims = token::verify(token).map_err(|reason| text(401, reason))?;
    let path = request.uri().path();
    let is_single = path.starts_with("/rtc/v1");
    let mut join = Join { is_single, ..Join::default() };
    if is_single && query.contains_key("join_request") {
        let request = join_request(&query).map_err(|reason| text(400, reason))?;
        join.is_reconnect = request.reconnect;
        join.offer = request.publisher_offer;
        join.tracks = request.add_track_requests;
    }
    join.is_reconnect |= query.get("reconnect").is_some_and(|it| it == "1" || it == "true");
    let room = rooms.find(&claims.video.room).ok_or_else(|| text(404, "requested room does not exist"))?;
    if path.ends_with("validate") {
        return Ok(text(200, "success").into_response("mock-room"));
    }
    let key = request.headers().get(SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| text(400, "the request is not a web socket's handshake"))?;
    let accept = STANDARD
        .encode(sha1_smol::Sha1::from([key.as_bytes(), HANDSHAKE.as_bytes()].concat()).digest().bytes());
    let accept = HeaderValue::try_from(accept).map_err(|_| text(400, "the key is invalid"))?;
    let upgrade = hyper::upgrade::on(request);
    let context = rooms.0.context.clone();
    rooms.spawn(async move {
        let Ok(stream) = upgrade.await else { return };
        let socket = ServerBuilder::new().serve(TokioIo::new(stream));
        // An error means that the connection failed, so it cannot be reported there.
        let _ = Box::pin(connection::run(socket, context, room, claims, join)).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

fn text(status: u16, text: &str) -> MockResponse {
    MockResponse::raw(status, "text/plain", text)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn join_request(query: &HashMap<String, String>) -> Result<proto::JoinRequest, &'static str> {
    const INVALID: &str = "join_request is invalid";
    // Some clients use the standard alphabet.
    let encoded = query.get("join_request").ok_or(INVALID)?.replace(['+', ' '], "-").replace('/', "_");
    let wrapped = ANY_PADDING.decode(encoded).map_err(|_| INVALID)?;
    let wrapped = proto::WrappedJoinRequest::decode(&*wrapped).map_err(|_| INVALID)?;
    let mut request = wrapped.join_request;
    if wrapped.compression == i32::from(Compression::Gzip) {
        let mut plain = Vec::new();
        let decoder = flate2::read::GzDecoder::new(&*request);
        decoder.take(MAX_JOIN_BYTES).read_to_end(&mut plain).map_err(|_| INVALID)?;
        request = plain;
    }
    proto::JoinRequest::decode(&*request).map_err(|_| INVALID)
}
