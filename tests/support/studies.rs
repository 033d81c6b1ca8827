//! Folders of DICOM files that belong to studies.
#![allow(dead_code, reason = "every test program uses its own part")]

use std::path::Path;
use std::time::Duration;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::fixture::Dicom;

#[path = "age.rs"]
mod age;

pub use age::set_age;

/// An instance of a patient, of this name and number, in a series of a study, both by their UID.
pub fn instance_of([name, number]: [&str; 2], study: &str, series: &str) -> Dicom {
    Dicom::new()
        .text(tags::PATIENT_NAME, VR::PN, name)
        .text(tags::PATIENT_ID, VR::LO, number)
        .text(tags::STUDY_INSTANCE_UID, VR::UI, study)
        .text(tags::SERIES_INSTANCE_UID, VR::UI, series)
}

/// Writes a file into a folder that is made; its time is an hour ago, as if nobody were at work on it: what was written
/// just now is read again by the index.
pub fn write_settled(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a path in a folder")).expect("the folder can be made");
    std::fs::write(path, bytes).expect("the folder is writable");
    set_age(path, Duration::from_hours(1));
}
