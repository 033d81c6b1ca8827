//! `recovnet deidentify`: what it writes, says and refuses.

use std::fs;
use std::path::Path;

use recovnet::imaging::phantom;

use crate::{run, stderr, stdout, tree};

fn sources(folder: &Path) {
    fs::create_dir(folder.join("in")).unwrap();
    for seed in 0..2 {
        let bytes = phantom::dicom_bytes_seeded(64, 48, seed).unwrap();
        fs::write(folder.join(format!("in/PHANTOM_{seed}.dcm")), bytes).unwrap();
    }
}

#[test]
fn a_folder_is_written_under_new_names_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    sources(folder.path());
    let arguments = [
        "deidentify",
        "in",
        "--out",
        "out",
        "--key",
        "key",
        "--dates",
        "shift",
        "--retain",
        "patient,device",
        "--clean",
        "descriptors",
        "--report",
        "report.csv",
    ];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "2 written, 0 written before, 0 failed\n");
    let written: Vec<String> = tree(&folder.path().join("out"))
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "dcm"))
        .collect();
    assert_eq!(written.len(), 2);
    for name in &written {
        assert!(name.starts_with("2.25."), "{name}");
        let bytes = fs::read(folder.path().join("out").join(name)).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"PHANTOM"));
    }
    let csv = fs::read_to_string(folder.path().join("report.csv")).unwrap();
    assert!(csv.starts_with("source,output,status,path,name,action,old,new\n"));
    assert!(csv.contains("Patient's Name,replaced"), "{csv}");
    // The same again is refused, and kept with the word.
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("already"), "{}", stderr(&output));
    let output = run(folder.path(), &[&arguments[..], &["--resume"]].concat());
    assert_eq!(stdout(&output), "0 written, 2 written before, 0 failed\n");
}

#[test]
fn the_report_is_one_object_and_an_error_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    sources(folder.path());
    fs::write(folder.path().join("in/broken.dcm"), b"nothing at all").unwrap();
    let output = run(
        folder.path(),
        &[
            "deidentify",
            "in",
            "--out",
            "out",
            "--mask",
            "4,5,10,6",
            "--mask",
            "20,1,8,8",
            "--json",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("broken.dcm"), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let files = report["files"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    let masked = files
        .iter()
        .filter(|file| file["masked"].as_array().unwrap().len() == 2)
        .count();
    assert_eq!(masked, 2);
    assert!(!stdout(&output).contains("PHANTOM^CHEST"));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    sources(folder.path());
    for (arguments, words) in [
        (&["deidentify", "in", "--out", "out", "--resume"][..], "--key"),
        (
            &[
                "deidentify",
                "in",
                "--out",
                "out",
                "--mask",
                "auto",
                "--mask",
                "1,2,3,4",
            ],
            "do not go together",
        ),
        (&["deidentify", "in", "--out", "out", "--mask", "1,2,0,4"], "rectangle"),
        (
            &["deidentify", "in", "--out", "out", "--report", "report.txt"],
            ".json or .csv",
        ),
        (
            &["deidentify", "in", "--out", "out", "--retain", "everything"],
            "everything",
        ),
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn key_and_report_are_refused_in_the_folder_that_is_written_into() {
    let folder = tempfile::tempdir().unwrap();
    sources(folder.path());
    for private in ["--key=out/key", "--report=out/report.csv"] {
        let output = run(folder.path(), &["deidentify", "in", "--out", "out", private]);
        assert_eq!(output.status.code(), Some(1), "{private}");
        assert!(stderr(&output).contains("outside the folder"), "{}", stderr(&output));
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn originals_are_not_mixed_with_what_is_given_away_and_a_report_is_the_owners() {
    let folder = tempfile::tempdir().unwrap();
    sources(folder.path());
    for input in ["in", "in/PHANTOM_0.dcm"] {
        let output = run(folder.path(), &["deidentify", input, "--out", "in", "--key", "key"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("a folder of its own"), "{}", stderr(&output));
    }
    assert!(!folder.path().join("key").exists());
    let report = folder.path().join("REPORT.JSON");
    let output = run(
        folder.path(),
        &["deidentify", "in", "--out", "out", "--report", "REPORT.JSON"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&report).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["files"].as_array().unwrap().len(), 2);
}
