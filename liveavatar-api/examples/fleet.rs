//! A process crashes with a running session, and the next one stops it: a store in a folder, and a reaper.
//!
//! `cargo run --example fleet [FOLDER]`. The program starts itself once more to have somebody who crashes. On several machines,
//! `RedisStore` of the feature `redis` takes the folder's place and counts the account's slots as well.

mod support;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use liveavatar_api::session::{Configuration, Lite, SANDBOX_AVATAR_ID};
use liveavatar_api::store::{FileStore, Store as _};
use liveavatar_api::types::SessionEndReason;
use liveavatar_api::{API_KEY_ENV, BASE_URL_ENV, Client};
use support::{Connected, connect};

/// Tells the program to be the one that crashes.
const CRASH: &str = "--crash";

/// A session in the sandbox ends by itself after about a minute.
const LONGEST: Duration = Duration::from_secs(90);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(first), Some(folder)) if first == CRASH => crash(Path::new(&folder)).await,
        (folder, _) => {
            let own = || std::env::temp_dir().join(format!("liveavatar-fleet-{}", std::process::id()));
            let given = folder.is_some();
            let folder = folder.map_or_else(own, PathBuf::from);
            let done = survive(&folder).await;
            if !given {
                std::fs::remove_dir_all(folder)?;
            }
            done
        }
    }
}

fn configuration() -> Result<Configuration<Lite>, Box<dyn Error>> {
    Ok(Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true))?)
}

/// Starts a session and ends as a crash does: nothing is stopped, nothing is dropped.
async fn crash(folder: &Path) -> Result<(), Box<dyn Error>> {
    let client = Client::from_env()?;
    let store = FileStore::open(folder)?;
    let minted = client.mint(&configuration()?).await?;
    // Noted before the start, so that there is no moment in which it runs and nobody knows.
    store.acquire(minted.id(), SystemTime::now() + LONGEST).await?;
    let session = minted.start().await?;
    println!("crashes  with session {} running", session.id());
    std::process::abort()
}

async fn survive(folder: &Path) -> Result<(), Box<dyn Error>> {
    let Connected { client, mock } = connect().await?;
    let mut other = Command::new(std::env::current_exe()?);
    other.arg(CRASH).arg(folder);
    if let Some(mock) = &mock {
        other.env(API_KEY_ENV, mock.api_key()).env(BASE_URL_ENV, mock.url());
    }
    // The mock lives in this process and has to answer meanwhile.
    let ended = tokio::task::spawn_blocking(move || other.status()).await??;
    println!("other    process ended: {ended}");

    let store = FileStore::open(folder)?;
    let reaper = client.reap().store(FileStore::open(folder)?).only_abandoned();
    for session in reaper.run().await.sessions() {
        println!("reaped   {session}");
    }

    let configuration = configuration()?;
    let session = reaper
        .or_retry(|| async {
            let minted = client.mint(&configuration).await?;
            // Without a note the session is not started; here that ends the program.
            let until = SystemTime::now() + LONGEST;
            store.acquire(minted.id(), until).await.expect("a folder that can be written");
            minted.start().await
        })
        .await?;
    println!("started  {}", session.id());
    session.keep_alive().await?;
    store.renew(session.id()).await?;
    session.stop(SessionEndReason::UserClosed).await?;
    store.release(session.id()).await?;
    println!("stopped  {}, {} sessions are held", session.id(), store.held().await?.len());
    Ok(())
}
