//! Waiting for the training of an avatar.

use std::time::Duration;

use super::Client;
use crate::error::{Error, ErrorKind};
use crate::types::{Avatar, AvatarStatus};

impl Client {
    /// Waits until an avatar has been trained; requests its status every `interval`.
    ///
    /// # Errors
    /// [`ErrorKind::Service`] with the service's reason if the training failed, [`ErrorKind::Timeout`] if it takes longer than
    /// `limit`, and every error of a call.
    ///
    /// # Cancel safety
    /// Cancel safe: the training continues.
    pub async fn wait_for_avatar(
        &self,
        avatar_id: &str,
        interval: Duration,
        limit: Duration,
    ) -> Result<Avatar, Error> {
        let clock = self.clock();
        let started = clock.now();
        loop {
            let avatar = self.get_avatar_by_id().avatar_id(avatar_id).send().await?;
            match avatar.status.as_ref().and_then(|status| status.known()) {
                Some(AvatarStatus::Active) => return Ok(avatar),
                Some(AvatarStatus::Failed) => {
                    let reason = avatar.error_message.as_deref().unwrap_or("the service gave no reason");
                    return Err(
                        Error::reported("the avatar's training failed", reason).during("get_avatar_by_id")
                    );
                }
                _ => {}
            }
            let passed = clock.now().duration_since(started).unwrap_or_default();
            if passed.saturating_add(interval) > limit {
                let message = "the time limit passed, and the avatar is still in training";
                return Err(Error::new(ErrorKind::Timeout, message).during("get_avatar_by_id"));
            }
            clock.sleep(interval).await;
        }
    }
}
