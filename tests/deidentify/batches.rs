//! Many files: names, resume, cancel, errors.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use recovnet::deidentify::batch::{self, Batch, Error, kept_apart, sources};
use recovnet::deidentify::report::{Form, Report, Status};
use recovnet::deidentify::{Key, Options, deidentify};
use recovnet::imaging::tree::Node;

use crate::fixture::{IDENTITIES, file, holds, identified, put, settings, text, us};

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
fn of_several_files_of_one_instance_the_first_is_written_whichever_is_faster() {
    const PAIRS: u32 = 24;
    let (input, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for number in 0..PAIRS {
        let mut nodes = identified(10 * number);
        fs::write(input.path().join(format!("b_{number}.dcm")), file(&nodes)).unwrap();
        // The first takes longer than the other.
        put(&mut nodes, us((0x0028, 0x0010), 512));
        put(&mut nodes, us((0x0028, 0x0011), 512));
        put(&mut nodes, Node::new((0x7fe0, 0x0010), *b"OW", vec![7; 2 * 512 * 512]));
        fs::write(input.path().join(format!("a_{number}.dcm")), file(&nodes)).unwrap();
    }
    let threads = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let report = threads.install(|| run(&batch_of(input.path(), out.path(), false)));
    let pairs = PAIRS as usize;
    assert_eq!(report.counts(), (pairs, 0, pairs));
    let (first, second) = report.files.split_at(pairs);
    for (first, second) in first.iter().zip(second) {
        let original = fs::read(&first.source).unwrap();
        let expected = deidentify(&first.source, &original, &settings(Options::default())).unwrap();
        let output = out.path().join(first.output.as_ref().unwrap());
        assert!(fs::read(output).unwrap() == expected.bytes, "{first:?}");
        assert_eq!(first.changes, expected.changes);
        let Status::Failed(reason) = &second.status else {
            panic!("{second:?}")
        };
        let name = first.source.file_name().unwrap().to_str().unwrap();
        assert!(reason.contains(name), "{reason}");
        assert_eq!((&second.output, second.changes.len()), (&None, 0));
    }
    // It stays the one that is given away.
    let report = run(&batch_of(input.path(), out.path(), true));
    assert_eq!(report.counts(), (0, pairs, pairs));
}

#[test]
fn going_on_with_other_files_keeps_what_was_written_of_the_first() {
    let (input, other, out) = (folder_of(1), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&batch_of(input.path(), out.path(), false));
    let path = written(out.path()).remove(0);
    let before = fs::read(&path).unwrap();
    let elsewhere = other.path().join("another.dcm");
    // The same file from elsewhere, as after its folder was moved.
    fs::copy(input.path().join("Mustermann_0.dcm"), &elsewhere).unwrap();
    let report = run(&batch_of(other.path(), out.path(), true));
    assert_eq!(report.counts(), (1, 0, 0));
    assert_eq!(fs::read(&path).unwrap(), before);
    // Another object that has the same SOP Instance UID, with the first beside it and without.
    let mut nodes = identified(0);
    nodes.push(text((0x0018, 0x0015), b"CS", "HAND"));
    let third = tempfile::tempdir().unwrap();
    fs::write(third.path().join("another.dcm"), file(&nodes)).unwrap();
    let mut batch = batch_of(third.path(), out.path(), true);
    for (beside, counts) in [(None, (0, 0, 1)), (Some(&elsewhere), (0, 1, 1))] {
        batch.files.extend(beside.cloned());
        let report = run(&batch);
        assert_eq!(report.counts(), counts);
        let Status::Failed(reason) = &report.files[0].status else {
            panic!("{report:?}")
        };
        assert!(reason.contains("same SOP Instance UID"), "{reason}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
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

#[test]
fn a_folder_is_written_into_by_one_batch_at_a_time() {
    let (input, out) = (folder_of(2), tempfile::tempdir().unwrap());
    let batch = batch_of(input.path(), out.path(), false);
    let other = batch_of(input.path(), out.path(), true);
    let (send, receive) = mpsc::channel();
    // Once a file is written, the folder is this batch's until it ends.
    let progress = move |_, _| {
        let refused = batch::run(&other, &|_, _| {}, &AtomicBool::new(false));
        send.send(matches!(refused, Err(Error::InUse(_)))).unwrap();
    };
    let report = batch::run(&batch, &progress, &AtomicBool::new(false)).unwrap();
    drop(progress);
    assert_eq!(report.counts(), (2, 0, 0));
    assert_eq!(receive.into_iter().collect::<Vec<_>>(), [true, true]);
    assert_eq!(run(&batch_of(input.path(), out.path(), true)).counts(), (0, 2, 0));
}

#[test]
fn a_folder_is_a_batch_s_own_before_a_file_is_written() {
    let (input, broken, out) = (folder_of(1), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(broken.path().join("broken.dcm"), b"nothing").unwrap();
    let batch = batch_of(broken.path(), out.path(), false);
    let mut others = [false, true].map(|resume| batch_of(input.path(), out.path(), resume));
    for other in &mut others {
        other.settings.key = Key::of(b"another key of some length");
    }
    let unfinished = out.path().join(".recovnet-a1B2c3");
    let progress = |_, _| {
        fs::write(&unfinished, b"being written").unwrap();
        for other in &others {
            let refused = batch::run(other, &|_, _| {}, &AtomicBool::new(false));
            assert!(matches!(refused, Err(Error::InUse(_))), "{refused:?}");
        }
        // What is not finished is not the other's to take away.
        fs::remove_file(&unfinished).unwrap();
    };
    let report = batch::run(&batch, &progress, &AtomicBool::new(false)).unwrap();
    assert_eq!(report.counts(), (0, 0, 1));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    // An empty journal is one of a batch that was killed before it wrote anything.
    fs::write(out.path().join(".recovnet-deidentify.jsonl"), b"").unwrap();
    assert_eq!(run(&others[0]).counts(), (1, 0, 0));
}

#[test]
fn a_file_takes_the_memory_of_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, vec![7; 100_000]).unwrap();
    let bytes = batch::read(&path).unwrap();
    assert_eq!((bytes.len(), bytes.capacity()), (100_000, 100_000));
}

#[test]
fn what_a_killed_batch_left_is_taken_away_and_written_again() {
    let (input, out) = (folder_of(2), tempfile::tempdir().unwrap());
    run(&batch_of(input.path(), out.path(), false));
    let files = written(out.path());
    // Killed while it wrote: the name is in the journal, the file under a temporary one.
    let unfinished = out.path().join(".recovnet-a1B2c3");
    fs::rename(&files[0], &unfinished).unwrap();
    fs::write(out.path().join("mine.txt"), b"mine").unwrap();
    assert_eq!(run(&batch_of(input.path(), out.path(), true)).counts(), (1, 1, 0));
    assert!(!unfinished.exists() && out.path().join("mine.txt").exists());
    assert_eq!(written(out.path()), files);
}

#[test]
fn a_directory_of_a_medium_and_what_lies_in_the_folder_written_into_are_passed_over() {
    let input = folder_of(2);
    let directory = file(&[text((0x0004, 0x1130), b"CS", "ROOT")]);
    fs::write(input.path().join("DICOMDIR"), &directory).unwrap();
    let out = input.path().join("out");
    let found = sources(&[input.path().to_owned()], &out);
    assert_eq!(found.files.len(), 2);
    assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
    assert!(found.notes[0].contains("lists patients"));
    // Named alone, it is refused with the reason.
    let found = sources(&[input.path().join("DICOMDIR")], &out);
    assert_eq!((found.files.len(), found.notes.len()), (1, 0));
    let report = run(&batch_of(&input.path().join("DICOMDIR"), &out, false));
    let Status::Failed(reason) = &report.files[0].status else {
        panic!("{report:?}")
    };
    assert!(reason.contains("lists patients"), "{reason}");
    assert_eq!(written(&out), Vec::<PathBuf>::new());
    // Originals beside what is given away: neither a folder nor a file is taken from there.
    for argument in [input.path().to_owned(), input.path().join("Mustermann_0.dcm")] {
        let found = sources(&[argument], input.path());
        assert_eq!(found.files, Vec::<PathBuf>::new());
        assert!(
            found.notes.iter().any(|note| note.contains("a folder of its own")),
            "{:?}",
            found.notes
        );
    }
}

#[test]
fn the_form_of_a_report_is_the_ending_of_its_name() {
    let form = |name: &str| Form::of(name.as_ref());
    assert_eq!(form("a/report.json"), Some(Form::Json));
    assert_eq!(form("REPORT.CSV"), Some(Form::Csv));
    for name in ["report", "report.txt", ".json", "a/.csv", "json", ""] {
        assert_eq!(form(name), None, "{name}");
    }
    let report = Report::new(Options::default(), recovnet::deidentify::Masking::Warn);
    assert_eq!(report.to_bytes(Form::Json), report.to_json());
    assert_eq!(report.to_bytes(Form::Csv), report.to_csv());
    assert_eq!(report.summary(), "0 written, 0 written before, 0 failed");
}
