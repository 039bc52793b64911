//! Everything that one server remembers, and the rules between its parts.

use super::answer::MockResponse;
use super::catalogue::Catalogue;
use super::clock::Clock;
use super::resource::{Action, Step};
use super::session_calls::Call;
use super::sessions::{Limits, Sessions};
use liveavatar_api::session::SANDBOX_AVATAR_ID;

/// The only avatar of embeds in the sandbox, by the agent guides.
const SANDBOX_EMBED_AVATAR_ID: &str = "65f9e3c9-d48b-4118-b73a-4ae2e3cbb8f0";

pub(super) struct World {
    pub(super) sessions: Sessions,
    pub(super) catalogue: Catalogue,
    /// Whether avatars that are not in the catalogue are refused.
    known_avatars_only: bool,
}

impl World {
    pub(super) fn new(clock: &Clock, limits: Limits, public: u32, known_avatars_only: bool) -> World {
        World {
            sessions: Sessions::new(limits, clock.clone()),
            catalogue: Catalogue::new(public, clock.clone()),
            known_avatars_only,
        }
    }

    /// Whether a token may be minted for an avatar: not for one that was deleted.
    pub(super) fn may_use_avatar(&mut self, id: &str) -> bool {
        let is_known = !self.known_avatars_only || self.catalogue.has("avatars", id);
        is_known && !self.catalogue.is_deleted(id)
    }

    /// Answers an operation on stored things.
    pub(super) fn stored(&mut self, step: &Step, call: &Call<'_>) -> MockResponse {
        if matches!(step.action, Action::Create | Action::Update)
            && let Some(refusal) = self.refusal(step, call)
        {
            return refusal;
        }
        let (answer, deleted) = self.catalogue.answer(step, call);
        if let Some(avatar) = deleted.filter(|_| step.collection == "avatars") {
            self.sessions.avatar_deleted(&avatar);
        }
        answer
    }

    /// The references and sandbox rules that are on record for what is stored.
    fn refusal(&mut self, step: &Step, call: &Call<'_>) -> Option<MockResponse> {
        let text = |name: &str| call.input.body.get(name).and_then(|value| value.as_str());
        // A secret must belong to the space; the text follows that of language models, which is recorded.
        if let Some(secret) = text("secret_id").filter(|secret| !self.catalogue.has("secrets", secret)) {
            let reason = format!("Secret with id '{secret}' not found in your space");
            return Some(MockResponse::bad_request(&["secret_id"], &reason));
        }
        let is_sandbox = call.input.body.get("is_sandbox").is_some_and(|it| it == true);
        let allowed = [SANDBOX_EMBED_AVATAR_ID, SANDBOX_AVATAR_ID];
        let is_allowed = |id: &str| allowed.iter().any(|allowed| id.eq_ignore_ascii_case(allowed));
        if step.collection == "embeddings" && is_sandbox && !text("avatar_id").is_some_and(is_allowed) {
            return Some(MockResponse::bad_request(
                &["avatar_id"],
                "This avatar is not supported in sandbox mode",
            ));
        }
        None
    }
}
