//! The index of studies over files made here: headers, folders, DICOMDIR, changes, damage, two at once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../imaging/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of imaging")]
mod fixture;

mod changes;
mod database;
mod dicomdir;
#[path = "../support/elements.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod elements;
mod files;
mod headers;
#[path = "../support/studies.rs"]
mod study_files;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use fixture::Dicom;
use recovnet::library::{Counts, Library, Summary};
use study_files::{instance_of, write_settled};
use tempfile::TempDir;

/// Study Instance UID of a number.
fn study_uid(study: usize) -> String {
    format!("2.25.1000{study}")
}

/// An instance of a patient, study, series and number.
fn instance(patient: usize, study: usize, series: usize, number: usize) -> Dicom {
    let (name, id) = (format!("Doe^Patient{patient}"), format!("P{patient}"));
    let (study_uid, instance_uid) = (study_uid(study), format!("2.25.{patient}{study}{series}{number}"));
    instance_of([&name, &id], &study_uid, &format!("{study_uid}.{series}"))
        .text(tags::SOP_INSTANCE_UID, VR::UI, &instance_uid)
        .text(tags::PATIENT_BIRTH_DATE, VR::DA, "19700101")
        .text(tags::STUDY_DATE, VR::DA, &format!("202401{:02}", 1 + study % 28))
        .text(tags::STUDY_DESCRIPTION, VR::LO, "Chest")
        .text(tags::SERIES_NUMBER, VR::IS, &series.to_string())
        .text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string())
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
        write_settled(&self.path(name), &dicom.bytes());
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
