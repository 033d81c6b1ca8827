//! `recovnet train` on data sets as they are downloaded, from lung masks to the paper's task.

use std::path::Path;
use std::process::{Command, Output};

use recovnet::nn::ModelCard;

use super::{Fixture, indiana, montgomery, qata};

fn train(network: &str, data: &[&Path], run: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recovnet"));
    command.args([
        "train",
        network,
        "--encoder",
        "densenet121",
        "--recipe",
        "scratch",
        "--device",
        "cpu",
    ]);
    command.args([
        "--schedule",
        "32x1",
        "--batch",
        "8",
        "--no-cache",
        "--on-leakage",
        "allow",
    ]);
    for folder in data {
        command.arg("--data").arg(folder);
    }
    command
        .arg("--run-dir")
        .arg(run)
        .args(more)
        .output()
        .expect("the program runs")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn card(run: &Path) -> ModelCard {
    ModelCard::beside(&run.join("best.safetensors")).expect("a card")
}

#[test]
fn lung_masks_teach_the_segmenter_that_the_papers_task_begins_with() {
    let (lungs, qata, indiana) = (montgomery::fixture(20), qata::fixture(20), indiana::fixture(20));
    let runs = Fixture::new();
    let (one, two) = (runs.path().join("one"), runs.path().join("two"));
    let output = train("segmenter", &[lungs.path()], &one, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert!(
        words(&output).contains("data: Montgomery, 20 images; split paper-seed-"),
        "{}",
        words(&output)
    );
    let first = card(&one);
    let split = first.details["split"].as_str().expect("a split").to_owned();
    assert!(split.starts_with("paper-seed-20210128-"), "{split}");
    let kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(one.join("split.json")).expect("the split is kept")).expect("JSON");
    assert_eq!(kept["id"], split.as_str());

    // The segmenter saw other sources, so that it may begin on another split.
    let init = one.join("best.safetensors").to_string_lossy().into_owned();
    let output = train("recovnet", &[qata.path(), indiana.path()], &two, &["--init", &init]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let said = words(&output);
    assert!(
        said.contains("QaTa-COV19 and Indiana") && said.contains("COVID-19"),
        "{said}"
    );
    let second = card(&two);
    let data = &second.details["data"];
    assert_eq!(data["learned_before"][0]["split"], split.as_str());
    assert_eq!(data["learned_before"][0]["sources"][0], "montgomery");
    assert_eq!(data["groups_in_test_and_other_parts"]["groups"], 0);
    assert!(data["parts"]["train"]["by_source"]["indiana"]["control"].as_u64() > Some(0));
}

#[test]
fn what_has_seen_the_data_begins_on_its_own_split_only() {
    let (lungs, runs) = (montgomery::fixture(20), Fixture::new());
    let one = runs.path().join("one");
    let output = train("segmenter", &[lungs.path()], &one, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let init = one.join("best.safetensors").to_string_lossy().into_owned();
    let other = runs.path().join("other");
    let output = train(
        "segmenter",
        &[lungs.path()],
        &other,
        &["--init", &init, "--split-seed", "7"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("may have seen test images"),
        "{}",
        words(&output)
    );
    assert!(!other.exists(), "no run folder is begun");
    let kept = one.join("split.json").to_string_lossy().into_owned();
    let output = train(
        "segmenter",
        &[lungs.path()],
        &other,
        &["--init", &init, "--split-file", &kept],
    );
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert_eq!(card(&other).details["split"], card(&one).details["split"]);
    let resumed = train("segmenter", &[lungs.path()], &other, &["--init", &init, "--resume"]);
    assert_eq!(
        resumed.status.code(),
        Some(0),
        "its own split is found: {}",
        words(&resumed)
    );
}

#[test]
fn an_estimate_writes_no_split_file() {
    let (lungs, runs) = (montgomery::fixture(20), Fixture::new());
    let (run, split) = (runs.path().join("run"), runs.path().join("split.json"));
    let named = split.to_string_lossy().into_owned();
    let output = train(
        "segmenter",
        &[lungs.path()],
        &run,
        &["--estimate", "--split-file", &named],
    );
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert!(!run.exists() && !split.exists(), "{}", words(&output));
}

#[test]
fn the_infection_masks_of_qata_teach_no_segmenter() {
    let (qata, runs) = (qata::fixture(8), Fixture::new());
    let run = runs.path().join("run");
    let output = train("segmenter", &[qata.path()], &run, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = words(&output);
    assert!(
        said.contains("infected regions, not lungs") && said.contains("Montgomery"),
        "{said}"
    );
    assert!(!run.exists());
    let empty = Fixture::new();
    let output = train("baseline", &[empty.path()], &run, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("no known data set"), "{}", words(&output));
    let output = train("baseline", &[qata.path()], &run, &["--split-rule", "luck"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(words(&output).contains("paper-random"), "{}", words(&output));
}
