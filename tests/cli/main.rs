//! The program as people run it: exit codes, what it prints, what it writes, what it says about bad input.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../imaging/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of imaging")]
mod fixture;

mod bench;
mod check_data;
mod cuda;
mod deidentify;
#[path = "../support/elements.rs"]
mod elements;
mod evaluate;
mod import;
mod index;
mod inspect;
mod misc;
mod predict;
mod runs;
#[path = "../support/studies.rs"]
mod study_files;

use std::path::Path;
use std::process::{Command, Output};

/// The program with the random weights; standard output is no terminal here.
fn recovnet(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recovnet"));
    command
        .current_dir(folder)
        .env("RECOVNET_WEIGHTS", support::weights_folder());
    // Nothing here may open a window.
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

/// Runs the program in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    recovnet(folder).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every line of standard output as JSON: there must be nothing else.
fn lines(output: &Output) -> Vec<serde_json::Value> {
    let text = stdout(output);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}

/// Names of everything below a folder, sorted.
fn tree(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            entry
                .path()
                .strip_prefix(folder)
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
