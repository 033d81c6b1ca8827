//! `recovnet index`: counts, a second look, JSON, identity only when it is asked for.

use std::path::Path;

use crate::study_files::{instance_of, write_settled};
use crate::{lines, run, stderr, stdout};

fn put(folder: &Path, name: &str, patient: &str, series: &str) {
    let dicom = instance_of([patient; 2], &format!("{series}.0"), series);
    write_settled(&folder.join(name), &dicom.bytes());
}

fn studies() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "files/1.dcm", "Roe^Jane", "2.25.1");
    put(folder.path(), "files/2.dcm", "Roe^Jane", "2.25.1");
    put(folder.path(), "files/sub/3.dcm", "Doe^John", "2.25.2");
    folder
}

const ARGUMENTS: [&str; 4] = ["index", "files", "--db", "index.sqlite"];

#[test]
fn a_folder_is_counted_and_nobody_is_named() {
    let folder = studies();
    let output = run(folder.path(), &ARGUMENTS);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for line in [
        "Patients            2",
        "Studies             2",
        "Series              2",
        "Instances           3",
        "Unreadable          0",
        "3 read, 0 unchanged, 0 gone",
    ] {
        assert!(text.contains(line), "'{line}' is not in: {text}");
    }
    let all = text + &stderr(&output);
    assert!(!all.contains("Roe") && !all.contains("Doe"), "{all}");
    let again = stdout(&run(folder.path(), &ARGUMENTS));
    assert!(again.contains("0 read, 3 unchanged, 0 gone"), "{again}");
}

#[test]
fn json_says_the_same_and_lists_when_asked() {
    let folder = studies();
    let output = run(folder.path(), &[&ARGUMENTS[..], &["--json"]].concat());
    let [object] = &lines(&output)[..] else {
        panic!("one line was expected: {}", stdout(&output))
    };
    assert_eq!((&object["patients"], &object["instances"]), (&2.into(), &3.into()));
    assert!(object["files_per_second"].as_f64().unwrap() > 0.0);
    assert!(object.get("list").is_none());
    assert!(!object.to_string().contains("Roe"));
    let listed = run(folder.path(), &[&ARGUMENTS[..], &["--json", "--list"]].concat());
    let list = &lines(&listed)[0]["list"];
    assert_eq!(list[0]["name"], "Doe, John");
    assert_eq!(
        list[1]["studies"][0]["series"][0]["instances"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let words = stdout(&run(folder.path(), &[&ARGUMENTS[..], &["--list"]].concat()));
    assert!(words.contains("Roe, Jane"), "{words}");
}

#[test]
fn unreadable_files_are_counted_and_end_in_1() {
    let folder = studies();
    let broken = folder.path().join("files/broken.dcm");
    write_settled(&broken, b"no picture");
    let output = run(folder.path(), &ARGUMENTS);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("1 x this is no DICOM"), "{text}");
    assert!(text.contains("Instances           3"), "{text}");
}

#[test]
fn what_cannot_be_indexed_is_said() {
    let folder = studies();
    for (source, word) in [
        ("missing", "cannot be looked through"),
        ("files/1.dcm", "no directory records"),
    ] {
        let output = run(folder.path(), &["index", source, "--db", "index.sqlite"]);
        assert_eq!(output.status.code(), Some(1), "{source}");
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}

#[test]
fn a_damaged_index_is_made_anew_with_a_message() {
    let folder = studies();
    run(folder.path(), &ARGUMENTS);
    std::fs::write(folder.path().join("index.sqlite"), "rubbish, and not a little of it").unwrap();
    let output = run(folder.path(), &ARGUMENTS);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("was damaged"), "{}", stderr(&output));
    assert!(stdout(&output).contains("3 read"), "{}", stdout(&output));
}
