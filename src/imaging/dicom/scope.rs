//! Whether a DICOM picture is of the kind the networks were made for: one frontal radiograph of the chest.

use super::dataset::{DataSet, Tag};
use crate::imaging::radiograph::{Acquisition, Scope};

const VIEW_CODE_SEQUENCE: Tag = (0x0054, 0x0220);
const CODE_MEANING: Tag = (0x0008, 0x0104);
/// Modalities of projection radiographs, and those that tell nothing (OT, SC …).
const RADIOGRAPH_MODALITIES: [&str; 8] = ["CR", "DX", "DR", "RG", "XR", "OT", "SC", "HC"];
/// Storage classes of other kinds of pictures, for files that name no modality: the beginnings of their UIDs
/// after `1.2.840.10008.5.1.4.1.1.`.
const OTHER_STORAGE: [&str; 13] = [
    "2", "3", "4", "6", "12", "13", "20", "30", "66", "77.1", "128", "130", "481",
];
/// Body parts (PS3.16 Annex L) that are clearly not the chest.
const OTHER_PARTS: [&str; 36] = [
    "ABDOMEN",
    "ANKLE",
    "ARM",
    "BLADDER",
    "BREAST",
    "CALCANEUS",
    "COCCYX",
    "CSPINE",
    "ELBOW",
    "EXTREMITY",
    "FEMUR",
    "FINGER",
    "FOOT",
    "FOREARM",
    "HAND",
    "HEAD",
    "HEEL",
    "HIP",
    "HUMERUS",
    "JAW",
    "KNEE",
    "LEG",
    "LSPINE",
    "MANDIBLE",
    "MAXILLA",
    "NECK",
    "PATELLA",
    "PELVIS",
    "SCAPULA",
    "SHOULDER",
    "SKULL",
    "SPINE",
    "TEETH",
    "TIBIA",
    "TOE",
    "WRIST",
];

/// Decides it from what the file says; silence counts for the picture.
pub(super) fn scope(file: &DataSet, acquisition: &Acquisition, frames: u32, colour: bool) -> Scope {
    let reason = other_kind(acquisition)
        .or_else(|| colour.then(|| "it is a colour picture, and the networks read grey radiographs".to_owned()))
        .or_else(|| (frames > 1).then(|| format!("it has {frames} frames, and the networks read single radiographs")))
        .or_else(|| oblique(acquisition))
        .or_else(|| lateral(file, acquisition))
        .or_else(|| other_part(acquisition));
    reason.map_or(Scope::InScope, Scope::OutOfScope)
}

fn other_kind(acquisition: &Acquisition) -> Option<String> {
    if let Some(modality) = acquisition.modality.as_deref() {
        return (!RADIOGRAPH_MODALITIES.contains(&modality))
            .then(|| format!("its modality is {modality:.16}, and the networks read radiographs"));
    }
    let class = acquisition.sop_class_uid.as_deref()?;
    let tail = class.strip_prefix("1.2.840.10008.5.1.4.1.1.")?;
    let is_of = |class: &str| {
        tail.strip_prefix(class)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    OTHER_STORAGE
        .iter()
        .any(|class| is_of(class))
        .then(|| "its storage class is of another kind, and the networks read radiographs".to_owned())
}

fn oblique(acquisition: &Acquisition) -> Option<String> {
    let view = acquisition.view_position.as_deref()?;
    matches!(view, "RLO" | "LLO" | "RAO" | "LAO" | "RPO" | "LPO")
        .then(|| format!("its view {view} is oblique, and the networks read frontal ones"))
}

fn lateral(file: &DataSet, acquisition: &Acquisition) -> Option<String> {
    let view = acquisition.view_position.as_deref().unwrap_or_default().to_uppercase();
    let by_view = matches!(
        view.as_str(),
        "LL" | "RL" | "LAT" | "LATERAL" | "LEFT LATERAL" | "RIGHT LATERAL"
    );
    // Rows of a frontal picture run to the patient's left or right, those of a lateral one to front or back.
    let row = acquisition
        .patient_orientation
        .as_ref()
        .map(|[row, _]| row.as_str())
        .unwrap_or_default();
    let by_orientation = view.is_empty() && row.starts_with(['A', 'P']);
    let code = file.first_item(VIEW_CODE_SEQUENCE).ok().flatten();
    let meaning = code
        .and_then(|code| code.text(CODE_MEANING))
        .unwrap_or_default()
        .to_lowercase();
    let by_code = view.is_empty() && matches!(meaning.trim(), "lateral" | "left lateral" | "right lateral");
    (by_view || by_orientation || by_code)
        .then(|| "it is a lateral view, and the networks read frontal ones".to_owned())
}

fn other_part(acquisition: &Acquisition) -> Option<String> {
    let part = acquisition.body_part.as_deref()?.to_uppercase();
    OTHER_PARTS
        .contains(&part.as_str())
        .then(|| format!("it shows the body part {part}, and the networks read chests"))
}

/// What an object without pixels is, for the sentence that says so.
pub(super) fn without_picture(sop_class_uid: Option<&str>, modality: Option<&str>) -> String {
    let tail = sop_class_uid
        .unwrap_or_default()
        .strip_prefix("1.2.840.10008.")
        .unwrap_or_default();
    let kind = match tail {
        "1.3.10" => "is a DICOMDIR, an index of other files, and",
        "5.1.4.1.1.104.1" => "is a PDF document in DICOM clothes and",
        _ if tail.starts_with("5.1.4.1.1.88.") => "is a structured report and",
        _ if tail.starts_with("5.1.4.1.1.481.") => "is a radiotherapy object and",
        _ if tail.starts_with("5.1.4.1.1.11.") => "is a presentation state and",
        _ if tail.starts_with("5.1.4.1.1.9.") => "is a waveform and",
        _ => "",
    };
    match (kind, modality) {
        // No modality is longer; a broken length may make the next elements a part of it.
        ("", Some(modality)) => format!("this DICOM object (modality {modality:.16}) holds no picture"),
        ("", None) => "this DICOM object holds no picture".to_owned(),
        (kind, _) => format!("this {kind} holds no picture"),
    }
}
