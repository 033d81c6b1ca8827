//! `recovnet train` as a user calls it.

use std::path::Path;
use std::process::{Command, Output};

use crate::phantoms;

fn train(data: &Path, run: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_recovnet"))
        .args(["train"])
        .args(arguments)
        .args(["--encoder", "densenet121", "--recipe", "scratch", "--device", "cpu"])
        .arg("--data")
        .arg(data)
        .arg("--run-dir")
        .arg(run)
        .output()
        .expect("the program runs")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let run = runs.path().join("run");
    for arguments in [
        &["recovnet"][..],
        &["baseline", "--batch", "1"],
        &["baseline", "--epochs", "0"],
        &["baseline", "--lr", "-1"],
        &["baseline", "--epochs", "2", "--schedule", "32x1"],
        &["baseline", "--schedule", "16x1"],
        &["baseline", "--schedule", "128"],
        &["unet"],
    ] {
        let output = train(data.path(), &run, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", words(&output));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    assert!(words(&train(data.path(), &run, &["recovnet"])).contains("--init"));
    assert!(!run.exists(), "no run folder is begun");
}

#[test]
fn a_bad_folder_is_one_sentence() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let output = train(&runs.path().join("nowhere"), &runs.path().join("run"), &["segmenter"]);
    assert_eq!(output.status.code(), Some(1));
    let words = words(&output);
    assert!(words.contains("manifest.csv") && !words.contains("panicked"), "{words}");
}

#[test]
fn every_epoch_is_a_json_line() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let run = runs.path().join("run");
    let output = train(data.path(), &run, &["baseline", "--schedule", "32x2", "--batch", "8"]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let printed = String::from_utf8(output.stdout.clone()).expect("text");
    assert_eq!(printed.lines().count(), 2);
    for line in printed.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(record["metric"], "roc_auc");
    }
    assert_eq!(
        printed,
        std::fs::read_to_string(run.join("metrics.jsonl")).expect("metrics")
    );
    assert!(words(&output).contains("research use only, not a diagnosis"));
}
