//! Many files: names, resume, cancel, errors.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use recovnet::deidentify::batch::{self, Batch, kept_apart, sources};
use recovnet::deidentify::report::{Report, Status};
use recovnet::deidentify::{Key, Options};

use crate::fixture::{IDENTITIES, file, holds, identified, settings, text};

fn folder_of(files: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..files {
        let path = folder.path().join(format!("Mustermann_{number}.dcm"));
        fs::write(path, file(&identified(10 * number))).unwrap();
    }
    folder
}

fn batch_of(input: &Path, out: &Path, resume: bool) -> Batch {
    Batch {
        files: sources(&[input.to_owned()], out).files,
        out: out.to_owned(),
        settings: settings(Options::default()),
        resume,
    }
}

fn run(batch: &Batch) -> Report {
    batch::run(batch, &|_, _| {}, &AtomicBool::new(false)).unwrap()
}

fn written(out: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "dcm"));
    paths.sort();
    paths
}

#[test]
fn files_are_named_by_their_uids_and_go_on_where_they_were() {
    let (input, out) = (folder_of(4), tempfile::tempdir().unwrap());
    let out = out.path().join("new");
    let report = run(&batch_of(input.path(), &out, false));
    assert_eq!(report.counts(), (4, 0, 0));
    let files = written(&out);
    assert_eq!(files.len(), 4);
    for path in fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for identity in IDENTITIES {
            assert!(
                !holds(&bytes, identity) && !holds(name.as_bytes(), identity),
                "{identity}"
            );
        }
        assert!(name.starts_with("2.25.") || name.starts_with(".recovnet"), "{name}");
    }
    // Without the word, nothing is touched.
    let refused = batch::run(
        &batch_of(input.path(), &out, false),
        &|_, _| {},
        &AtomicBool::new(false),
    );
    assert!(refused.unwrap_err().to_string().contains("already"));
    // One is missing and one is spoilt: both are written again, the others are kept.
    let spoilt = fs::read(&files[1]).unwrap();
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], b"spoilt").unwrap();
    let report = run(&batch_of(input.path(), &out, true));
    assert_eq!(report.counts(), (2, 2, 0));
    assert_eq!(fs::read(&files[1]).unwrap(), spoilt);
    assert_eq!(written(&out), files);
}

#[test]
fn an_error_names_its_file_and_the_others_go_on() {
    let (input, out) = (folder_of(2), tempfile::tempdir().unwrap());
    fs::write(input.path().join("broken.dcm"), b"nothing").unwrap();
    let report = run(&batch_of(input.path(), out.path(), false));
    assert_eq!(report.counts(), (2, 0, 1));
    let failed: Vec<_> = report
        .files
        .iter()
        .filter(|file| matches!(file.status, Status::Failed(_)))
        .collect();
    assert!(failed[0].source.ends_with("broken.dcm"));
    let csv = String::from_utf8(report.to_csv().unwrap()).unwrap();
    assert!(
        csv.lines()
            .any(|line| line.contains("\"(0010,0010)\"") && line.contains("replaced")),
        "{csv}"
    );
    let json: serde_json::Value = serde_json::from_slice(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["files"].as_array().unwrap().len(), 3);
    assert_eq!(json["edition"], "2026c");
}

#[test]
fn two_files_of_one_instance_are_not_written_over_each_other() {
    let (input, out) = (folder_of(1), tempfile::tempdir().unwrap());
    fs::copy(input.path().join("Mustermann_0.dcm"), input.path().join("copy.dcm")).unwrap();
    let report = run(&batch_of(input.path(), out.path(), false));
    assert_eq!(report.counts(), (1, 0, 1));
    // A file that is there and that no batch wrote stays.
    let other = tempfile::tempdir().unwrap();
    let name = report.files.iter().find_map(|file| file.output.clone()).unwrap();
    fs::write(other.path().join(&name), b"mine").unwrap();
    fs::remove_file(input.path().join("copy.dcm")).unwrap();
    let report = run(&batch_of(input.path(), other.path(), false));
    assert_eq!(report.counts(), (0, 0, 1));
    assert_eq!(fs::read(other.path().join(&name)).unwrap(), b"mine");
}

#[test]
fn a_cancelled_batch_goes_on_later() {
    let (input, out) = (folder_of(3), tempfile::tempdir().unwrap());
    let batch = batch_of(input.path(), out.path(), false);
    let report = batch::run(&batch, &|_, _| {}, &AtomicBool::new(true)).unwrap();
    assert!(report.cancelled);
    assert_eq!(report.counts(), (0, 0, 0));
    let report = run(&batch_of(input.path(), out.path(), true));
    assert_eq!(report.counts(), (3, 0, 0));
}

#[test]
fn what_was_written_into_the_folder_is_no_source() {
    let input = folder_of(2);
    let out = input.path().join("out");
    run(&batch_of(input.path(), &out, false));
    assert_eq!(sources(&[input.path().to_owned()], &out).files.len(), 2);
}

#[test]
fn going_on_ends_with_files_kept_changed_and_doubled() {
    let (input, out) = (folder_of(24), tempfile::tempdir().unwrap());
    assert_eq!(run(&batch_of(input.path(), out.path(), false)).counts(), (24, 0, 0));
    let place = |name: String| input.path().join(name);
    for number in (0..24).step_by(3) {
        let mut nodes = identified(10 * number);
        nodes.push(text((0x0018, 0x0015), b"CS", "CHEST"));
        fs::write(place(format!("Mustermann_{number}.dcm")), file(&nodes)).unwrap();
        let kept = number + 1;
        let copy = place(format!("copy_{kept}.dcm"));
        fs::copy(place(format!("Mustermann_{kept}.dcm")), copy).unwrap();
    }
    let before = written(out.path());
    let batch = batch_of(input.path(), out.path(), true);
    let (send, receive) = mpsc::channel();
    let work = move || send.send(run(&batch));
    std::thread::Builder::new()
        .name("batch".to_owned())
        .spawn(work)
        .unwrap();
    let report = receive
        .recv_timeout(Duration::from_mins(1))
        .expect("a batch that goes on ends");
    // A copy does not take the name of the file that was there first.
    assert_eq!(report.counts(), (8, 16, 8));
    for file in &report.files {
        let name = file.source.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            matches!(file.status, Status::Failed(_)),
            name.starts_with("copy"),
            "{name}"
        );
    }
    assert_eq!(written(out.path()), before);
}

#[test]
fn another_key_does_not_go_on_and_what_fails_leaves_no_journal() {
    let (input, out) = (folder_of(1), tempfile::tempdir().unwrap());
    run(&batch_of(input.path(), out.path(), false));
    let mut batch = batch_of(input.path(), out.path(), true);
    batch.settings.key = Key::of(b"another key of some length");
    let refused = batch::run(&batch, &|_, _| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(refused.to_string().contains("another key"), "{refused}");
    let other = tempfile::tempdir().unwrap();
    fs::write(input.path().join("Mustermann_0.dcm"), b"nothing").unwrap();
    let report = run(&batch_of(input.path(), other.path(), false));
    assert_eq!(report.counts(), (0, 0, 1));
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
}

#[test]
fn key_and_report_stay_outside_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let check = |name: &str| kept_apart(&out, &[None, Some(&folder.path().join(name))]).is_ok();
    // Before the folder is there, and once it is.
    for _ in 0..2 {
        assert!(check("key") && check("output.json"));
        assert!(!check("out/key") && !check("out/deeper/report.csv"));
        fs::create_dir_all(out.join("deeper")).unwrap();
    }
    assert!(!check("out/deeper/../report.csv"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&out, folder.path().join("link")).unwrap();
        assert!(!check("link/key"));
    }
}

#[test]
fn a_file_that_is_named_twice_is_one_source_and_what_is_passed_over_is_said() {
    let input = folder_of(2);
    let out = input.path().join("out");
    let one = input.path().join("Mustermann_0.dcm");
    let found = sources(&[input.path().to_owned(), one.clone()], &out);
    assert_eq!((found.files.len(), found.notes), (2, Vec::new()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(&one, input.path().join("link.dcm")).unwrap();
        symlink(input.path().join("nowhere"), input.path().join("broken")).unwrap();
        let found = sources(&[input.path().to_owned()], &out);
        assert_eq!(found.files.len(), 2);
        assert_eq!(found.notes.len(), 1);
        assert!(found.notes[0].contains("1 files or folders"), "{:?}", found.notes);
    }
}
