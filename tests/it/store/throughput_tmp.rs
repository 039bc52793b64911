use super::{later, mine, session};
use liveavatar_api::store::{FileStore, Store as _};
use std::time::Instant;
#[tokio::test]
async fn throughput() {
    let folder = std::path::Path::new("/tmp/wt/store-target/fs/after");
    let _ = std::fs::remove_dir_all(folder);
    let store = FileStore::open(folder).unwrap();
    let t = Instant::now();
    for n in 0..200 {
        store.acquire(mine(), session(n), later()).await.unwrap();
    }
    eprintln!("THROUGHPUT one at a time: {:.0}/s", 200.0 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    let r = futures_util::future::join_all((1000..2000).map(|n| store.acquire(mine(), session(n), later())))
        .await;
    assert!(r.iter().all(Result::is_ok));
    eprintln!("THROUGHPUT 1000 at once: {:.0}/s", 1000.0 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    for n in 0..200 {
        store.renew(mine(), session(n)).await.unwrap();
    }
    eprintln!("THROUGHPUT renew: {:.0}/s", 200.0 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    eprintln!("held {} in {:?}", store.held(mine()).await.unwrap().len(), t.elapsed());
    let t = Instant::now();
    let r = futures_util::future::join_all((1000..2000).map(|n| store.release(mine(), session(n)))).await;
    assert!(r.iter().all(Result::is_ok));
    eprintln!("THROUGHPUT 1000 released: {:.0}/s", 1000.0 / t.elapsed().as_secs_f64());
}
