//! From the service's document to the one that the client is generated from.

use std::path::Path;

use serde_json::Value;

use crate::behaviour;
use crate::documents;
use crate::error::TaskError;
use crate::lower::{self, Lowered, RefusedOperation};
use crate::normalise;
use crate::overlay::{self, OverlayReport};
use crate::source::DocumentSource;

/// A document at every stage of the pipeline.
#[derive(Debug)]
pub struct Pipeline {
    /// As the service publishes it, normalised.
    pub upstream: Value,
    /// With the overlay applied.
    pub corrected: Value,
    /// What the overlay changed.
    pub corrections: OverlayReport,
    /// What progenitor reads.
    pub lowered: Lowered,
}

impl Pipeline {
    /// Corrects and lowers a document.
    ///
    /// # Errors
    /// When the document cannot be used. Overlay actions and steps that no longer apply are in [`stale`](Self::stale) instead,
    /// and operations that cannot be lowered in [`Lowered::refused`].
    pub fn run(upstream: Value, overlay: &Value) -> Result<Self, TaskError> {
        let mut corrected = upstream.clone();
        let corrections = overlay::apply(&mut corrected, overlay)?;
        behaviour::check(&upstream, &corrected)?;
        normalise::sort(&mut corrected);
        let mut lowered = lower::lower(&corrected)?;
        normalise::sort(&mut lowered.document);
        Ok(Self { upstream, corrected, corrections, lowered })
    }

    /// Takes the errors of overlay actions and lowering steps that no longer apply.
    pub fn stale(&mut self) -> Vec<TaskError> {
        let mut stale = std::mem::take(&mut self.corrections.stale);
        stale.append(&mut self.lowered.stale);
        stale
    }

    /// Takes the errors that `regen` has to stop at: operations without generated code, then everything that is stale.
    pub(crate) fn errors(&mut self) -> Vec<TaskError> {
        let refused = self.lowered.refused.iter().map(RefusedOperation::error);
        refused.collect::<Vec<_>>().into_iter().chain(self.stale()).collect()
    }
}

/// Reads the committed overlay.
///
/// # Errors
/// When it cannot be read.
pub fn overlay(root: &Path) -> Result<Value, TaskError> {
    DocumentSource::File(root.join(documents::OVERLAY)).read()
}
