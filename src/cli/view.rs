//! `recovnet [FILES or FOLDERS…]`: the window.

use std::path::PathBuf;

use crate::inference::engine::EngineConfig;
use crate::viewer;

/// Opens the window on some paths, and returns when it is closed.
///
/// # Errors
/// If there is no display or no graphics adapter.
pub fn run(paths: Vec<PathBuf>, engine: EngineConfig) -> Result<(), viewer::Error> {
    viewer::run(paths, engine)
}
