//! `recovnet predict`.

use std::fs;
use std::path::Path;

use image::GenericImageView;
use recovnet::nn::card::Task;
use recovnet::nn::{BackboneKind, Classifier, Device, Graph};
use serde_json::Value;

use crate::support::{self, write_chest};
use crate::{lines, recovnet, run, stderr, stdout, tree};

/// A folder with `a.png`, `sub/b.png` and a text file.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("in/sub")).unwrap();
    write_chest(&folder.path().join("in/a.png"), 90, 70, 1);
    write_chest(&folder.path().join("in/sub/b.png"), 64, 64, 2);
    fs::write(folder.path().join("in/notes.txt"), "no picture").unwrap();
    folder
}

fn by_file<'a>(lines: &'a [Value], ending: &str) -> &'a Value {
    let ends = |line: &&Value| line["file"].as_str().unwrap().ends_with(ending);
    lines
        .iter()
        .find(ends)
        .unwrap_or_else(|| panic!("no line for {ending} in {lines:?}"))
}

#[test]
fn a_folder_is_walked_and_everything_lies_under_its_name() {
    let folder = pictures();
    let arguments = [
        "predict",
        "in",
        "--json",
        "-",
        "--mask-dir",
        "masks",
        "--map-dir",
        "maps",
        "--figure-dir",
        "figures",
    ];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = lines(&output);
    assert_eq!(lines.len(), 2);
    assert_eq!(
        tree(&folder.path().join("masks")),
        ["a.png.mask.png", "sub/b.png.mask.png"]
    );
    assert_eq!(
        tree(&folder.path().join("maps")),
        ["a.png.map.png", "sub/b.png.map.png"]
    );
    assert_eq!(
        tree(&folder.path().join("figures")),
        ["a.png.figure.png", "sub/b.png.figure.png"]
    );

    let line = by_file(&lines, "a.png");
    let mask = image::open(folder.path().join(line["mask_file"].as_str().unwrap())).unwrap();
    assert_eq!((mask.dimensions(), mask.color()), ((90, 70), image::ColorType::L8));
    let mask = mask.into_luma8().into_raw();
    assert!(mask.iter().all(|&pixel| pixel == 0 || pixel == 255));
    let map = image::open(folder.path().join(line["map_file"].as_str().unwrap())).unwrap();
    assert_eq!((map.dimensions(), map.color()), ((90, 70), image::ColorType::L16));
    agree(line, &mask, &map.into_luma16().into_raw());
}

/// The numbers of a line follow from its own files.
fn agree(line: &Value, mask: &[u8], map: &[u16]) {
    let number = |name: &str| line[name].as_f64().unwrap();
    let inside = mask.iter().filter(|&&pixel| pixel != 0).count() as f64;
    let area = inside / mask.len() as f64;
    assert!((number("lung_area_fraction") - area).abs() < 1e-12);
    assert!((number("in_lung_chance") - area).abs() < 1e-12);
    let sum = |keep: bool| -> f64 {
        let pairs = mask.iter().zip(map).filter(|(pixel, _)| keep || **pixel != 0);
        pairs.map(|(_, value)| f64::from(*value)).sum()
    };
    match line["in_lung_activation"].as_f64() {
        Some(ratio) => assert!((ratio - sum(false) / sum(true)).abs() < 1e-3, "{ratio}"),
        None => assert!(inside == 0.0 || sum(true) == 0.0),
    }
    assert_eq!(number("map_max") > 0.0, map.contains(&u16::MAX));
    let p = &line["probability"];
    let (covid19, control) = (p["covid19"].as_f64().unwrap(), p["control"].as_f64().unwrap());
    assert!((covid19 + control - 1.0).abs() < 1e-9);
    let decision = if covid19 >= number("threshold") {
        "covid19"
    } else {
        "control"
    };
    assert_eq!(line["decision"], decision);
    assert_eq!(line["classifier"], "recovnet-v1");
    assert_eq!(line["weights_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn json_goes_to_a_file_if_one_is_named() {
    let folder = pictures();
    let output = run(folder.path(), &["predict", "in/a.png", "--json", "out/lines.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    let text = fs::read_to_string(folder.path().join("out/lines.json")).unwrap();
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&line["file"], &line["mask_file"]), (&"in/a.png".into(), &Value::Null));
    assert_eq!(tree(&folder.path().join("out")), ["lines.json"]);
}

#[test]
fn a_file_that_fails_has_its_own_line_and_the_others_go_on() {
    let folder = pictures();
    let at = |name: &str| folder.path().join("in").join(name);
    fs::write(at("not-an-image.png"), "this is no picture").unwrap();
    fs::write(at("empty.png"), "").unwrap();
    let whole = fs::read(at("a.png")).unwrap();
    fs::write(at("truncated.png"), &whole[..whole.len() / 2]).unwrap();
    image::RgbImage::from_fn(40, 40, |x, y| image::Rgb([(6 * x) as u8, (6 * y) as u8, 90]))
        .save(at("colour.png"))
        .unwrap();
    write_chest(&at("tiny.png"), 1, 1, 1);
    let output = run(
        folder.path(),
        &["predict", "in", "missing.dcm", "--json", "-", "--mask-dir", "masks"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let lines = lines(&output);
    assert_eq!(lines.len(), 8);
    for bad in [
        "not-an-image.png",
        "empty.png",
        "truncated.png",
        "colour.png",
        "missing.dcm",
    ] {
        let line = by_file(&lines, bad);
        let names: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(names, ["file", "error"], "{bad}");
        let error = line["error"].as_str().unwrap();
        assert!(
            error.contains(bad) && error.len() > bad.len() + 10 && !error.contains('\n'),
            "{error}"
        );
    }
    for good in ["a.png", "b.png", "tiny.png"] {
        assert!(by_file(&lines, good)["probability"]["covid19"].is_f64(), "{good}");
    }
    assert_eq!(
        tree(&folder.path().join("masks")),
        ["a.png.mask.png", "sub/b.png.mask.png", "tiny.png.mask.png"]
    );
}

#[test]
fn a_folder_without_pictures_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("nothing")).unwrap();
    let output = run(folder.path(), &["predict", "nothing", "--json", "-"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output)[0]["error"], "nothing: no picture in this folder");
}

#[test]
fn names_that_collide_are_a_usage_error() {
    let folder = pictures();
    write_chest(&folder.path().join("a.png"), 40, 40, 3);
    let output = run(folder.path(), &["predict", "in/a.png", "a.png", "--mask-dir", "masks"]);
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    assert!(error.contains("in/a.png") && error.contains("same name"), "{error}");
    assert!(!folder.path().join("masks").exists());
    // Without files to write nothing collides.
    assert_eq!(
        run(folder.path(), &["predict", "in/a.png", "a.png"]).status.code(),
        Some(0)
    );
}

#[test]
fn an_output_never_replaces_an_input() {
    let folder = pictures();
    write_chest(&folder.path().join("in/a.png.mask.png"), 40, 40, 3);
    let before = fs::read(folder.path().join("in/a.png.mask.png")).unwrap();
    let output = run(folder.path(), &["predict", "in", "--mask-dir", "in"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(fs::read(folder.path().join("in/a.png.mask.png")).unwrap(), before);
}

#[test]
fn usage_errors_end_in_2_with_nothing_on_standard_output() {
    let folder = pictures();
    let wrong: [&[&str]; 5] = [
        &["predict"],
        &["predict", "in", "--classifier", "vgg16"],
        &["predict", "in", "--device", "tpu"],
        &["predict", "in", "--no-such-option"],
        &["phantom", "out.gif"],
    ];
    for arguments in wrong {
        let output = run(folder.path(), arguments);
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(2), String::new()),
            "{arguments:?}"
        );
        assert!(!stderr(&output).is_empty());
    }
}

#[test]
fn weights_that_are_missing_or_wrong_are_said_once() {
    let folder = pictures();
    let predict = |weights: &Path| {
        let mut command = recovnet(folder.path());
        command
            .env_remove("RECOVNET_WEIGHTS")
            .env("HOME", folder.path())
            .env_remove("XDG_DATA_HOME");
        command
            .args(["predict", "in", "--json", "-", "--weights"])
            .arg(weights)
            .output()
            .unwrap()
    };
    let output = predict(Path::new("nowhere"));
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    assert!(
        stderr(&output).contains("nowhere: no such folder"),
        "{}",
        stderr(&output)
    );

    fs::create_dir(folder.path().join("empty")).unwrap();
    let output = predict(Path::new("empty"));
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    let error = stderr(&output);
    assert!(
        error.contains("segmenter-densenet121") && error.contains("empty"),
        "{error}"
    );

    let broken = support::weights_copy();
    let path = broken.path().join("segmenter-densenet121.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 1);
    fs::write(&path, bytes).unwrap();
    let output = predict(broken.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("SHA-256"), "{}", stderr(&output));
}

/// However the two paths are spelt.
#[test]
fn an_output_over_an_input_is_a_usage_error() {
    let folder = pictures();
    let picture = folder.path().join("in/a.png");
    let before = fs::read(&picture).unwrap();
    fs::copy(&picture, folder.path().join("in/a.png.mask.png")).unwrap();
    let absolute = picture.display().to_string();
    for arguments in [
        vec!["predict", "in/a.png", "--json", "in/../in/a.png"],
        vec!["predict", "in/a.png", "--json", &absolute],
        vec![
            "predict",
            "in/a.png",
            "in/a.png.mask.png",
            "--json",
            "-",
            "--mask-dir",
            "./in",
        ],
    ] {
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("overwritten"), "{}", stderr(&output));
    }
    assert_eq!(fs::read(&picture).unwrap(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_leaves_nothing_under_the_final_name() {
    let folder = pictures();
    // A file size limit of 512 bytes stands in for the full disk: the write fails half-way.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" predict in --json - --figure-dir figures";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_recovnet")])
        .current_dir(folder.path())
        .env("RECOVNET_WEIGHTS", support::weights_folder())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for line in lines(&output) {
        let error = line["error"].as_str().unwrap();
        assert!(error.contains("figure.png: cannot be written"), "{error}");
    }
    assert_eq!(tree(&folder.path().join("figures")), Vec::<String>::new());
}

#[test]
fn standard_output_that_cannot_be_written_is_an_error() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: this system has no /dev/full");
        return;
    }
    let folder = pictures();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = recovnet(folder.path())
        .args(["predict", "in", "--json", "-"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("standard output cannot be written"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_classifier_on_another_encoder_has_an_input_of_its_own() {
    let (folder, weights) = (pictures(), support::weights_copy());
    let kind = BackboneKind::InceptionV3;
    let network = Classifier::new(kind, Graph::Torch, 5, &Device::Cpu).unwrap();
    support::write_network_on(kind, 75, weights.path(), "inception_v3", Task::Baseline, &network);
    let weights = weights.path().to_str().unwrap();
    let arguments = [
        "predict",
        "in/a.png",
        "--classifier",
        "inception_v3",
        "--weights",
        weights,
        "--json",
        "-",
    ];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = lines(&output);
    assert_eq!(lines[0]["classifier"], "inception_v3", "{}", lines[0]);
    let score = lines[0]["probability"]["covid19"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&score));
}

#[test]
fn a_picture_that_comes_again_is_computed_once_unless_told_otherwise() {
    let folder = pictures();
    fs::copy(folder.path().join("in/a.png"), folder.path().join("in/again.png")).unwrap();
    let predict = |more: &[&str]| {
        let output = run(
            folder.path(),
            &[&["predict", "in/a.png", "in/again.png", "--json", "-"], more].concat(),
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let lines = lines(&output);
        assert_eq!(lines[0]["probability"], lines[1]["probability"]);
        assert_eq!(by_file(&lines, "again.png")["file"], "in/again.png");
        // The times are those of the computation, to the microsecond.
        ["preprocess", "segment", "classify", "explain"]
            .iter()
            .all(|stage| lines[0]["time_ms"][stage] == lines[1]["time_ms"][stage])
    };
    assert!(predict(&[]));
    assert!(!predict(&["--no-cache"]));
}

/// A folder with the random segmenter, ReCovNet-v1 and a plain DenseNet-121.
fn two_classifiers() -> tempfile::TempDir {
    let weights = support::weights_copy();
    let baseline = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 5, &Device::Cpu).unwrap();
    support::write_network(weights.path(), "densenet121", Task::Baseline, &baseline);
    weights
}

#[test]
fn several_classifiers_share_one_segmentation() {
    let (folder, weights) = (pictures(), two_classifiers());
    let predict = |more: &[&str]| {
        let arguments = [&["predict", "in/a.png", "--json", "-"][..], more].concat();
        let output = recovnet(folder.path())
            .env("RECOVNET_WEIGHTS", weights.path())
            .env("XDG_DATA_HOME", folder.path())
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        (lines(&output).remove(0), stderr(&output))
    };
    let two = [
        "--classifier",
        "densenet121",
        "--classifier",
        "recovnet-v1",
        "--classifier",
        "densenet121",
    ];
    let files = ["--mask-dir", "masks", "--map-dir", "maps", "--figure-dir", "figures"];
    let (line, _) = predict(&[&two[..], &files].concat());
    let names: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(names, ["file", "findings"]);
    let found = line["findings"].as_array().unwrap();
    let named: Vec<&Value> = found.iter().map(|prediction| &prediction["classifier"]).collect();
    assert_eq!(named, ["densenet121", "recovnet-v1"]);
    assert_eq!(found[0]["lung_area_fraction"], found[1]["lung_area_fraction"]);
    assert_eq!(found[0]["time_ms"]["segment"], found[1]["time_ms"]["segment"]);
    assert_ne!(found[0]["margin"], found[1]["margin"]);
    assert_eq!(tree(&folder.path().join("masks")), ["a.png.mask.png"]);
    assert_eq!(
        tree(&folder.path().join("maps")),
        ["a.png.densenet121.map.png", "a.png.recovnet-v1.map.png"]
    );
    assert_eq!(tree(&folder.path().join("figures")).len(), 2);
    // Each says what it says alone.
    let timeless = |prediction: &Value| {
        let mut prediction = prediction.clone();
        for field in ["time_ms", "mask_file", "map_file"] {
            prediction.as_object_mut().unwrap().remove(field);
        }
        prediction
    };
    for prediction in found {
        let (alone, _) = predict(&["--classifier", prediction["classifier"].as_str().unwrap()]);
        assert_eq!(timeless(&alone), timeless(prediction));
    }
    let (all, words) = predict(&["--classifier", "all"]);
    assert_eq!(all["findings"].as_array().unwrap().len(), 2);
    assert!(
        words.contains("not installed: recovnet-v2") && words.contains("recovnet models"),
        "{words}"
    );
}

#[test]
fn a_classifier_that_is_missing_says_how_to_train_it() {
    let folder = pictures();
    let output = run(
        folder.path(),
        &[
            "predict",
            "in/a.png",
            "--classifier",
            "recovnet-v1",
            "--classifier",
            "resnet50",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    for part in [
        "no weights of resnet50",
        "recovnet train baseline --encoder resnet50",
        "runs promote",
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}
