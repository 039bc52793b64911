//! Everything that one server remembers, and the rules that connect sessions with stored records.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::call::Call;
use crate::clock::Clock;
use crate::resource_operation::{Action, ResourceOperation, singular};
use crate::response::MockResponse;
use crate::sessions::{Limits, Sessions};
use crate::storage::Storage;
use liveavatar_api::session::SANDBOX_AVATAR_ID;

/// The only avatar that embeds may use in the sandbox (agent guides).
const SANDBOX_EMBED_AVATAR_ID: &str = "65f9e3c9-d48b-4118-b73a-4ae2e3cbb8f0";

pub(crate) struct ServerState {
    pub(crate) sessions: Sessions,
    pub(crate) storage: Storage,
    /// Whether avatars that are not stored are rejected.
    known_avatars_only: bool,
}

impl ServerState {
    pub(crate) fn new(clock: &Clock, limits: Limits, public: u32, known_avatars_only: bool) -> ServerState {
        ServerState {
            sessions: Sessions::new(limits, clock.clone()),
            storage: Storage::new(public, clock.clone()),
            known_avatars_only,
        }
    }

    /// Returns whether a token may be minted for an avatar; false for a deleted one.
    pub(crate) fn may_use_avatar(&mut self, id: &str) -> bool {
        let is_known = !self.known_avatars_only || self.storage.has("avatars", id);
        is_known && !self.storage.is_deleted(id)
    }

    /// Handles an operation on stored records.
    pub(crate) fn handle_resource(
        &mut self,
        resource: &ResourceOperation,
        call: &Call<'_>,
    ) -> Result<MockResponse, MockResponse> {
        if matches!(resource.action, Action::Create | Action::Update) {
            self.check_references(resource, call)?;
        }
        let response = self.storage.handle(resource, call);
        let response = response.ok_or_else(|| MockResponse::not_found(&singular(resource.collection)))?;
        if let (Action::Delete, "avatars", Some(id)) = (resource.action, resource.collection, resource.rest) {
            self.sessions.avatar_deleted(&call.path(id).to_lowercase());
        }
        Ok(response)
    }

    /// Checks the recorded rules about references and the sandbox.
    fn check_references(
        &mut self,
        resource: &ResourceOperation,
        call: &Call<'_>,
    ) -> Result<(), MockResponse> {
        let text = |name: &str| call.input.body.get(name).and_then(|value| value.as_str());
        // A secret must belong to the space; the text follows the recorded one for LLM configurations.
        if let Some(secret) = text("secret_id").filter(|secret| !self.storage.has("secrets", secret)) {
            let reason = format!("Secret with id '{secret}' not found in your space");
            return Err(MockResponse::bad_request(&["secret_id"], &reason));
        }
        let is_sandbox = call.input.body.get("is_sandbox").is_some_and(|it| it == true);
        let allowed = [SANDBOX_EMBED_AVATAR_ID, SANDBOX_AVATAR_ID];
        let is_allowed = |id: &str| allowed.iter().any(|allowed| id.eq_ignore_ascii_case(allowed));
        if resource.collection == "embeddings" && is_sandbox && !text("avatar_id").is_some_and(is_allowed) {
            return Err(MockResponse::bad_request(
                &["avatar_id"],
                "This avatar is not supported in sandbox mode",
            ));
        }
        Ok(())
    }
}

/// Locks a mutex even if it is poisoned: the test whose thread panicked has failed already.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
