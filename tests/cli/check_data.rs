//! `recovnet check-data`.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::write_chest;
use crate::{recovnet, stderr, stdout, tree};

/// Runs the command with a cache of its own.
fn check(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = recovnet(folder);
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    command.args(["check-data", "--data", "set"]).args(arguments);
    command.output().unwrap()
}

/// A folder with a data set of pictures that are nothing like each other.
fn data_set() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("set")).unwrap();
    let mut table = String::from("file,label,group,source,view\n");
    for number in 0..6_u32 {
        let file = format!("{number}.png");
        let picture = image::GrayImage::from_fn(140, 150, |x, y| {
            let (u, v) = (f64::from(x) / 20.0, f64::from(y) / 20.0);
            let n = f64::from(number + 1);
            image::Luma([(127.0 + 60.0 * (u * n.sqrt() + n).sin() + 60.0 * (v * (n * 2.0).sqrt()).cos()) as u8])
        });
        picture.save(folder.path().join("set").join(&file)).unwrap();
        let label = if number < 2 { "covid" } else { "normal" };
        let line = format!("{file},{label},p{number},hospital,frontal\n");
        table.push_str(&line);
    }
    fs::write(folder.path().join("set/manifest.csv"), table).unwrap();
    folder
}

fn add(folder: &Path, line: &str) {
    let path = folder.join("set/manifest.csv");
    let table = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{table}{line}\n")).unwrap();
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// A group in another part than `p0`'s.
fn other_group() -> String {
    use recovnet::training::split::Part;
    let other = (0..1000)
        .map(|i| format!("q{i}"))
        .find(|name| Part::of(name) != Part::of("p0"));
    other.unwrap()
}

#[test]
fn a_sound_data_set_passes() {
    let folder = data_set();
    let output = check(folder.path(), &["--json", "-", "--threads", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(&output);
    assert_eq!(
        (report["images"].as_u64(), report["near"]["pairs"].as_u64()),
        (Some(6), Some(0))
    );
    assert_eq!(
        report["leakage"],
        serde_json::json!({"exact": 0, "near": 0, "groups": 0})
    );
    assert_eq!(report["paper"][0]["phase"], 2);
    assert_eq!(report["paper"][1], Value::Null, "there are no masks for phase I");
    let kept = tree(&folder.path().join("cache"));
    assert!(kept.len() == 1 && kept[0].contains("check-"), "{kept:?}");
}

#[test]
fn leakage_fails_and_is_shown_in_every_form() {
    let folder = data_set();
    fs::copy(folder.path().join("set/0.png"), folder.path().join("set/copy.png")).unwrap();
    add(
        folder.path(),
        &format!("copy.png,normal,{},hospital,frontal", other_group()),
    );
    let arguments = [
        "--json",
        "out/report.json",
        "--report",
        "out/report.html",
        "--thumbnails",
        "out/pictures",
    ];
    let output = check(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let written = tree(&folder.path().join("out"));
    assert_eq!(
        written,
        [
            "pictures/copy-001-a.png",
            "pictures/copy-001-b.png",
            "report.html",
            "report.json"
        ]
    );
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("out/report.json")).unwrap()).unwrap();
    assert_eq!(report["leakage"]["exact"], 1);
    assert_eq!(report["exact"]["across_classes"], 1);
    assert!(report["copies"]["first"][0]["thumbnails"].is_null());
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("copy.png") && page.contains("data:image/png") && !page.contains("http"));
    let picture = image::open(folder.path().join("out/pictures/copy-001-a.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (96, 96));
    let output = check(folder.path(), &["--json", "-", "--report", "report.md"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        fs::read_to_string(folder.path().join("report.md"))
            .unwrap()
            .contains("leakage: 1 exact copy")
    );
}

#[test]
fn data_parted_by_their_copies_pass() {
    let folder = data_set();
    fs::copy(folder.path().join("set/0.png"), folder.path().join("set/copy.png")).unwrap();
    add(
        folder.path(),
        &format!("copy.png,normal,{},hospital,frontal", other_group()),
    );
    assert_eq!(check(folder.path(), &["--json", "-"]).status.code(), Some(1));
    let output = check(folder.path(), &["--json", "-", "--together", "split.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json(&output)["exact"]["pairs"], 1, "the copy is told all the same");
    assert!(
        stderr(&output).contains("--split-file split.json"),
        "{}",
        stderr(&output)
    );
    let output = check(folder.path(), &["--json", "-", "--split-file", "split.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = check(folder.path(), &["--together", "split.json"]);
    assert_eq!(output.status.code(), Some(2), "a split is written once");
    assert!(stderr(&output).contains("split.json"), "{}", stderr(&output));
}

#[test]
fn unreadable_files_fail() {
    let folder = data_set();
    fs::write(folder.path().join("set/zero.png"), b"").unwrap();
    add(folder.path(), "zero.png,normal,z,hospital,frontal");
    let output = check(folder.path(), &["--json", "-"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["unreadable"]["first"][0]["file"], "zero.png");
}

#[test]
fn wrong_usage_is_said_before_anything_is_read() {
    let folder = data_set();
    for arguments in [&["--report", "report.pdf"][..], &["--threads", "0"], &["--nonsense"]] {
        let output = check(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    fs::remove_file(folder.path().join("set/manifest.csv")).unwrap();
    let output = check(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("manifest.csv"), "{}", stderr(&output));
}

/// Ctrl+C in the middle: no report, no JSON, nothing temporary.
#[cfg(unix)]
#[test]
fn a_cancelled_check_leaves_nothing() {
    let folder = data_set();
    for number in 10..400 {
        let file = format!("{number}.png");
        write_chest(&folder.path().join("set").join(&file), 300, 300, number);
        add(folder.path(), &format!("{file},normal,g{number},hospital,frontal"));
    }
    let mut command = recovnet(folder.path());
    command.env("XDG_CACHE_HOME", folder.path().join("cache"));
    command.args([
        "check-data",
        "--data",
        "set",
        "--threads",
        "1",
        "--json",
        "out.json",
        "--report",
        "out.html",
    ]);
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Once its temporary file for the lines is there, it listens.
    let begun = || fs::read_dir(folder.path()).unwrap().flatten().count() > 2;
    while !begun() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("cancelled"));
    assert_eq!(tree(&folder.path().join("cache")), Vec::<String>::new());
    let left: Vec<String> = tree(folder.path())
        .into_iter()
        .filter(|name| !name.starts_with("set/"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
