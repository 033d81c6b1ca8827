//! The command line, one file a command: parses, calls one function, prints. Exit codes: 0 all good, 1 some
//! input failed, 2 usage.

mod train;
mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Opens chest X-rays and shows what a COVID-19 detector looks at. Research use only, not a diagnosis.
#[derive(Debug, Parser)]
#[command(name = "recovnet", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    view: view::ViewArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network on labelled images.
    Train(train::TrainArgs),
}

/// Parses the process's arguments and runs the command they name.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Some(Command::Train(args)) => train::run(args),
        None => view::run(arguments.view),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
