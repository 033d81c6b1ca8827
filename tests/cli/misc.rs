//! Help, version, doctor and phantom.

use crate::{recovnet, run, stderr, stdout};

#[test]
fn help_and_version_end_in_0() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["predict", "--help"], &["--version"]] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("recovnet"));
    }
    let help = stdout(&run(folder.path(), &["--help"]));
    for word in [
        "predict",
        "evaluate",
        "train",
        "import",
        "index",
        "bench",
        "phantom",
        "doctor",
        "Research use only, not a diagnosis",
    ] {
        assert!(help.contains(word), "{word} is not in: {help}");
    }
}

#[test]
fn doctor_says_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["doctor"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    for word in [
        env!("CARGO_PKG_VERSION"),
        "CPU:",
        "Kernels:",
        "CUDA:",
        "Weights recovnet-v1: version 0.0.0-random",
        "verified",
    ] {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
}

#[test]
fn doctor_names_the_kernels_that_the_environment_chooses() {
    let folder = tempfile::tempdir().unwrap();
    for (wanted, told) in [
        ("Portable", "Kernels: portable, chosen by RECOVNET_KERNEL\n"),
        (
            "AVX-1024",
            "; RECOVNET_KERNEL names 'AVX-1024', which this machine does not have\n",
        ),
    ] {
        let output = recovnet(folder.path())
            .env("RECOVNET_KERNEL", wanted)
            .arg("doctor")
            .output()
            .unwrap();
        let text = stdout(&output);
        assert!(text.contains(told), "{told} is not in: {text}");
    }
}

#[test]
fn doctor_fails_where_the_weights_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let output = recovnet(folder.path())
        .env_remove("RECOVNET_WEIGHTS")
        .env("HOME", folder.path())
        .env_remove("XDG_DATA_HOME")
        .arg("doctor")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("no weights of recovnet-v1"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn the_phantom_is_predicted_alike_as_png_and_as_dicom() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["phantom.png", "phantom.dcm"] {
        let output = run(folder.path(), &["phantom", name]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let output = run(folder.path(), &["predict", "phantom.png", "phantom.dcm", "--json", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let scores: Vec<f64> = crate::lines(&output)
        .iter()
        .map(|line| line["probability"]["covid19"].as_f64().unwrap())
        .collect();
    assert!((scores[0] - scores[1]).abs() < 0.02, "{scores:?}");
}

#[test]
fn phantoms_of_other_seeds_are_other_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let phantom = |name: &str, seed: &str| {
        let output = run(
            folder.path(),
            &["phantom", name, "--width", "40", "--height", "30", "--seed", seed],
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        std::fs::read(folder.path().join(name)).unwrap()
    };
    for ending in ["png", "dcm"] {
        let name = format!("phantom.{ending}");
        let (none, one) = (phantom(&name, "0"), phantom(&name, "1"));
        assert_eq!(none, phantom(&name, "0"));
        assert_ne!(none, one);
    }
}

#[test]
fn a_number_of_threads_is_kept_and_0_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    crate::support::write_chest(&folder.path().join("a.png"), 64, 64, 1);
    for threads in ["1", "3"] {
        let output = run(
            folder.path(),
            &["predict", "a.png", "--json", "-", "--threads", threads],
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let device = &crate::lines(&output)[0]["device"];
        let words = format!("CPU, {threads} thread");
        assert!(device.as_str().unwrap().starts_with(&words), "{device}");
    }
    let train = [
        "train",
        "segmenter",
        "--encoder",
        "resnet50",
        "--data",
        ".",
        "--recipe",
        "paper",
        "--run-dir",
        "r",
    ];
    for command in [&["predict", "a.png"][..], &["evaluate", "--data", "."], &train, &[]] {
        for number in ["0", "1025", "many"] {
            let output = run(folder.path(), &[command, &["--threads", number]].concat());
            assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()));
            let error = stderr(&output);
            let way_out = if number == "many" {
                "a whole number"
            } else {
                "choose 1 to 1024"
            };
            assert!(error.contains("--threads") && error.contains(way_out), "{error}");
        }
    }
}
