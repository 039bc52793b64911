//! Connection pools of runtimes that may be idle, whose connections move only while they are polled.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

/// Pools kept for the most recent runtimes; a program that makes a runtime for each call should not fill the memory.
const MAX_POOLS: usize = 16;

type Build = Box<dyn Fn() -> reqwest::Result<reqwest::Client> + Send + Sync>;

/// One client for all multi-thread runtimes, and one for each current-thread runtime.
pub(crate) struct Pools {
    /// `None` if the caller has set a `reqwest::ClientBuilder`, which can be used only once.
    build: Option<Build>,
    /// Each with its current-thread runtime.
    clients: Mutex<Vec<(Option<Id>, reqwest::Client)>>,
}

impl Pools {
    pub(crate) fn new(build: Option<Build>) -> Self {
        Self { build, clients: Mutex::default() }
    }

    /// Returns the client of the current runtime; the first one that asks gets `first`.
    pub(super) fn here(&self, first: &reqwest::Client) -> reqwest::Client {
        let Some(build) = &self.build else { return first.clone() };
        let runtime = Handle::try_current().ok();
        let runtime =
            runtime.filter(|it| it.runtime_flavor() == RuntimeFlavor::CurrentThread).map(|it| it.id());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == runtime) {
            return client.clone();
        }
        let new = if clients.is_empty() { Ok(first.clone()) } else { build() };
        // The same settings have worked before.
        let new = new.unwrap_or_else(|_| first.clone());
        if clients.len() == MAX_POOLS {
            clients.remove(0);
        }
        clients.push((runtime, new.clone()));
        new
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").finish_non_exhaustive()
    }
}
