//! The store in Redis: slots, leases, claims, outages. Time passes by moving a lease's end, not by waiting for it.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::time::Duration;

use liveavatar_api::Uuid;
use liveavatar_api::store::{RedisStore, Store as _, StoreError};

use super::redis_server::RedisServer;
use super::{later, session};

/// Ends a lease, a claim or a pause that would end by itself later.
fn end(server: &RedisServer, key: &str, number: u128) {
    server.command("ZADD", key, &["XX", "1", &session(number).to_string()]);
}

/// Ends the time in which nobody is sure who lives.
async fn settle(server: &RedisServer, store: &RedisStore) {
    let _ = store.held().await;
    server.command("HSET", "state", &["sure", "0"]);
}

fn all(sessions: impl IntoIterator<Item = u128>) -> BTreeSet<Uuid> {
    sessions.into_iter().map(session).collect()
}

async fn abandoned(store: &RedisStore) -> BTreeSet<Uuid> {
    store.claim_abandoned().await.unwrap().into_iter().collect()
}

fn slots(slots: u32) -> NonZero<u32> {
    NonZero::new(slots).unwrap()
}

#[tokio::test]
async fn a_slot_is_taken_by_one_session_and_free_a_pause_after_it_is_given_back() {
    let Some(server) = RedisServer::start("slots and their pause").await else { return };
    let [one, other] = [(); 2].map(|()| server.store().slots(slots(2)).build().unwrap());
    one.acquire(session(1), later()).await.unwrap();
    one.acquire(session(1), later()).await.unwrap();
    other.acquire(session(2), later()).await.unwrap();
    let full = other.acquire(session(3), later()).await.unwrap_err();
    assert!(full.is_no_slot() && full.retry_after().is_none());
    one.release(session(1)).await.unwrap();
    let cooling = other.acquire(session(3), later()).await.unwrap_err();
    let wait = cooling.retry_after().unwrap();
    assert!(
        cooling.is_no_slot() && wait > Duration::from_secs(2) && wait <= Duration::from_secs(3),
        "{wait:?}"
    );
    end(&server, "cooling", 1);
    other.acquire(session(3), later()).await.unwrap();
}

#[tokio::test]
async fn no_two_machines_get_the_same_slot() {
    let Some(server) = RedisServer::start("many takes at once").await else { return };
    let stores: Vec<RedisStore> = (0..4).map(|_| server.store().slots(slots(10)).build().unwrap()).collect();
    let calls = (0..40).map(|number| stores[number % 4].acquire(session(number as u128), later()));
    let taken = futures_util::future::join_all(calls).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 10);
    assert!(taken.into_iter().filter_map(Result::err).all(|error| error.is_no_slot()));
}

#[tokio::test]
async fn a_lapsed_lease_is_claimed_by_exactly_one_and_again_when_the_claim_lapses() {
    let Some(server) = RedisServer::start("claims").await else { return };
    let stores: Vec<RedisStore> = (0..8).map(|_| server.store().build().unwrap()).collect();
    settle(&server, &stores[0]).await;
    stores[0].acquire(session(1), later()).await.unwrap();
    stores[0].acquire(session(2), later()).await.unwrap();
    assert_eq!(abandoned(&stores[1]).await, all([]));
    end(&server, "leases", 1);
    let claims = futures_util::future::join_all(stores.iter().map(abandoned)).await;
    assert_eq!(claims.into_iter().flatten().collect::<Vec<_>>(), [session(1)]);
    assert_eq!(stores[3].held().await.unwrap(), all([2]));
    end(&server, "claims", 1);
    assert_eq!(abandoned(&stores[2]).await, all([1]));
    stores[2].release(session(1)).await.unwrap();
    end(&server, "claims", 1);
    assert_eq!(abandoned(&stores[2]).await, all([]));
}

#[tokio::test]
async fn an_owner_that_speaks_up_again_is_held_again() {
    let Some(server) = RedisServer::start("late renewal").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    settle(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    end(&server, "leases", 1);
    owner.renew(session(1)).await.unwrap();
    assert_eq!(abandoned(&other).await, all([]));
    assert_eq!(other.held().await.unwrap(), all([1]));
    // Nobody renews for somebody else, or what was given back.
    other.renew(session(2)).await.unwrap();
    owner.release(session(1)).await.unwrap();
    owner.renew(session(1)).await.unwrap();
    assert_eq!(other.held().await.unwrap(), all([]));
}

#[tokio::test]
async fn a_session_is_forgotten_when_it_can_no_longer_run() {
    let Some(server) = RedisServer::start("ends of sessions").await else { return };
    let store = server.store().slots(slots(1)).build().unwrap();
    settle(&server, &store).await;
    store.acquire(session(1), later()).await.unwrap();
    end(&server, "ends", 1);
    store.acquire(session(2), later()).await.unwrap();
    assert_eq!(store.held().await.unwrap(), all([2]));
}

#[tokio::test]
async fn after_a_restart_nobody_is_taken_for_gone_before_all_could_speak() {
    let Some(mut server) = RedisServer::start("restart with data").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    settle(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    server.kill();
    assert!(owner.renew(session(1)).await.unwrap_err().is_unavailable());
    assert!(owner.acquire(session(2), later()).await.unwrap_err().is_unavailable());
    server.start_again().await;
    // As if it had been away for longer than the lease.
    end(&server, "leases", 1);
    assert_eq!(abandoned(&other).await, all([]));
    assert!(other.held().await.unwrap_err().is_unavailable());
    owner.renew(session(1)).await.unwrap();
    server.command("HSET", "state", &["sure", "0"]);
    assert_eq!(abandoned(&other).await, all([]));
    assert_eq!(other.held().await.unwrap(), all([1]));
}

#[tokio::test]
async fn after_a_silence_nobody_is_taken_for_gone_before_all_could_speak() {
    let Some(server) = RedisServer::start("silence").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    settle(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    end(&server, "leases", 1);
    server.command("HSET", "state", &["heard", "1"]);
    assert_eq!(abandoned(&other).await, all([]));
    assert!(other.held().await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn what_lives_is_noted_again_after_redis_lost_its_data() {
    let Some(mut server) = RedisServer::start("restart without data").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().slots(slots(1)).build().unwrap());
    settle(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    server.kill();
    server.lose_data();
    server.start_again().await;
    assert!(other.held().await.unwrap_err().is_unavailable());
    owner.renew(session(1)).await.unwrap();
    server.command("HSET", "state", &["sure", "0"]);
    assert_eq!(other.held().await.unwrap(), all([1]));
    assert!(other.acquire(session(2), later()).await.unwrap_err().is_no_slot());
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let Some(server) = RedisServer::start("accounts").await else { return };
    let [one, other] = ["a", "b"].map(|name| server.store().account(name).slots(slots(1)).build().unwrap());
    one.acquire(session(1), later()).await.unwrap();
    other.acquire(session(1), later()).await.unwrap();
}

fn texts(error: &StoreError) -> String {
    format!("{error} {error:?} {:?}", std::error::Error::source(error).map(ToString::to_string))
}

#[tokio::test]
async fn the_address_and_its_password_do_not_show() {
    let Some(server) = RedisServer::start_with("passwords", Some("canary-right")).await else { return };
    let store = server.store().build().unwrap();
    store.acquire(session(1), later()).await.unwrap();
    let wrong = server.address().replace("canary-right", "canary-wrong");
    let wrong = RedisStore::builder(wrong).build().unwrap();
    let error = wrong.acquire(session(1), later()).await.unwrap_err();
    let shown = format!("{store:?} {wrong:?} {:?} {}", server.store(), texts(&error));
    assert!(error.is_unavailable() && !shown.contains("canary") && !shown.contains("socket"), "{shown}");
}

#[test]
fn what_cannot_be_a_store_is_refused_with_its_name() {
    let builder = || RedisStore::builder("redis://:canary@localhost");
    let refused = [
        RedisStore::builder("http://canary@localhost"),
        builder().account(""),
        builder().account("a}b"),
        builder().prefix("{a}"),
        builder().lease(Duration::from_millis(999)),
    ];
    let lines: Vec<String> = refused
        .into_iter()
        .map(|builder| std::error::Error::source(&builder.build().unwrap_err()).unwrap().to_string())
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    address: not one of Redis, such as `redis://host:6379/0` or `redis+unix:///path`
    account: empty or with a brace; give it a name of letters and digits
    account: empty or with a brace; give it a name of letters and digits
    prefix: braces are for the account's name; leave them out
    lease: shorter than 1 s; take more than twice the keep-alive's interval
    ");
}
