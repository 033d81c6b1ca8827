//! The command line, one file a command: parses, calls one function, prints. Exit codes: 0 all good, 1 some
//! input failed, 2 usage.

mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Opens chest X-rays and shows what a COVID-19 detector looks at. Research use only, not a diagnosis.
#[derive(Debug, Parser)]
#[command(name = "recovnet", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network on labelled images.
    Train(train::TrainArgs),
}

/// Parses the process's arguments and runs the command they name.
pub fn run() -> ExitCode {
    let Command::Train(args) = Arguments::parse().command;
    train::run(args).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
