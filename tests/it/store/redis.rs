//! The Redis store: slots, leases, claims, outages. The tests move the end of a lease instead of waiting for it.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::time::{Duration, SystemTime};

use liveavatar_api::store::{RedisStore, Store as _, StoreError};
use liveavatar_api::{Clock as _, Uuid};
use liveavatar_mock::Server;
use liveavatar_tests::{TestClock, client};

use super::redis_server::RedisServer;
use super::{account, later, mine, session};

/// Expires a lease, a claim or a pause now.
fn expire(server: &RedisServer, key: &str, number: u128) {
    server.command("ZADD", key, &["XX", "1", &session(number).to_string()]);
}

/// Ends the period after an outage in which no owner counts as dead.
async fn end_recovery(server: &RedisServer, store: &RedisStore) {
    let _ = store.held(mine()).await;
    server.command("HSET", "state", &["sure", "0"]);
}

fn all(sessions: impl IntoIterator<Item = u128>) -> BTreeSet<Uuid> {
    sessions.into_iter().map(session).collect()
}

async fn abandoned(store: &RedisStore) -> BTreeSet<Uuid> {
    store.claim_abandoned(mine()).await.unwrap().into_iter().collect()
}

fn slots(slots: u32) -> NonZero<u32> {
    NonZero::new(slots).unwrap()
}

#[tokio::test]
async fn a_slot_has_one_session_and_is_free_a_pause_after_its_release() {
    let Some(server) = RedisServer::start("slots and their pause").await else { return };
    let [one, other] = [(); 2].map(|()| server.store().slots(slots(2)).build().unwrap());
    one.acquire(mine(), session(1), later()).await.unwrap();
    one.acquire(mine(), session(1), later()).await.unwrap();
    other.acquire(mine(), session(2), later()).await.unwrap();
    let full = other.acquire(mine(), session(3), later()).await.unwrap_err();
    assert!(full.is_no_slot() && full.retry_after().is_none());
    one.release(mine(), session(1)).await.unwrap();
    let cooling = other.acquire(mine(), session(3), later()).await.unwrap_err();
    let wait = cooling.retry_after().unwrap();
    assert!(
        cooling.is_no_slot() && wait > Duration::from_secs(2) && wait <= Duration::from_secs(3),
        "{wait:?}"
    );
    expire(&server, "cooling", 1);
    other.acquire(mine(), session(3), later()).await.unwrap();
}

#[tokio::test]
async fn concurrent_machines_never_acquire_the_same_slot() {
    let Some(server) = RedisServer::start("concurrent acquisition").await else { return };
    let stores: Vec<RedisStore> = (0..4).map(|_| server.store().slots(slots(10)).build().unwrap()).collect();
    let calls = (0..40).map(|number| stores[number % 4].acquire(mine(), session(number as u128), later()));
    let acquired = futures_util::future::join_all(calls).await;
    assert_eq!(acquired.iter().filter(|acquired| acquired.is_ok()).count(), 10);
    assert!(acquired.into_iter().filter_map(Result::err).all(|error| error.is_no_slot()));
}

#[tokio::test]
async fn an_expired_lease_has_one_claim_at_a_time() {
    let Some(server) = RedisServer::start("claims").await else { return };
    let stores: Vec<RedisStore> = (0..8).map(|_| server.store().build().unwrap()).collect();
    end_recovery(&server, &stores[0]).await;
    stores[0].acquire(mine(), session(1), later()).await.unwrap();
    stores[0].acquire(mine(), session(2), later()).await.unwrap();
    assert_eq!(abandoned(&stores[1]).await, all([]));
    expire(&server, "leases", 1);
    let claims = futures_util::future::join_all(stores.iter().map(abandoned)).await;
    assert_eq!(claims.into_iter().flatten().collect::<Vec<_>>(), [session(1)]);
    assert_eq!(stores[3].held(mine()).await.unwrap(), all([2]));
    expire(&server, "claims", 1);
    assert_eq!(abandoned(&stores[2]).await, all([1]));
    stores[2].release(mine(), session(1)).await.unwrap();
    expire(&server, "claims", 1);
    assert_eq!(abandoned(&stores[2]).await, all([]));
}

#[tokio::test]
async fn a_late_renewal_restores_an_expired_lease() {
    let Some(server) = RedisServer::start("late renewal").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(mine(), session(1), later()).await.unwrap();
    expire(&server, "leases", 1);
    owner.renew(mine(), session(1)).await.unwrap();
    assert_eq!(abandoned(&other).await, all([]));
    assert_eq!(other.held(mine()).await.unwrap(), all([1]));
    // An owner cannot renew the session of another owner, or one that it released.
    other.renew(mine(), session(2)).await.unwrap();
    owner.release(mine(), session(1)).await.unwrap();
    owner.renew(mine(), session(1)).await.unwrap();
    assert_eq!(other.held(mine()).await.unwrap(), all([]));
}

#[tokio::test]
async fn a_session_is_forgotten_after_its_latest_end() {
    let Some(server) = RedisServer::start("ends of sessions").await else { return };
    let store = server.store().slots(slots(1)).build().unwrap();
    end_recovery(&server, &store).await;
    store.acquire(mine(), session(1), later()).await.unwrap();
    expire(&server, "ends", 1);
    store.acquire(mine(), session(2), later()).await.unwrap();
    assert_eq!(store.held(mine()).await.unwrap(), all([2]));
}

#[tokio::test]
async fn after_a_restart_no_owner_counts_as_dead_until_all_could_renew() {
    let Some(mut server) = RedisServer::start("restart with data").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(mine(), session(1), later()).await.unwrap();
    server.kill();
    assert!(owner.renew(mine(), session(1)).await.unwrap_err().is_unavailable());
    assert!(owner.acquire(mine(), session(2), later()).await.unwrap_err().is_unavailable());
    server.start_again().await;
    // As after an outage that is longer than the lease.
    expire(&server, "leases", 1);
    assert!(other.claim_abandoned(mine()).await.unwrap_err().is_unavailable());
    assert!(other.held(mine()).await.unwrap_err().is_unavailable());
    owner.renew(mine(), session(1)).await.unwrap();
    server.command("HSET", "state", &["sure", "0"]);
    assert_eq!(abandoned(&other).await, all([]));
    assert_eq!(other.held(mine()).await.unwrap(), all([1]));
}

#[tokio::test]
async fn after_an_outage_no_owner_counts_as_dead_until_all_could_renew() {
    let Some(server) = RedisServer::start("outage").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(mine(), session(1), later()).await.unwrap();
    expire(&server, "leases", 1);
    server.command("HSET", "state", &["heard", "1"]);
    assert!(other.claim_abandoned(mine()).await.unwrap_err().is_unavailable());
    assert!(other.held(mine()).await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_renewal_restores_a_session_after_redis_lost_its_data() {
    let Some(mut server) = RedisServer::start("restart without data").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().slots(slots(1)).build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(mine(), session(1), later()).await.unwrap();
    server.kill();
    server.lose_data();
    server.start_again().await;
    assert!(other.held(mine()).await.unwrap_err().is_unavailable());
    owner.renew(mine(), session(1)).await.unwrap();
    server.command("HSET", "state", &["sure", "0"]);
    assert_eq!(other.held(mine()).await.unwrap(), all([1]));
    assert!(other.acquire(mine(), session(2), later()).await.unwrap_err().is_no_slot());
}

#[tokio::test]
async fn the_sessions_and_slots_of_two_accounts_are_separate() {
    let Some(server) = RedisServer::start("accounts").await else { return };
    let store = server.store().slots(slots(1)).build().unwrap();
    end_recovery(&server, &store).await;
    store.acquire(mine(), session(1), later()).await.unwrap();
    store.acquire(account("theirs"), session(2), later()).await.unwrap();
    assert_eq!(store.held(mine()).await.unwrap(), all([1]));
    expire(&server, "leases", 1);
    // Otherwise the service tells a reaper with the wrong key that the session is gone, and the store forgets it.
    let _ = store.held(account("theirs")).await;
    server.command_of(account("theirs"), "HSET", "state", &["sure", "0"]);
    assert_eq!(store.claim_abandoned(account("theirs")).await.unwrap(), [] as [Uuid; 0]);
    assert_eq!(abandoned(&store).await, all([1]));
}

/// The error's cause, which says how long to wait.
fn wait(error: &StoreError) -> Duration {
    let text = std::error::Error::source(error).unwrap().to_string();
    let millis = text.split(' ').find_map(|word| word.parse().ok());
    Duration::from_millis(millis.unwrap_or_else(|| panic!("{text}")))
}

#[tokio::test]
async fn after_a_loss_of_data_claims_fail_until_owners_with_the_longest_keep_alive_interval_could_renew() {
    let Some(mut server) = RedisServer::start("long keep-alive interval").await else { return };
    let store = server.store().build().unwrap();
    end_recovery(&server, &store).await;
    server.kill();
    server.lose_data();
    server.start_again().await;
    for error in [
        store.claim_abandoned(mine()).await.map(drop).unwrap_err(),
        store.held(mine()).await.map(drop).unwrap_err(),
    ] {
        assert!(error.is_unavailable() && wait(&error) > Duration::from_secs(180), "{}", texts(&error));
    }
}

#[tokio::test]
async fn a_reaper_that_cannot_know_who_is_dead_is_not_complete() {
    let Some(redis) = RedisServer::start("incomplete reaper").await else { return };
    let service = Server::start().await.unwrap();
    let store = redis.store().build().unwrap();
    let reaped = client(&service).reap().store(store).only_abandoned().run().await;
    assert!(!reaped.is_complete() && reaped.store_error().is_some());
}

#[tokio::test]
async fn a_reaper_that_returns_after_the_recovery_time_finds_the_abandoned_sessions() {
    let Some(server) = RedisServer::start("rare reaper").await else { return };
    let [dead, reaper] = [(); 2].map(|()| server.store().build().unwrap());
    end_recovery(&server, &dead).await;
    dead.acquire(mine(), session(1), later()).await.unwrap();
    expire(&server, "leases", 1);
    server.command("HSET", "state", &["heard", "1"]);
    assert!(reaper.claim_abandoned(mine()).await.unwrap_err().is_unavailable());
    // The lease that owners have to renew has just passed, without any call.
    let now = millis_since_1970();
    server.command("HSET", "state", &["heard", &(now - 200_000).to_string(), "sure", &now.to_string()]);
    assert_eq!(abandoned(&reaper).await, all([1]));
}

fn millis_since_1970() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

#[tokio::test]
async fn the_clock_of_the_machine_does_not_matter_to_leases() {
    let Some(server) = RedisServer::start("another clock").await else { return };
    // In January 2026, months or years from the clock of Redis.
    let clock = TestClock::default();
    let [owner, other] = [server.store().clock(clock.clone()), server.store()].map(|it| it.build().unwrap());
    end_recovery(&server, &other).await;
    owner.acquire(mine(), session(1), clock.now() + Duration::from_secs(600)).await.unwrap();
    assert_eq!(other.held(mine()).await.unwrap(), all([1]));
    assert_eq!(abandoned(&other).await, all([]));
    expire(&server, "leases", 1);
    assert_eq!(abandoned(&other).await, all([1]));
}

#[tokio::test]
async fn a_renewal_counts_even_if_the_clock_of_its_machine_jumped_past_the_end() {
    let Some(server) = RedisServer::start("jumping clock").await else { return };
    let clock = TestClock::default();
    let [owner, other] = [server.store().clock(clock.clone()), server.store()].map(|it| it.build().unwrap());
    end_recovery(&server, &other).await;
    owner.acquire(mine(), session(1), clock.now() + Duration::from_secs(1200)).await.unwrap();
    clock.sleep(Duration::from_secs(3600)).await;
    expire(&server, "leases", 1);
    owner.renew(mine(), session(1)).await.unwrap();
    assert_eq!(other.held(mine()).await.unwrap(), all([1]));
    assert_eq!(abandoned(&other).await, all([]));
}

#[tokio::test]
async fn a_redis_clock_that_is_set_forward_by_minutes_does_not_forget_a_session() {
    let Some(server) = RedisServer::start("clock set forward").await else { return };
    let store = server.store().build().unwrap();
    store.acquire(mine(), session(1), SystemTime::now() + Duration::from_secs(600)).await.unwrap();
    let after_the_end = (millis_since_1970() + 600_000 + 290_000).to_string();
    let remembered: u32 = server.query("ZCOUNT", "ends", &[&after_the_end, "+inf"]);
    assert_eq!(remembered, 1);
}

#[tokio::test]
async fn a_redis_clock_that_is_set_back_does_not_extend_leases() {
    let Some(server) = RedisServer::start("clock set back").await else { return };
    let store = server.store().build().unwrap();
    end_recovery(&server, &store).await;
    store.acquire(mine(), session(1), later()).await.unwrap();
    let an_hour_ahead = (millis_since_1970() + 3_600_000).to_string();
    server.command("ZADD", "leases", &["XX", &an_hour_ahead, &session(1).to_string()]);
    server.command("HSET", "state", &["heard", &an_hour_ahead, "sure", &an_hour_ahead]);
    let error = store.held(mine()).await.unwrap_err();
    assert!(wait(&error) <= Duration::from_secs(200), "{}", texts(&error));
    let within_a_lease: u32 =
        server.query("ZCOUNT", "leases", &["0", &(millis_since_1970() + 200_000).to_string()]);
    assert_eq!(within_a_lease, 1);
}

#[tokio::test]
async fn a_session_without_an_owner_is_held_until_its_end_even_if_the_clock_is_set_back() {
    let Some(server) = RedisServer::start("sessions without an owner").await else { return };
    let [one, other] = [(); 2].map(|()| server.store().slots(slots(2)).build().unwrap());
    one.hold(mine(), session(1), later()).await.unwrap();
    one.hold(mine(), session(2), later()).await.unwrap();
    assert!(other.hold(mine(), session(3), later()).await.unwrap_err().is_no_slot());
    // The time of the last call is then in the future.
    let tomorrow = millis_since_1970() + 24 * 60 * 60 * 1000;
    server.command("HSET", "state", &["heard", &tomorrow.to_string()]);
    drop(one);
    end_recovery(&server, &other).await;
    assert_eq!(other.held(mine()).await.unwrap(), all([1, 2]));
    assert_eq!(abandoned(&other).await, all([]));
    // An hour, and not the lease of 200 s.
    let after_a_lease = (millis_since_1970() + 3_000_000).to_string();
    let kept: u32 = server.query("ZCOUNT", "leases", &[&after_a_lease, "+inf"]);
    assert_eq!(kept, 2);
    other.release(mine(), session(1)).await.unwrap();
    expire(&server, "ends", 2);
    assert_eq!(other.held(mine()).await.unwrap(), all([]));
}

fn texts(error: &StoreError) -> String {
    format!("{error} {error:?} {:?}", std::error::Error::source(error).map(ToString::to_string))
}

#[tokio::test]
async fn no_output_contains_the_address_or_its_password() {
    let Some(server) = RedisServer::start_with("passwords", Some("canary-right")).await else { return };
    let store = server.store().build().unwrap();
    store.acquire(mine(), session(1), later()).await.unwrap();
    let wrong = server.address().replace("canary-right", "canary-wrong");
    let wrong = RedisStore::builder(wrong).build().unwrap();
    let error = wrong.acquire(mine(), session(1), later()).await.unwrap_err();
    let shown = format!("{store:?} {wrong:?} {:?} {}", server.store(), texts(&error));
    assert!(error.is_unavailable() && !shown.contains("canary") && !shown.contains("socket"), "{shown}");
}

#[test]
fn an_invalid_setting_is_an_error_that_names_it() {
    let builder = || RedisStore::builder("redis://:canary@localhost");
    let invalid = [
        RedisStore::builder("http://canary@localhost"),
        builder().prefix("{a}"),
        builder().lease(Duration::from_millis(999)),
    ];
    let lines: Vec<String> = invalid
        .into_iter()
        .map(|builder| std::error::Error::source(&builder.build().unwrap_err()).unwrap().to_string())
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    address: is not a Redis address; use one such as `redis://host:6379/0` or `redis+unix:///path`
    prefix: contains a brace; remove it
    lease: is shorter than 1 s; use more than twice the keep-alive interval
    ");
}
