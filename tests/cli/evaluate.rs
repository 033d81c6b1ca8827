//! `recovnet evaluate`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{self, write_chest};
use crate::{lines, run, stderr, stdout, tree};

/// A data set of 12 pictures: 4 COVID-19, one of them a lateral, one source of children, masks on two.
fn data_set() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut table = String::from("file,label,group,source,view,mask,mask_style,mask_origin,note\n");
    for number in 0..12 {
        let file = format!("{number}.png");
        write_chest(&folder.path().join(&file), 60, 60, number);
        let label = if number < 4 { "covid" } else { "normal" };
        let view = if number == 0 { "lateral" } else { "frontal" };
        let (source, note) = if number > 8 {
            ("clinic", "paediatric")
        } else {
            ("hospital", "")
        };
        let mask = if number == 5 || number == 6 {
            "mask.png,lung-field,manual"
        } else {
            ",,"
        };
        writeln!(table, "{file},{label},p{number},{source},{view},{mask},{note}").unwrap();
    }
    fs::write(folder.path().join("manifest.csv"), table).unwrap();
    let mask = image::GrayImage::from_fn(60, 60, |x, _| image::Luma([if x < 30 { 255 } else { 0 }]));
    mask.save(folder.path().join("mask.png")).unwrap();
    folder
}

fn evaluate(folder: &Path, more: &[&str]) -> Value {
    let mut arguments = vec!["evaluate", "--data", ".", "--json", "-"];
    arguments.extend(more);
    let output = run(folder, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut lines = lines(&output);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a count: {value}"))
}

#[test]
fn counts_add_up_overall_and_per_source() {
    let folder = data_set();
    let results = evaluate(folder.path(), &[]);
    let overall = &results["overall"];
    assert_eq!(
        (
            count(&overall["images"]),
            count(&overall["covid19"]),
            count(&overall["control"])
        ),
        (11, 3, 8)
    );
    assert_eq!(count(&results["laterals_left_out"]), 1);
    let cells = ["tn", "fp", "fn", "tp"].map(|cell| count(&overall["confusion"][cell]));
    assert_eq!(cells.iter().sum::<u64>(), 11);
    let sensitivity = overall["sensitivity"]["value"].as_f64().unwrap();
    assert!((sensitivity - cells[3] as f64 / 3.0).abs() < 1e-12);
    for figure in ["sensitivity", "specificity", "accuracy", "roc_auc"] {
        let value = overall[figure]["value"].as_f64().unwrap();
        let interval = &overall[figure]["interval"];
        let (low, high) = (interval["low"].as_f64().unwrap(), interval["high"].as_f64().unwrap());
        assert!(
            low <= value + 1e-9 && value <= high + 1e-9,
            "{figure}: {low} {value} {high}"
        );
    }
    assert_eq!(
        (
            count(&results["children"]["images"]),
            count(&results["adults"]["images"])
        ),
        (3, 8)
    );
    // One class only: no AUC, and no invented number.
    assert_eq!(results["children"]["roc_auc"]["value"], Value::Null);
    assert_eq!(count(&results["by_source"]["hospital"]["images"]), 8);
    let masks = &results["masks"]["lung-field/manual"];
    assert_eq!(count(&masks["images"]), 2);
    assert!((0.0..=1.0).contains(&masks["sensitivity"]["value"].as_f64().unwrap()));
    let in_lung = &results["in_lung_activation"]["all"];
    assert_eq!(count(&in_lung["images"]) + count(&in_lung["empty"]), 11);
}

#[test]
fn a_segmenters_evaluation_is_drawn_as_well() {
    let folder = data_set();
    let weights = support::weights_folder().join("segmenter-densenet121.safetensors");
    let weights = weights.to_str().unwrap();
    let results = evaluate(folder.path(), &["--weights-file", weights, "--out", "out"]);
    assert_eq!(count(&results["masks"]["lung-field/manual"]["images"]), 2);
    let out = folder.path().join("out");
    assert_eq!(tree(&out), ["evaluation.json", "images.csv", "masks.png", "masks.svg"]);
    let svg = fs::read_to_string(out.join("masks.svg")).unwrap();
    assert!(
        svg.contains("Dice (2 images)") && svg.contains("masks lung-field/manual"),
        "{svg}"
    );
    let picture = image::open(out.join("masks.png")).unwrap().into_rgb8();
    assert_eq!(picture.height(), 1040, "one convention is one row");
    assert!(
        picture.pixels().any(|pixel| pixel.0 == [0, 114, 178]),
        "the median is drawn"
    );
}

#[test]
fn the_three_parts_make_up_the_whole() {
    let folder = data_set();
    let images = |split: &str| {
        let arguments = ["evaluate", "--data", ".", "--split", split, "--json", "-"];
        let output = run(folder.path(), &arguments);
        if output.status.code() == Some(0) {
            return count(&lines(&output)[0]["overall"]["images"]);
        }
        assert!(stderr(&output).contains("no images in split"), "{}", stderr(&output));
        0
    };
    assert_eq!(images("train") + images("val") + images("test"), images("all"));
}

#[test]
fn a_split_file_says_which_part_is_which() {
    let folder = data_set();
    let paper = ["--split-rule", "paper", "--split-file", "kept.json"];
    let all = evaluate(folder.path(), &paper);
    let kept: Value = serde_json::from_slice(&fs::read(folder.path().join("kept.json")).unwrap()).unwrap();
    let learned = kept["train"].as_array().unwrap().len();
    let laterals = kept["train"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| *file == "0.png")
        .count();
    assert_eq!(count(&all["in_training_part"]) as usize, learned - laterals);
    let test = evaluate(folder.path(), &["--split-file", "kept.json", "--split", "test"]);
    let tested = kept["test"].as_array().unwrap();
    let laterals = tested.iter().filter(|file| *file == "0.png").count();
    assert_eq!(count(&test["overall"]["images"]) as usize, tested.len() - laterals);
    assert_eq!(count(&test["in_training_part"]), 0);
    assert_eq!(test["split_id"], kept["id"]);
    assert_eq!(all["split_id"], kept["id"]);
}

#[test]
fn a_file_that_fails_is_named_and_the_others_count() {
    let folder = data_set();
    fs::write(folder.path().join("7.png"), "broken").unwrap();
    let output = run(folder.path(), &["evaluate", "--data", ".", "--json", "-"]);
    assert_eq!(output.status.code(), Some(1));
    let results = &lines(&output)[0];
    assert_eq!(count(&results["overall"]["images"]), 10);
    assert_eq!(results["failures"][0]["file"], "7.png");
}

#[test]
fn a_manifest_that_cannot_be_used_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |word: &str| {
        let output = run(folder.path(), &["evaluate", "--data", "."]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
        let error = stderr(&output);
        assert!(error.contains("manifest.csv") && error.contains(word), "{error}");
    };
    fails("cannot be read");
    fs::write(folder.path().join("manifest.csv"), "file,source\na.png,x\n").unwrap();
    fails("no column 'label'");
}
