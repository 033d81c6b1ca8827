//! `recovnet train` as a user calls it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use recovnet::nn::weights::{self, Precision};
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, ModelCard, Network};

use crate::phantoms;

fn train(data: &Path, run: &Path, arguments: &[&str]) -> Output {
    train_on("densenet121", data, run, arguments)
}

fn train_on(encoder: &str, data: &Path, run: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_recovnet"))
        .args(["train"])
        .args(arguments)
        .args([
            "--encoder",
            encoder,
            "--recipe",
            "scratch",
            "--device",
            "cpu",
            "--no-cache",
            "--on-leakage",
            "allow",
        ])
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
        &["baseline", "--best-by", "dice"],
        &["segmenter", "--best-by", "npv"],
        &["baseline", "--keep-every", "0"],
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

#[test]
fn another_metric_says_which_epoch_is_the_best_and_epochs_are_kept() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let run = runs.path().join("run");
    let arguments = ["baseline", "--schedule", "32x2", "--batch", "8", "--best-by", "f2"];
    let output = train(data.path(), &run, &[&arguments[..], &["--keep-every", "2"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let printed = String::from_utf8(output.stdout.clone()).expect("text");
    for line in printed.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(record["metric"], "f2");
        let others: Vec<&str> = record["validation"]
            .as_array()
            .expect("metrics")
            .iter()
            .filter_map(|metric| metric["name"].as_str())
            .collect();
        assert!(others.contains(&"roc_auc") && !others.contains(&"f2"), "{others:?}");
    }
    let said = words(&output);
    assert!(said.contains("best epoch ") && said.contains(" with f2 "), "{said}");
    assert!(run.join("epoch-0002.json").is_file() && !run.join("epoch-0001.json").exists());
}

#[test]
fn encoders_that_do_not_pad_everywhere_train_on_images_they_can_see() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let run = runs.path().join("run");
    for encoder in ["inception_v3", "inception_resnet_v2"] {
        let output = train_on(encoder, data.path(), &run, &["segmenter", "--schedule", "96x1,64x1"]);
        assert_eq!(output.status.code(), Some(2), "{}", words(&output));
        assert!(
            words(&output).contains(&format!("{encoder} needs images of at least 75 pixels")),
            "{}",
            words(&output)
        );
        assert!(!run.exists(), "no run folder is begun");
    }
    let arguments = ["baseline", "--schedule", "75x1", "--batch", "8"];
    let output = train_on("inception_v3", data.path(), &run, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let card = ModelCard::beside(&run.join("best.safetensors")).expect("a card");
    assert_eq!(
        (card.name.as_str(), card.backbone, card.input.width),
        ("inception_v3", BackboneKind::InceptionV3, 75)
    );
    let unknown = train_on("vgg16", data.path(), &run, &["baseline"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(words(&unknown).contains("inception_resnet_v2"), "{}", words(&unknown));
}

#[test]
fn a_run_begins_with_an_imported_encoder_and_says_so() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let (source, start) = (
        runs.path().join("timm.safetensors"),
        runs.path().join("start.safetensors"),
    );
    let network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 5, &Device::Cpu).expect("a network");
    weights::save(&source, &network.state(), &BTreeMap::new(), Precision::Full).expect("saved");
    let imported = Command::new(env!("CARGO_BIN_EXE_recovnet"))
        .arg("import")
        .arg(&source)
        .args(["--as", "densenet121", "--out"])
        .arg(&start)
        .output()
        .expect("the program runs");
    assert_eq!(imported.status.code(), Some(0), "{}", words(&imported));
    let init = start.to_string_lossy().into_owned();
    let run = runs.path().join("run");
    let arguments = ["baseline", "--schedule", "32x1", "--batch", "8", "--init", &init];
    let output = train(data.path(), &run, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert!(words(&output).contains("imported encoder"), "{}", words(&output));
    let card = ModelCard::beside(&run.join("best.safetensors")).expect("a card");
    let sha256 = weights::sha256_of(&start).expect("a hash");
    assert_eq!(card.details["training"]["init"], sha256);
    let keras = train(
        data.path(),
        &runs.path().join("other"),
        &[&arguments[..], &["--graph", "keras"]].concat(),
    );
    assert_eq!(keras.status.code(), Some(1));
    assert!(words(&keras).contains("--graph torch"), "{}", words(&keras));
}
