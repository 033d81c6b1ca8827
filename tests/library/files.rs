//! Files and folders that are not as one would wish.

use std::time::{Duration, Instant};

use crate::study_files::write_settled;
use crate::{Case, four, index, instance};

#[test]
fn pictures_lie_under_their_folder_without_a_patient() {
    let case = Case::with_studies();
    for name in ["pictures/1.png", "pictures/2.png"] {
        std::fs::create_dir_all(case.path("pictures")).unwrap();
        image::GrayImage::new(30, 20).save(case.path(name)).unwrap();
    }
    case.index();
    assert_eq!(four(&case.counts()), [3, 4, 5, 7]);
    let catalogue = case.library().catalogue(None).unwrap();
    let nobody = catalogue
        .patients
        .iter()
        .find(|patient| patient.name.is_empty())
        .unwrap();
    assert_eq!(nobody.studies[0].description.as_deref(), Some("pictures"));
    assert_eq!(nobody.studies[0].series[0].instances.len(), 2);
    assert_eq!(nobody.studies[0].series[0].instances[0].size, Some((20, 30)));
}

#[test]
fn what_cannot_be_read_is_counted_by_its_reason() {
    let case = Case::with_studies();
    write_settled(&case.path("empty.dcm"), b"");
    write_settled(&case.path("text.dcm"), b"no picture at all");
    write_settled(&case.path("more.dcm"), b"no picture either");
    write_settled(&case.path("notes.txt"), b"notes");
    write_settled(&case.path(".hidden.dcm"), b"hidden");
    let summary = case.index();
    assert_eq!(summary.files, 9);
    let counts = case.counts();
    assert_eq!(four(&counts), [2, 3, 4, 5]);
    assert_eq!(counts.other, 1);
    let reasons: Vec<(&str, usize)> = counts
        .unreadable
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(
        reasons,
        [
            ("the file is empty", 1),
            ("this is no DICOM, PNG, JPEG, TIFF, BMP or WebP file", 2)
        ]
    );
    assert_eq!(
        case.index().read,
        0,
        "what is unreadable or no picture is known as well"
    );
}

#[cfg(unix)]
#[test]
fn pipes_devices_loops_and_odd_names_neither_hang_nor_hide_anything() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let case = Case::with_studies();
    let pipe = case.path("pipe.dcm");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    symlink("/dev/zero", case.path("zero.dcm")).unwrap();
    symlink("..", case.path("a/loop")).unwrap();
    symlink("nowhere", case.path("dangling.dcm")).unwrap();
    let odd = case.source().join(std::ffi::OsStr::from_bytes(b"odd\xff\xfe.dcm"));
    write_settled(&odd, &instance(3, 5, 1, 1).bytes());
    let begin = Instant::now();
    let summary = case.index();
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!((summary.files, summary.read), (6, 6));
    assert_eq!(summary.problems.len(), 2, "{:?}", summary.problems);
    assert_eq!(four(&case.counts()), [3, 4, 5, 6]);
    let catalogue = case.library().catalogue(None).unwrap();
    let path = &catalogue.patients[2].studies[0].series[0].instances[0].path;
    assert_eq!(path.file_name(), odd.file_name(), "the name is kept byte by byte");
    assert_eq!(case.index().read, 0);
}

#[cfg(unix)]
#[test]
fn what_lies_in_a_folder_that_was_closed_is_not_gone() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let case = Case::with_studies();
    case.index();
    set_permissions(case.path("a"), Permissions::from_mode(0o000)).unwrap();
    let is_closed = std::fs::read_dir(case.path("a")).is_err();
    let summary = case.index();
    set_permissions(case.path("a"), Permissions::from_mode(0o755)).unwrap();
    if is_closed {
        assert_eq!((summary.files, summary.gone), (2, 0));
        assert_eq!(summary.problems.len(), 1, "{:?}", summary.problems);
    } else {
        println!("no folder is closed to this user");
    }
    assert_eq!(four(&case.counts()), [2, 3, 4, 5]);
}

#[cfg(unix)]
#[test]
fn a_file_that_can_be_seen_and_not_looked_at_is_not_gone() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let case = Case::with_studies();
    case.index();
    // Its names can be listed, but nothing can be asked of them.
    set_permissions(case.path("a"), Permissions::from_mode(0o444)).unwrap();
    let is_closed = std::fs::metadata(case.path("a/1.dcm")).is_err();
    let summary = case.index();
    set_permissions(case.path("a"), Permissions::from_mode(0o755)).unwrap();
    if is_closed {
        assert_eq!((summary.files, summary.gone), (2, 0));
    } else {
        println!("no folder is closed to this user");
    }
    assert_eq!(four(&case.counts()), [2, 3, 4, 5]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_takes_nothing_out() {
    let case = Case::with_studies();
    case.index();
    let away = case.folder.path().join("away");
    std::fs::rename(case.source(), &away).unwrap();
    let mut library = case.library();
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let error = library.index(&case.source(), &cancel, &|_| {}).unwrap_err().to_string();
    assert!(error.contains("cannot be looked through"), "{error}");
    assert_eq!(four(&library.counts(None).unwrap()), [2, 3, 4, 5]);
    std::fs::rename(&away, case.source()).unwrap();
    assert_eq!(index(&mut library, &case.source()).unchanged, 5);
}

#[test]
fn the_files_with_goldens_are_all_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/dicom/open");
    let folder = std::env::var_os("RECOVNET_DICOM").map_or_else(|| folder.into(), std::path::PathBuf::from);
    let files = folder.join("files");
    if !files.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "{}: no files here", files.display());
        println!("skipped: no DICOM files at {}", files.display());
        return;
    }
    let case = Case::new();
    let mut library = case.library();
    let summary = index(&mut library, &files);
    let counts = library.counts(None).unwrap();
    let unreadable: usize = counts.unreadable.values().sum();
    assert_eq!(counts.instances + counts.other + unreadable, summary.files);
    // Whatever has a golden display must be in the list.
    let catalogue = library.catalogue(None).unwrap();
    let studies = catalogue.patients.iter().flat_map(|patient| &patient.studies);
    let series = studies.flat_map(|study| &study.series);
    let listed: std::collections::HashSet<String> = series
        .flat_map(|series| &series.instances)
        .map(|instance| instance.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for entry in std::fs::read_dir(folder.join("golden")).unwrap() {
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let name = golden["file"].as_str().unwrap();
        let name = name.rsplit('/').next().unwrap();
        if golden["expected"] == "show" {
            assert!(listed.contains(name), "{name} is not listed: {:?}", counts.unreadable);
        }
    }
}

#[test]
fn a_picture_without_any_uid_has_its_folder_for_a_series() {
    let case = Case::new();
    let bytes = crate::fixture::Dicom::new().bytes();
    // Without meta information, which repeats the instance's UID.
    let start = bytes.windows(6).position(|six| six == b"\x08\0\x16\0UI").unwrap();
    let uid = bytes.windows(6).position(|six| six == b"\x08\0\x18\0UI").unwrap();
    let length = 8 + usize::from(u16::from_le_bytes([bytes[uid + 6], bytes[uid + 7]]));
    let without = [&bytes[start..uid], &bytes[uid + length..]].concat();
    write_settled(&case.path("a/1.dcm"), &without);
    write_settled(&case.path("a/2.dcm"), &without);
    write_settled(&case.path("b/1.dcm"), &without);
    case.index();
    let counts = case.counts();
    assert_eq!(counts.unreadable.len(), 0, "{:?}", counts.unreadable);
    assert_eq!(four(&counts), [1, 2, 2, 3]);
}
