//! The command line, one file a command: parses, calls one function, prints. Exit codes: 0 all good, 1 some
//! input failed, 2 usage.

mod audit;
mod bench;
mod check_data;
mod dataset;
mod deidentify;
mod doctor;
mod evaluate;
mod folders;
mod import;
mod index;
mod inputs;
mod inspect;
mod machine;
mod models;
mod options;
mod output;
mod phantom;
mod predict;
mod render;
mod runs;
mod runs_table;
mod table;
mod train;
mod view;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::heap;

use options::ModelArgs;

/// Shows chest X-rays with the ReCovNet COVID-19 prediction, the lung mask and the activation map.
/// Research use only, not a diagnosis.
#[derive(Debug, Parser)]
#[command(name = "recovnet", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Without a command the viewer opens. A file that is called like a command needs './' before it."
)]
struct Arguments {
    /// Files or folders to open in the viewer
    #[arg(value_name = "FILES or FOLDERS")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    models: ModelArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Predict files and folders without a window
    Predict(predict::PredictArgs),
    /// Write a frame as it is shown, as it is stored, or in modality values
    Render(render::RenderArgs),
    /// List every tag of a DICOM file, and what its display was taken from
    Inspect(inspect::InspectArgs),
    /// Measure a model on a labelled data set
    Evaluate(evaluate::EvaluateArgs),
    /// Audit a classifier for shortcuts: does it need the lungs?
    Audit(audit::AuditArgs),
    /// Check a labelled data set: what is in it, and whether its parts are independent
    CheckData(check_data::CheckArgs),
    /// Take out of DICOM files who is on them (PS3.15 annex E)
    Deidentify(deidentify::DeidentifyArgs),
    /// Train a segmenter, ReCovNet or a plain baseline
    Train(Box<train::TrainArgs>),
    /// Go on with a run that was stopped or killed
    Resume(train::ResumeArgs),
    /// Make the run that a file describes, such as job.json in the folder of another
    TrainFrom(train::TrainFromArgs),
    /// List runs, compare them, put their weights into the model list
    Runs(runs::RunsArgs),
    /// List the networks that are installed, and say how to get the others
    Models(models::ModelsArgs),
    /// Make an encoder of torchvision, timm or Keras a weights file to train from
    Import(import::ImportArgs),
    /// Index the studies of a folder or DICOMDIR by their headers
    Index(index::IndexArgs),
    /// Measure how fast this machine computes
    Bench(bench::BenchArgs),
    /// Write the synthetic chest phantom (no patient)
    Phantom(phantom::PhantomArgs),
    /// Say what this machine and this program have
    Doctor(doctor::DoctorArgs),
}

/// The arguments cannot be meant like that: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Parses the process's arguments and runs the command they name.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    heap::keep_freed_memory();
    let outcome = match arguments.command {
        None => view::run(arguments.paths, arguments.models),
        Some(Command::Predict(args)) => predict::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Render(args)) => render::run(&args),
        Some(Command::Evaluate(args)) => evaluate::run(&args),
        Some(Command::Train(args)) => train::run(*args),
        Some(Command::Resume(args)) => train::resume(&args),
        Some(Command::TrainFrom(args)) => train::run_from(args),
        Some(Command::Audit(args)) => audit::run(&args),
        Some(Command::Runs(args)) => runs::run(args),
        Some(Command::Models(args)) => models::run(&args),
        Some(Command::CheckData(args)) => check_data::run(&args),
        Some(Command::Import(args)) => import::run(&args),
        Some(Command::Deidentify(args)) => deidentify::run(&args),
        Some(Command::Index(args)) => index::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Phantom(args)) => phantom::run(&args),
        Some(Command::Doctor(args)) => Ok(doctor::run(&args)),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("recovnet: {error:#}");
        ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
    })
}
