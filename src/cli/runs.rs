//! `recovnet runs`: the runs under a folder, two of them side by side, and the way into the model list and back.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::inference::models::{self, ClassifierName};
use crate::nn::card::Task;
use crate::report;
use crate::training::audit;
use crate::training::evaluation::measure::{self, Chosen};
use crate::training::evaluation::{Calibration, Report, Selection, saved};
use crate::training::runs::promotion::{self, Promoted, Request, Standing, ThresholdChoice, ThresholdRule};
use crate::training::runs::registry::Registry;
use crate::training::runs::{self, Run};
use crate::training::split::Part;

use super::dataset::{DatasetArgs, warn_of_other_split};
use super::options::{ClassifierSource, ModelArgs, selection};
use super::output::Lines;
use super::{Usage, runs_table};

/// Options of `recovnet runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List the runs below a folder, the latest first
    List {
        /// The folder
        #[arg(default_value = "runs")]
        folder: PathBuf,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Show one run: settings, curves' ends, results, notes
    Show {
        /// Its folder
        run: PathBuf,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Compare two runs: settings that differ, results on the same split, a test of both
    Compare {
        /// Folder of the first
        first: PathBuf,
        /// Folder of the second
        second: PathBuf,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Write a run's notes; without a text they are printed
    Note {
        /// Its folder
        run: PathBuf,
        /// The notes
        text: Option<String>,
    },
    /// Move runs to the trash
    Delete {
        /// Their folders
        #[arg(required = true)]
        runs: Vec<PathBuf>,
    },
    /// Put a run's best weights into the model list
    Promote(Box<PromoteArgs>),
    /// Go back to an earlier version of a model in the list
    Rollback {
        /// Its name, such as recovnet-v1
        name: String,
        /// The version (or the beginning of its SHA-256) instead of the one before; 'shipped' for the weights that
        /// come with the program
        #[arg(long)]
        to: Option<String>,
    },
}

#[derive(Debug, Args)]
struct JsonArg {
    /// Where the JSON goes: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PromoteArgs {
    /// The run's folder
    run: PathBuf,
    /// Threshold instead of the card's: youden or f2 (by the run's evaluation of the validation part), or a number
    #[arg(long, value_name = "youden|f2|NUMBER")]
    threshold: Option<String>,
    /// Why it is promoted although the audit is red; the card keeps it
    #[arg(long)]
    reason: Option<String>,
    /// Data folder to make the audit and the calibration on, where the run has none of its best weights; the run's own
    /// data are parted as it parted them
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Part of the data for that audit: train, val, test or all
    #[arg(long, value_parser = selection, default_value = "test")]
    split: Selection,
    #[command(flatten)]
    models: ModelArgs,
}

/// Runs the command.
///
/// # Errors
/// If a run or the model list cannot be used.
pub fn run(args: RunsArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        RunsCommand::List { folder, json } => list(&folder, json.json.as_deref()),
        RunsCommand::Show { run, json } => {
            let run = runs::open(&run)?;
            print(json.json.as_deref(), &run, || runs_table::show(&run))
        }
        RunsCommand::Compare { first, second, json } => {
            let comparison = runs::compare(&first, &second)?;
            print(json.json.as_deref(), &comparison, || {
                runs_table::comparison(&comparison)
            })
        }
        RunsCommand::Note { run, text } => {
            match text {
                Some(text) => runs::write_notes(&run, &text)?,
                None => println!("{}", runs::open(&run)?.notes),
            }
            Ok(ExitCode::SUCCESS)
        }
        RunsCommand::Delete { runs } => {
            for run in &runs {
                runs::delete(run)?;
                println!("{}: moved to the trash", run.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        RunsCommand::Promote(args) => promote(&args),
        RunsCommand::Rollback { name, to } => roll_back(&name, to.as_deref()),
    }
}

fn list(folder: &Path, json: Option<&Path>) -> anyhow::Result<ExitCode> {
    let runs: Vec<Run> = runs::list(folder)?;
    let mut lines = Lines::open(json)?;
    for run in &runs {
        lines.write(run)?;
    }
    if matches!(lines, Lines::Words) {
        print!("{}", runs_table::list(&runs));
        if runs.is_empty() {
            println!("{}: no run below this folder", folder.display());
        }
    }
    lines.close()?;
    Ok(ExitCode::SUCCESS)
}

fn print(json: Option<&Path>, value: &impl serde::Serialize, words: impl Fn() -> String) -> anyhow::Result<ExitCode> {
    let mut lines = Lines::open(json)?;
    lines.write(value)?;
    if matches!(lines, Lines::Words) {
        print!("{}", words());
    }
    lines.close()?;
    Ok(ExitCode::SUCCESS)
}

fn registry() -> anyhow::Result<Registry> {
    Registry::of_user().context("the system names no home folder for the model list")
}

fn promote(args: &PromoteArgs) -> anyhow::Result<ExitCode> {
    let registry = registry()?;
    if let Some(data) = &args.data {
        make_what_is_missing(args, data)?;
    }
    let request = Request {
        threshold: args
            .threshold
            .as_deref()
            .map(|text| threshold(&args.run, text))
            .transpose()?,
        reason: args.reason.clone(),
    };
    let promoted = promotion::promote(&args.run, &request, &registry)?;
    say(&promoted, args.models.weights.as_deref());
    Ok(ExitCode::SUCCESS)
}

/// Audit and calibration, where the run has none of its best weights.
fn make_what_is_missing(args: &PromoteArgs, data: &Path) -> anyhow::Result<()> {
    let card = runs::card(&args.run)?;
    if card.task == Task::Segmenter {
        return Ok(());
    }
    let needs_audit = matches!(promotion::standing(&args.run)?, Standing::NoAudit(_));
    let needs_validation = Calibration::of_card(&card).is_none();
    if !needs_audit && !needs_validation {
        return Ok(());
    }
    let (manifest, name) = DatasetArgs::of_folder(data).open_for(Some(&args.run))?;
    args.models.threads.apply()?;
    let mut models = ClassifierSource::of_run(&args.run).load(&args.models)?;
    warn_of_other_split(&manifest.split.id, &models.classifier.1);
    if needs_validation {
        let split = Selection::Only(Part::Validation);
        let chosen = Chosen::of(&manifest, split);
        let never = std::sync::atomic::AtomicBool::new(false);
        let measured = measure::records(&mut models, &chosen.rows, &never, &mut |_, _| {});
        let report = Report::of(&models, name.clone(), split, &chosen, &measured);
        saved::write(
            &runs::evaluation_folder(&args.run, split.name()),
            &report,
            &measured.records,
        )?;
    }
    if needs_audit {
        let audit = super::audit::make(&mut models, &manifest, name, args.split)?;
        audit::saved::write(&runs::audit_folder(&args.run), &audit)?;
        eprint!("{}", super::audit::words(&audit));
    }
    Ok(())
}

fn threshold(run: &Path, text: &str) -> anyhow::Result<ThresholdChoice> {
    let rule = match text {
        "youden" => ThresholdRule::Youden,
        "f2" => ThresholdRule::F2,
        number => {
            let threshold: f64 = number
                .parse()
                .map_err(|_| Usage(format!("--threshold {number}: youden, f2 or a number is needed")))?;
            let card = runs::card(run)?;
            return Ok(ThresholdChoice {
                threshold,
                rule: "chosen by the user".to_owned(),
                version: card.version,
                weights_sha256: card.sha256,
            });
        }
    };
    Ok(ThresholdChoice::of_evaluation(
        &runs::evaluation_folder(run, "val"),
        rule,
    )?)
}

fn say(promoted: &Promoted, weights: Option<&Path>) {
    let card = &promoted.card;
    let hash = card.sha256.get(..8).unwrap_or_default();
    println!(
        "{} {} ({hash}) is in the model list: {}",
        card.name,
        card.version,
        promoted.weights.display()
    );
    if let Some(light) = promoted.light {
        println!("shortcut audit: {}", light.name());
    }
    if let Some(former) = &promoted.replaces {
        println!(
            "it replaces version {former}; 'recovnet runs rollback {}' goes back",
            card.name
        );
    }
    if let Some(first) = promoted.hidden_by(weights) {
        println!("note: {} is searched first and stays in use", first.display());
    }
    println!("{}.", report::NOTICE);
}

fn roll_back(name: &str, to: Option<&str>) -> anyhow::Result<ExitCode> {
    let registry = registry()?;
    let known = name == models::SEGMENTER || name.parse::<ClassifierName>().is_ok();
    if !known {
        let names = format!("{}, {}", ClassifierName::names(), models::SEGMENTER);
        return Err(Usage(format!("no model is called '{name}'; there are {names}")).into());
    }
    if to == Some("shipped") {
        registry.withdraw(name)?;
        println!("{name}: the list offers none of its own any more; the weights beside the program are used");
        return Ok(ExitCode::SUCCESS);
    }
    let card = registry.roll_back(name, to)?;
    let hash = card.sha256.get(..8).unwrap_or_default();
    println!(
        "{name}: back to version {} ({hash}), threshold {:.3}",
        card.version, card.threshold
    );
    Ok(ExitCode::SUCCESS)
}
