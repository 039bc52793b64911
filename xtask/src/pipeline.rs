//! From the service's document to the one that the client is generated from.

use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::lower::{self, Lowered};
use crate::overlay::{self, Applied};
use crate::source::Source;
use crate::{normalise, regen};

/// A document on its way, at every station.
#[derive(Debug)]
pub struct Pipeline {
    /// As the service publishes it, normalised.
    pub upstream: Value,
    /// With our corrections.
    pub corrected: Value,
    /// What the corrections did.
    pub corrections: Applied,
    /// What progenitor reads.
    pub lowered: Lowered,
}

impl Pipeline {
    /// Corrects and lowers a document.
    ///
    /// # Errors
    /// When the document cannot be used; a correction or step that no longer applies is [told](Self::stale) instead.
    pub fn run(upstream: Value, overlay: &Value) -> Result<Self, Failure> {
        let mut corrected = upstream.clone();
        let corrections = overlay::apply(&mut corrected, overlay)?;
        normalise::sort(&mut corrected);
        let mut lowered = lower::lower(&corrected)?;
        normalise::sort(&mut lowered.document);
        Ok(Self { upstream, corrected, corrections, lowered })
    }

    /// The corrections and steps that no longer apply.
    pub fn stale(&mut self) -> Vec<Failure> {
        let mut stale = std::mem::take(&mut self.corrections.stale);
        stale.append(&mut self.lowered.stale);
        stale
    }
}

/// The committed corrections.
///
/// # Errors
/// When they cannot be read.
pub fn corrections(root: &Path) -> Result<Value, Failure> {
    Source::File(root.join(regen::OVERLAY)).read()
}
