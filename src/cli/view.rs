//! `recovnet [FILES or FOLDERS]`: the window.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::inference::engine::EngineConfig;
use crate::inference::models::ClassifierName;
use crate::viewer;

/// Opens the window on some paths, and returns when it is closed.
///
/// # Errors
/// If there is no display, or no graphics adapter that can draw on it.
pub fn run(paths: Vec<PathBuf>, weights: Option<PathBuf>, device: String) -> anyhow::Result<ExitCode> {
    let engine = EngineConfig {
        weights,
        classifier: ClassifierName::RecovnetV1,
        device,
    };
    viewer::run(paths, engine)?;
    Ok(ExitCode::SUCCESS)
}
