//! The index of studies over files made here: headers, folders, DICOMDIR, changes, damage, two at once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../imaging/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of imaging")]
mod fixture;

mod changes;
mod database;
mod dicomdir;
mod files;
mod headers;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use fixture::Dicom;
use recovnet::library::{Counts, Library, Summary};
use tempfile::TempDir;

/// Study Instance UID of a number.
fn study_uid(study: usize) -> String {
    format!("2.25.1000{study}")
}

/// An instance of a patient, study, series and number.
fn instance(patient: usize, study: usize, series: usize, number: usize) -> Dicom {
    Dicom::new()
        .text(
            tags::SOP_INSTANCE_UID,
            VR::UI,
            &format!("2.25.{patient}{study}{series}{number}"),
        )
        .text(tags::PATIENT_NAME, VR::PN, &format!("Doe^Patient{patient}"))
        .text(tags::PATIENT_ID, VR::LO, &format!("P{patient}"))
        .text(tags::PATIENT_BIRTH_DATE, VR::DA, "19700101")
        .text(tags::STUDY_INSTANCE_UID, VR::UI, &study_uid(study))
        .text(tags::STUDY_DATE, VR::DA, &format!("202401{:02}", 1 + study % 28))
        .text(tags::STUDY_DESCRIPTION, VR::LO, "Chest")
        .text(
            tags::SERIES_INSTANCE_UID,
            VR::UI,
            &format!("{}.{series}", study_uid(study)),
        )
        .text(tags::SERIES_NUMBER, VR::IS, &series.to_string())
        .text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string())
}

/// Writes a file whose time is an hour ago, as if nobody were at work on it.
fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    set_age(path, Duration::from_hours(1));
}

fn set_age(path: &Path, age: Duration) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

/// A folder with studies and a database beside it.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Two patients, three studies, four series, five instances.
    fn with_studies() -> Self {
        let case = Self::new();
        for (name, (patient, study, series, number)) in [
            ("a/1.dcm", (1, 1, 1, 1)),
            ("a/2.dcm", (1, 1, 1, 2)),
            ("a/lateral", (1, 1, 2, 1)),
            ("b/1.dcm", (1, 2, 1, 1)),
            ("c/1.dcm", (2, 3, 1, 1)),
        ] {
            case.put(name, instance(patient, study, series, number));
        }
        case
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.source().join(name)
    }

    fn put(&self, name: &str, dicom: Dicom) {
        write(&self.path(name), &dicom.bytes());
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("data/studies.sqlite")
    }

    fn library(&self) -> Library {
        Library::open(&self.database()).unwrap()
    }

    fn index(&self) -> Summary {
        index(&mut self.library(), &self.source())
    }

    fn counts(&self) -> Counts {
        let root = self.source().canonicalize().unwrap();
        self.library().counts(Some(&root)).unwrap()
    }
}

fn index(library: &mut Library, source: &Path) -> Summary {
    library.index(source, &AtomicBool::new(false), &|_| {}).unwrap()
}

/// Patients, studies, series, instances.
fn four(counts: &Counts) -> [usize; 4] {
    [counts.patients, counts.studies, counts.series, counts.instances]
}
