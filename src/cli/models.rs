//! `recovnet models`: which networks are there, which version, and how to get those that are not.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::inference::installed::{Installed, State, installed};
use crate::inference::models;
use crate::training::runs::registry::{Registry, Version};

use super::output::Lines;

/// Options of `recovnet models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Folder searched first for weights
    #[arg(long, value_name = "FOLDER")]
    weights: Option<PathBuf>,
    /// Where the JSON goes: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

/// A model with the versions in the user's list.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    installed: Installed,
    versions: Vec<Version>,
}

/// Runs the command.
///
/// # Errors
/// If the result cannot be written.
pub fn run(args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let folders = models::weights_folders(args.weights.as_deref());
    let registry = Registry::of_user();
    let mut lines = Lines::open(args.json.as_deref())?;
    for installed in installed(&folders) {
        let versions = registry.as_ref().map(|registry| registry.versions(&installed.name));
        let listed = Listed {
            versions: versions.unwrap_or_default(),
            installed,
        };
        lines.write(&listed)?;
        if matches!(lines, Lines::Words) {
            print_words(&listed);
        }
    }
    lines.close()?;
    Ok(ExitCode::SUCCESS)
}

fn print_words(listed: &Listed) {
    let Listed { installed, versions } = listed;
    let name = &installed.name;
    match &installed.state {
        State::Ready {
            version,
            sha256,
            threshold,
            weights,
            ..
        } => {
            let hash = sha256.get(..8).unwrap_or_default();
            println!(
                "{name}: {version} ({hash}), threshold {threshold:.3}, {}",
                weights.display()
            );
        }
        State::Broken { problem } => println!("{name}: cannot be used: {problem}"),
        State::Missing { how_to_train } => println!("{name}: not installed; {how_to_train}"),
    }
    for version in versions {
        let hash = version.sha256.get(..8).unwrap_or_default();
        let active = if version.active { ", active" } else { "" };
        println!(
            "    {} ({hash}), threshold {:.3}{active}",
            version.version, version.threshold
        );
    }
}
