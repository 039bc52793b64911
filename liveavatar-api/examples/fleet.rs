//! Stops the session of a crashed process, with a store in a folder and a reaper.
//!
//! Run it with `cargo run --example fleet [FOLDER]`. The program starts itself as a second process, which crashes. For several
//! machines, use `RedisStore` (feature `redis`), which also limits the number of concurrent sessions.

mod support;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID};
use liveavatar_api::store::{FileStore, Store as _};
use liveavatar_api::{API_KEY_ENV, BASE_URL_ENV, Client};
use support::{Connected, connect};

/// The argument for the process that crashes.
const CRASH: &str = "--crash";

/// Longer than a sandbox session, which ends after about a minute.
const LEASE: Duration = Duration::from_secs(90);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(first), Some(folder)) if first == CRASH => crash(Path::new(&folder)).await,
        (folder, _) => {
            let temporary = || std::env::temp_dir().join(format!("liveavatar-fleet-{}", std::process::id()));
            let given = folder.is_some();
            let folder = folder.map_or_else(temporary, PathBuf::from);
            let result = reap_and_continue(&folder).await;
            if !given {
                std::fs::remove_dir_all(folder)?;
            }
            result
        }
    }
}

fn configuration() -> Result<LiteSession, Box<dyn Error>> {
    Ok(LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build()?)
}

/// Starts a session and aborts, which skips every destructor.
async fn crash(folder: &Path) -> Result<(), Box<dyn Error>> {
    let client = Client::from_env()?;
    let store = FileStore::open(folder)?;
    let minted = client.mint(&configuration()?).await?;
    // Record the session before the start, so that it is never running without a record.
    let account = client.account().expect("the environment contains an API key");
    store.acquire(account, minted.id(), SystemTime::now() + LEASE).await?;
    minted.start().await?;
    println!("crashing  while session {} is running", minted.id());
    std::process::abort()
}

async fn reap_and_continue(folder: &Path) -> Result<(), Box<dyn Error>> {
    let Connected { client, mock } = connect().await?;
    let mut crashing = Command::new(std::env::current_exe()?);
    crashing.arg(CRASH).arg(folder);
    if let Some(mock) = &mock {
        crashing.env(API_KEY_ENV, mock.api_key()).env(BASE_URL_ENV, mock.url());
    }
    // Wait on a thread, because the mock in this process must keep responding.
    let status = tokio::task::spawn_blocking(move || crashing.status()).await??;
    println!("crashed   the other process: {status}");

    let account = client.account().expect("the client has an API key");
    let store = FileStore::open(folder)?;
    let reaper = client.reap().store(FileStore::open(folder)?).only_abandoned();
    for session in reaper.run().await.sessions() {
        println!("reaped    {session}");
    }

    let configuration = configuration()?;
    let session = reaper
        .or_retry(|| async {
            let minted = client.mint(&configuration).await?;
            // Do not start a session that could not be recorded.
            let until = SystemTime::now() + LEASE;
            store.acquire(account, minted.id(), until).await.expect("the folder is writable");
            minted.start().await?;
            Ok(client.session(minted.id()))
        })
        .await?;
    println!("started   {}", session.id());
    session.keep_alive().await?;
    store.renew(account, session.id()).await?;
    session.stop().await?;
    store.release(account, session.id()).await?;
    println!("stopped   {}; sessions in the store: {}", session.id(), store.held(account).await?.len());
    Ok(())
}
