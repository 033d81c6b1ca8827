//! The command line, one file a command: parses, calls one function, prints. Exit codes: 0 all good, 1 some
//! input failed, 2 usage.

pub mod view;

use std::process::ExitCode;

/// Parses the process's arguments and runs the command they name.
pub fn run() -> ExitCode {
    let engine = crate::inference::engine::EngineConfig {
        weights: None,
        classifier: crate::inference::models::ClassifierName::RecovnetV1,
        device: "auto".to_owned(),
    };
    match view::run(std::env::args_os().skip(1).map(Into::into).collect(), engine) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
