//! `recovnet import`: the table, the JSON object, exit codes, and what is left on the disk.

use std::collections::BTreeMap;
use std::path::Path;

use recovnet::nn::weights::{self, Precision, State};
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, Network};

use crate::{lines, run, stderr, stdout, tree};

/// Tensors that an encoder of DenseNet-121 needs.
const NEEDED: usize = 604;

/// A file as torchvision has it: our names are its names, and its head has other classes.
fn write(folder: &Path, change: impl FnOnce(&mut State)) {
    let network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 3, &Device::Cpu).unwrap();
    let mut state = network.state();
    change(&mut state);
    let path = folder.join("torchvision.safetensors");
    weights::save(&path, &state, &BTreeMap::new(), Precision::Full).unwrap();
}

const IMPORT: [&str; 6] = [
    "import",
    "torchvision.safetensors",
    "--as",
    "densenet121",
    "--out",
    "new/w.safetensors",
];

#[test]
fn an_encoder_is_written_with_a_table_of_what_was_not_simply_used() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |_| ());
    let output = run(folder.path(), &IMPORT);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for words in [
        "604 tensors needed",
        "used",
        "ignored",
        "fc.weight",
        "--encoder densenet121 --graph torch",
    ] {
        assert!(text.contains(words), "{words} is not in: {text}");
    }
    assert!(
        !text.contains("features.conv0.weight"),
        "what is simply used is only counted: {text}"
    );
    let (state, metadata) = weights::read(&folder.path().join("new/w.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(state.len(), NEEDED);
    assert_eq!(
        (metadata["encoder"].as_str(), metadata["graph"].as_str()),
        ("densenet121", "torch")
    );
    assert_eq!(metadata["source"], "torchvision.safetensors");
}

#[test]
fn json_names_every_tensor() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |_| ());
    let output = run(folder.path(), &[&IMPORT[..], &["--json", "-"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let [object] = &lines(&output)[..] else {
        panic!("one object: {}", stdout(&output))
    };
    assert_eq!(object["counts"]["used"], NEEDED);
    assert_eq!(object["counts"]["ignored"], 2);
    assert_eq!(object["tensors"].as_array().unwrap().len(), NEEDED + 2);
    assert_eq!(object["tensors"][0]["name"], "features.conv0.weight");
    assert_eq!(object["tensors"][0]["shape"], serde_json::json!([64, 3, 7, 7]));
    assert!(object["problem"].is_null());
    let sha256 = weights::sha256_of(&folder.path().join("new/w.safetensors")).unwrap();
    assert_eq!(object["out_sha256"], sha256);
}

#[test]
fn what_cannot_be_used_ends_in_1_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |state| {
        state.remove("features.norm5.bias");
    });
    let output = run(folder.path(), &[&IMPORT[..], &["--json", "report.json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    for words in [
        "torchvision.safetensors",
        "1 of 604",
        "features.norm5.bias",
        "nothing was written",
    ] {
        assert!(error.contains(words), "{words} is not in: {error}");
    }
    // The report is there all the same, for whoever wants to know what is missing.
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["counts"]["missing"], &report["out"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert_eq!(tree(folder.path()), ["report.json", "torchvision.safetensors"]);
    let output = run(folder.path(), &["import", "gone.pth", "--as", "resnet50", "--out", "w"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("gone.pth"), "{}", stderr(&output));
}

#[test]
fn a_call_that_would_destroy_its_input_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |_| ());
    let before = std::fs::read(folder.path().join("torchvision.safetensors")).unwrap();
    let same = [
        "import",
        "torchvision.safetensors",
        "--as",
        "densenet121",
        "--out",
        "./torchvision.safetensors",
    ];
    let twice = [&IMPORT[..5], &["w", "--json", "w"]].concat();
    for arguments in [
        &same[..],
        &twice,
        &["import", "torchvision.safetensors", "--as", "vgg16", "--out", "w"],
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(tree(folder.path()), ["torchvision.safetensors"]);
    assert!(std::fs::read(folder.path().join("torchvision.safetensors")).unwrap() == before);
}
