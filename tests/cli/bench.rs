//! `recovnet bench`: its lines, its errors, and the process that holds one case.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::{lines, recovnet, run, stderr, stdout};

fn positive(line: &Value, name: &str) -> f64 {
    let number = line[name].as_f64().unwrap_or_else(|| panic!("no {name} in {line}"));
    assert!(number > 0.0, "{name} in {line}");
    number
}

/// The second line of a run of one case, of two rounds.
fn one_case(arguments: &[&str]) -> Value {
    case_of(2, arguments)
}

/// As [`one_case`], of so many rounds.
fn case_of(rounds: usize, arguments: &[&str]) -> Value {
    let rounds_text = rounds.to_string();
    let folder = tempfile::tempdir().unwrap();
    let fixed = [
        "bench",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--rounds",
        &rounds_text,
        "--json",
        "-",
    ];
    let output = run(folder.path(), &[&fixed[..], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let mut lines = lines(&output);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let case = lines.remove(1);
    assert_eq!(
        (&case["threads"], &case["device"], &case["rounds"]),
        (&1.into(), &"cpu".into(), &rounds.into())
    );
    assert!(positive(&case, "median_ms") >= positive(&case, "min_ms"));
    if cfg!(target_os = "linux") {
        assert!(positive(&case, "peak_mib") >= positive(&case, "loaded_mib"), "{case}");
    } else {
        assert_eq!(case["peak_mib"], Value::Null);
    }
    case
}

#[test]
fn bench_measures_inference() {
    let case = one_case(&["--work", "inference", "--networks", "densenet121", "--batch", "1"]);
    assert_eq!(
        (&case["work"], &case["network"], &case["batch"]),
        (&"inference".into(), &"densenet121".into(), &1.into())
    );
    assert_eq!(case.get("stages_ms"), None);
}

#[test]
fn bench_measures_a_step_of_both_phases() {
    for network in ["resnet50", "segmenter-densenet121"] {
        let case = one_case(&["--work", "training", "--networks", network, "--batch", "1"]);
        assert_eq!((&case["work"], &case["network"]), (&"training".into(), &network.into()));
    }
}

/// An epoch of a case of `--work loading`.
fn epoch<'a>(case: &'a Value, inputs: &str) -> &'a Value {
    let epochs = case["epochs"].as_array().unwrap();
    epochs.iter().find(|epoch| epoch["inputs"] == inputs).unwrap()
}

/// Shares are shares, and loading is part of the waiting.
fn check_epochs(case: &Value, images: usize) {
    let epochs = case["epochs"].as_array().unwrap();
    let names: Vec<&str> = epochs.iter().map(|epoch| epoch["inputs"].as_str().unwrap()).collect();
    assert_eq!(names, ["decoded", "ready", "cached"]);
    for epoch in epochs {
        assert_eq!(epoch["images"], images, "{epoch}");
        positive(epoch, "images_per_second");
        let share = |name: &str| epoch[name].as_f64().unwrap();
        assert!(
            0.0 <= share("loading") && share("loading") <= share("waited"),
            "{epoch}"
        );
        assert!(share("waited") < 1.0, "{epoch}");
    }
    assert_eq!(epoch(case, "ready")["loading"], 0.0);
    assert!(positive(epoch(case, "decoded"), "loading") > positive(epoch(case, "cached"), "loading"));
    // A round is nothing but its epochs.
    let seconds: f64 = epochs
        .iter()
        .map(|epoch| images as f64 / epoch["images_per_second"].as_f64().unwrap())
        .sum();
    assert!(
        (seconds - 0.001 * positive(case, "median_ms")).abs() < 0.1 * seconds,
        "{case}"
    );
}

#[test]
fn bench_measures_how_long_training_waits_for_pictures() {
    let network = "segmenter-densenet121";
    let case = case_of(1, &["--work", "loading", "--networks", network, "--batch", "2"]);
    assert_eq!((&case["work"], &case["network"]), (&"loading".into(), &network.into()));
    check_epochs(&case, 8 * 2);
}

#[test]
fn bench_takes_the_pictures_of_a_data_folder() {
    let data = tempfile::tempdir().unwrap();
    let mut table = "file,label\n".to_owned();
    for number in 0..16_u32 {
        crate::support::write_chest(&data.path().join(format!("{number}.png")), 200, 160, number);
        let class = ["covid", "normal"][number as usize % 2];
        table.extend([number.to_string().as_str(), ".png,", class, "\n"]);
    }
    std::fs::write(data.path().join("manifest.csv"), table).unwrap();
    let folder = data.path().to_str().unwrap();
    let mut process = recovnet(data.path())
        .args(["bench", "--serve", "--work", "loading", "--networks", "resnet50"])
        .args(["--batch", "2", "--threads", "1", "--device", "cpu", "--data", folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(b"\n").unwrap();
    let output = process.wait_with_output().unwrap();
    let round = lines(&output).remove(1);
    for epoch in round["epochs"].as_array().unwrap() {
        assert_eq!(epoch["images"], 16, "{epoch}");
    }
    assert!(positive(epoch(&round, "decoded"), "loading") > positive(epoch(&round, "cached"), "loading"));
    // Too few for larger batches, and none with a mask.
    for (more, part) in [
        (["--batch", "3"], "16 pictures are there"),
        (["--networks", "segmenter-resnet50"], "0 pictures are there"),
    ] {
        let mut arguments = vec!["bench", "--device", "cpu", "--work", "loading", "--data", folder];
        arguments.extend(["--rounds", "1", "--json", "-"]);
        if more[0] == "--batch" {
            arguments.extend(["--networks", "resnet50"]);
        }
        arguments.extend(more);
        let output = run(data.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stdout(&output).contains(part), "{part} is not in: {}", stdout(&output));
    }
}

#[test]
fn bench_measures_the_pipeline_and_its_stages() {
    let case = one_case(&["--work", "pipeline", "--batch", "8"]);
    assert_eq!((&case["network"], &case["batch"]), (&"recovnet-v1".into(), &1.into()));
    let stages = case["stages_ms"].as_object().unwrap();
    let names: Vec<&str> = stages.keys().map(String::as_str).collect();
    let expected = [
        "classifier alone",
        "classify",
        "decode",
        "explain",
        "preprocess",
        "segment",
        "segmenter alone",
    ];
    assert_eq!(names, expected);
    let stage = |name: &str| stages[name].as_f64().unwrap();
    // Segmenter and classifier are timed from one start.
    let sum = stage("decode") + stage("preprocess") + stage("segment").max(stage("classify")) + stage("explain");
    assert!(sum > 0.0 && sum < 2.0 * positive(&case, "median_ms"), "{case}");
    assert!(
        stage("segmenter alone") > 0.0 && stage("classifier alone") > 0.0,
        "{case}"
    );
}

#[test]
fn a_case_that_fails_is_told_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let output = recovnet(folder.path())
        .env_remove("RECOVNET_WEIGHTS")
        .env("HOME", folder.path())
        .env_remove("XDG_DATA_HOME")
        .args([
            "bench",
            "--work",
            "pipeline,inference",
            "--networks",
            "densenet121",
            "--device",
            "cpu",
        ])
        .args(["--threads", "1", "--rounds", "1", "--json", "lines.json"])
        .output()
        .unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    assert!(stderr(&output).contains("no weights of"), "{}", stderr(&output));
    let text = std::fs::read_to_string(folder.path().join("lines.json")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let machine = &lines[0]["machine"];
    assert_eq!(machine["version"], env!("CARGO_PKG_VERSION"));
    for name in ["cpu", "cores", "instructions", "memory_mib", "os", "commit", "profile"] {
        assert!(machine.get(name).is_some(), "{name} is not in {machine}");
    }
    assert!(
        lines[1]["error"].as_str().unwrap().contains("--weights"),
        "{}",
        lines[1]
    );
    assert!(lines[2]["median_ms"].is_f64(), "{}", lines[2]);
}

#[test]
fn a_profile_has_a_line_for_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let output = recovnet(folder.path())
        .args(["bench", "--profile", "--networks", "resnet50", "--threads", "1"])
        .args(["--rounds", "1", "--json", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.len() > 50,
        "ResNet-50 has 53 convolutions, here are {} steps",
        lines.len()
    );
    let shares: f64 = lines.iter().map(|line| line["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    for line in lines {
        assert!(
            line["ms"].as_f64().unwrap() > 0.0 && !line["step"].as_str().unwrap().is_empty(),
            "{line}"
        );
    }
}

#[test]
fn a_served_case_runs_a_round_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = recovnet(folder.path())
        .args(["bench", "--serve", "--work", "inference", "--networks", "resnet50"])
        .args(["--batch", "1", "--threads", "1", "--device", "cpu"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut questions = process.stdin.take().unwrap();
    let mut answers = BufReader::new(process.stdout.take().unwrap());
    let mut answer = || {
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    };
    assert_eq!(answer()["device"], "CPU, 1 thread");
    for _ in 0..2 {
        questions.write_all(b"\n").unwrap();
        positive(&answer(), "ms");
    }
    drop(questions);
    assert!(process.wait().unwrap().success());
}

#[test]
fn what_bench_cannot_measure_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = [
        (&["--networks", "vgg16"][..], "segmenter-densenet121"),
        (&["--work", "guessing"], "pipeline"),
        (&["--batch", "0"], "1 to 1024 images"),
        (&["--batch", "1,99999"], "1 to 1024 images"),
        (&["--rounds", "0"], "1 to 100000 rounds"),
        (&["--threads", "0"], "choose 1 to 1024"),
        (&["--threads", "1,5000"], "choose 1 to 1024"),
        (&["--device", "tpu"], "cuda:N"),
        (&["--serve"], "one case"),
        (&["--data", "."], "--work loading"),
    ];
    for (arguments, part) in wrong {
        let output = run(folder.path(), &[&["bench"], arguments].concat());
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(2), String::new()),
            "{arguments:?}"
        );
        assert!(stderr(&output).contains(part), "{part} is not in: {}", stderr(&output));
    }
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    crate::support::write_chest(&folder.path().join("a.png"), 64, 64, 1);
    for arguments in [&["bench", "--rounds", "1"][..], &["predict", "a.png"]] {
        let output = run(folder.path(), &[arguments, &["--device", "cuda:9"]].concat());
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
        let error = stderr(&output);
        assert!(
            error.contains("cuda:9 cannot be used") && error.contains("choose --device auto or cpu"),
            "{error}"
        );
    }
}
