//! `recovnet [FILES or FOLDERS]`: the window.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::inference::engine::EngineConfig;
use crate::inference::models::ClassifierName;
use crate::viewer;
use crate::viewer::apply::Kept;

use super::folders;
use super::options::ModelArgs;

/// Opens the window on some paths, and returns when it is closed.
///
/// # Errors
/// If the threads cannot be had, or there is no display, or no graphics adapter that can draw on it.
pub fn run(paths: Vec<PathBuf>, models: ModelArgs) -> anyhow::Result<ExitCode> {
    models.threads.apply()?;
    let engine = EngineConfig {
        weights: models.weights,
        classifier: ClassifierName::RecovnetV1,
        device: models.device,
    };
    let kept = Kept {
        reports: folders::checks(),
        calibrations: folders::calibrations(),
        library: folders::library(),
    };
    viewer::run(paths, engine, kept)?;
    Ok(ExitCode::SUCCESS)
}
