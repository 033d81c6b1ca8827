//! `recovnet import`: an encoder trained elsewhere becomes a weights file that a training run can begin with.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::nn::BackboneKind;
use crate::nn::import::report::{Fate, Report};
use crate::nn::import::{self, Imported};

use super::Usage;
use super::output::Lines;

/// Arguments of `recovnet import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// File of torchvision or timm (.pth, .safetensors) or Keras (.h5, .weights.h5)
    file: PathBuf,
    /// What it holds, such as densenet121 or resnet50
    #[arg(long = "as", value_name = "ENCODER")]
    backbone: BackboneKind,
    /// Weights file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where one JSON object about every tensor goes, instead of the table: - for standard output, or a file
    #[arg(long, value_name = "-|FILE")]
    json: Option<PathBuf>,
}

/// What the command says in JSON.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    report: &'a Report,
    counts: serde_json::Map<String, serde_json::Value>,
    /// Weights file that was written, and its SHA-256.
    out: Option<String>,
    out_sha256: Option<String>,
}

/// Imports; prints what became of every tensor.
///
/// # Errors
/// If the file cannot be used; nothing is written then.
pub fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    for output in [Some(&args.out), args.json.as_ref()].into_iter().flatten() {
        if is_same(output, &args.file) {
            let sentence = format!("{}: is the input and would be overwritten", output.display());
            return Err(Usage(sentence).into());
        }
    }
    if args
        .json
        .as_deref()
        .is_some_and(|json| json != Path::new("-") && is_same(json, &args.out))
    {
        return Err(Usage(format!("{}: is named twice", args.out.display())).into());
    }
    let imported = import::read(&args.file, args.backbone)?;
    let written = save(&imported, args)?;
    say(&imported.report, written.as_deref(), args)?;
    match &imported.report.problem {
        None => Ok(ExitCode::SUCCESS),
        Some(problem) => anyhow::bail!("{}: {problem}; nothing was written", args.file.display()),
    }
}

/// Writes the weights, if they can be used.
fn save(imported: &Imported, args: &ImportArgs) -> anyhow::Result<Option<String>> {
    if imported.report.problem.is_some() {
        return Ok(None);
    }
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    }
    Ok(Some(imported.save(&args.out)?))
}

fn say(report: &Report, written: Option<&str>, args: &ImportArgs) -> anyhow::Result<()> {
    let Some(json) = &args.json else {
        print!("{}", table(report));
        if let Some(sha256) = written {
            println!("\nWritten: {} (SHA-256 {sha256})", args.out.display());
            println!(
                "It holds an encoder only: `recovnet train segmenter|baseline --encoder {} --graph {} --init` begins \
                 with it.",
                report.backbone, report.graph
            );
        }
        return Ok(());
    };
    let counts = Fate::ALL
        .iter()
        .map(|&fate| (fate.name().replace(' ', "_"), report.count(fate).into()));
    let mut lines = Lines::open(Some(json))?;
    lines.write(&Said {
        report,
        counts: counts.collect(),
        out: written.map(|_| args.out.display().to_string()),
        out_sha256: written.map(str::to_owned),
    })?;
    lines.close()
}

fn is_same(one: &Path, two: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(two)) {
        (Ok(one), Ok(two)) => one == two,
        _ => one == two,
    }
}

/// Counts, and every tensor that was not simply used.
fn table(report: &Report) -> String {
    let mut text = format!(
        "{} ({}) as {}, {} graph: {} tensors needed\n",
        report.file,
        report.format.name(),
        report.backbone,
        report.graph,
        report.needed
    );
    // Writing to a string cannot fail.
    for fate in Fate::ALL {
        let count = report.count(fate);
        if count > 0 {
            let _ = writeln!(text, "  {:<14}{count:>6}", fate.name());
        }
    }
    for fate in Fate::ALL.into_iter().skip(1) {
        if report.count(fate) == 0 {
            continue;
        }
        let _ = writeln!(text, "\n{}:", fate.name());
        for entry in report.tensors.iter().filter(|entry| entry.fate == fate) {
            let _ = writeln!(text, "  {}", entry.words());
        }
    }
    text
}
