//! Session stores: acquiring, renewing and releasing sessions, one at a time and 1,000 at once.
//!
//! The file store is in the target folder, on a real disk. The Redis store is measured if `REDIS_URL` is set.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use liveavatar_api::store::{Account, FileStore, Store};
use liveavatar_api::{Credential, Uuid};

/// Sessions that start and end at the same time.
const AT_ONCE: u128 = 1_000;

/// Sessions that run while others start and end.
const RUNNING: u128 = 10_000;

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

fn account() -> Account {
    let key = Credential::api_key("bench").expect("a valid key");
    Account::of(&key).expect("an API key has an account")
}

async fn acquire(store: &dyn Store, session: u128) {
    store.acquire(account(), Uuid::from_u128(session), later()).await.expect("a working store");
}

async fn release(store: &dyn Store, session: u128) {
    store.release(account(), Uuid::from_u128(session)).await.expect("a working store");
}

fn measure(criterion: &mut Criterion, name: &str, store: &Arc<dyn Store>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(join_all((0..RUNNING).map(|session| acquire(&**store, session))));
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    let new = RUNNING + AT_ONCE;
    group.bench_function("acquire and release", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            acquire(&**store, new).await;
            release(&**store, new).await;
        });
    });
    group.bench_function("renew", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { black_box(store.renew(account(), Uuid::from_u128(7)).await) });
    });
    // `held` returns an error for the first lease after Redis has started.
    if runtime.block_on(store.held(account())).is_ok() {
        group.bench_function("held", |bencher| {
            bencher
                .to_async(&runtime)
                .iter(|| async { black_box(store.held(account()).await.map(|held| held.len())) });
        });
    }
    group.throughput(Throughput::Elements(AT_ONCE.try_into().unwrap_or(u64::MAX)));
    group.bench_function("acquire and release, 1000 at once", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            join_all((RUNNING..RUNNING + AT_ONCE).map(|session| acquire(&**store, session))).await;
            join_all((RUNNING..RUNNING + AT_ONCE).map(|session| release(&**store, session))).await;
        });
    });
    group.finish();
    runtime.block_on(join_all((0..RUNNING).map(|session| release(&**store, session))));
}

fn stores(criterion: &mut Criterion) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores");
    let file: Arc<dyn Store> = Arc::new(FileStore::open(&folder).expect("a writable folder"));
    measure(criterion, "file", &file);
    drop(file);
    std::fs::remove_dir_all(folder).expect("a removable folder");
    if let Ok(address) = std::env::var("REDIS_URL") {
        let store = liveavatar_api::store::RedisStore::builder(address).prefix("bench").build();
        let store: Arc<dyn Store> = Arc::new(store.expect("a Redis address"));
        measure(criterion, "redis", &store);
    }
}

criterion_group!(benches, stores);
criterion_main!(benches);
