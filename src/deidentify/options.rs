//! The choices of PS3.15 E.3, and the codes that say in a file which of them were made.

use serde::{Deserialize, Serialize};

/// What becomes of dates and times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dates {
    /// They are removed, emptied or replaced, as the Basic Profile says.
    #[default]
    Remove,
    /// Dates are moved by so many days for each patient, times kept: intervals stay true (E.3.6).
    Shift,
    /// They are kept.
    Keep,
}

/// Options of the Basic Application Level Confidentiality Profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own in the standard
pub struct Options {
    /// UIDs stay as they are (E.3.9).
    pub retain_uids: bool,
    /// Serial numbers, station names and the like stay (E.3.8).
    pub retain_device_identity: bool,
    /// Name and address of the institution stay (E.3.11).
    pub retain_institution_identity: bool,
    /// Sex, age, size, weight and the like stay; ages above 89 become 90 (E.3.7).
    pub retain_patient_characteristics: bool,
    /// Private attributes that the standard lists as safe stay (E.3.10).
    pub retain_safe_private: bool,
    /// Dates and times (E.3.6).
    pub dates: Dates,
    /// Descriptions keep the words of a radiological vocabulary (E.3.5).
    pub clean_descriptors: bool,
    /// Structured content keeps its codes and numbers (E.3.4).
    pub clean_structured_content: bool,
    /// Overlays and graphic annotations keep their drawings without texts (E.3.3).
    pub clean_graphics: bool,
}

/// Code and meaning of the profile and of an option (PS3.16 CID 7050).
pub type Code = (&'static str, &'static str);

const CLEAN_PIXEL_DATA: Code = ("113101", "Clean Pixel Data Option");

impl Options {
    /// What was done, as De-identification Method Code Sequence (0012,0064) says it. `pixels_cleaned`: text in the
    /// pixels was masked.
    pub fn codes(&self, pixels_cleaned: bool) -> Vec<Code> {
        let (full, modified) = (self.dates == Dates::Keep, self.dates == Dates::Shift);
        let all = [
            (true, ("113100", "Basic Application Confidentiality Profile")),
            (pixels_cleaned, CLEAN_PIXEL_DATA),
            (self.clean_graphics, ("113103", "Clean Graphics Option")),
            (
                self.clean_structured_content,
                ("113104", "Clean Structured Content Option"),
            ),
            (self.clean_descriptors, ("113105", "Clean Descriptors Option")),
            (
                full,
                ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
            ),
            (
                modified,
                (
                    "113107",
                    "Retain Longitudinal Temporal Information Modified Dates Option",
                ),
            ),
            (
                self.retain_patient_characteristics,
                ("113108", "Retain Patient Characteristics Option"),
            ),
            (self.retain_device_identity, ("113109", "Retain Device Identity Option")),
            (self.retain_uids, ("113110", "Retain UIDs Option")),
            (self.retain_safe_private, ("113111", "Retain Safe Private Option")),
            (
                self.retain_institution_identity,
                ("113112", "Retain Institution Identity Option"),
            ),
        ];
        all.into_iter()
            .filter(|(chosen, _)| *chosen)
            .map(|(_, code)| code)
            .collect()
    }

    /// Value of Longitudinal Temporal Information Modified (0028,0303).
    pub fn temporal_information(&self) -> &'static str {
        match self.dates {
            Dates::Remove => "REMOVED",
            Dates::Shift => "MODIFIED",
            Dates::Keep => "UNMODIFIED",
        }
    }
}
