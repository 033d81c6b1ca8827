//! One radiograph through both networks to [`Findings`]: a plain function, no threads of its own.

use crate::findings::Findings;
use crate::imaging::Radiograph;

use super::models::Models;

/// What the pipeline is about to do; the engine passes it on as progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Radiograph to network input.
    Preprocess,
    /// Lung segmentation.
    Segment,
    /// Classification.
    Classify,
    /// Grad-CAM.
    Explain,
}

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The picture is shown but was not made for these networks.
    #[error("not predicted: {0}")]
    OutOfScope(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A network failed.
    #[error(transparent)]
    Network(#[from] crate::nn::Error),
}

/// Runs both networks on one image.
///
/// `on_stage` is called before each stage and returns whether to go on; `false` ends in [`Error::Cancelled`].
///
/// # Errors
/// If the picture is out of scope, a network fails, or the caller stops it.
pub fn analyse(
    models: &Models,
    image: &Radiograph,
    on_stage: &mut dyn FnMut(Stage) -> bool,
) -> Result<Findings, Error> {
    let _ = (models, image, on_stage);
    Err(Error::Cancelled)
}
