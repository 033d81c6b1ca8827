//! The command line, one file a command: parses, calls one function, prints. Exit codes: 0 all good, 1 some
//! input failed, 2 usage.

use std::process::ExitCode;

/// Parses the process's arguments and runs the command they name.
pub fn run() -> ExitCode {
    ExitCode::from(2)
}
