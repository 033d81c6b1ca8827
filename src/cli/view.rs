//! `recovnet [FILES or FOLDERS…]`: the window.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::inference::engine::EngineConfig;
use crate::inference::models::ClassifierName;
use crate::viewer;

/// Arguments of the window.
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// Files or folders to open.
    paths: Vec<PathBuf>,
    /// Folder with the weights, searched first.
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
    /// auto, cpu or cuda:N.
    #[arg(long, default_value = "auto")]
    device: String,
}

/// Opens the window on some paths, and returns when it is closed.
pub fn run(args: ViewArgs) -> anyhow::Result<ExitCode> {
    let engine = EngineConfig {
        weights: args.weights,
        classifier: ClassifierName::RecovnetV1,
        device: args.device,
    };
    viewer::run(args.paths, engine)?;
    Ok(ExitCode::SUCCESS)
}
