//! What a data set says beside its pixels: patient, examination, spacing.

use super::dataset::{DataSet, Tag};
use super::look_ups::FrameAttributes;
use super::text::CharacterSets;
use crate::imaging::radiograph::{Acquisition, Identity};
use crate::imaging::spacing::{PixelSpacing, SpacingSource};

/// SOP Class UID.
pub(super) const SOP_CLASS_UID: Tag = (0x0008, 0x0016);
const SOP_INSTANCE_UID: Tag = (0x0008, 0x0018);
const STUDY_DATE: Tag = (0x0008, 0x0020);
/// Modality.
pub(super) const MODALITY: Tag = (0x0008, 0x0060);
const STUDY_DESCRIPTION: Tag = (0x0008, 0x1030);
const SERIES_DESCRIPTION: Tag = (0x0008, 0x103e);
const PATIENT_NAME: Tag = (0x0010, 0x0010);
const PATIENT_ID: Tag = (0x0010, 0x0020);
const PATIENT_BIRTH_DATE: Tag = (0x0010, 0x0030);
const PATIENT_SEX: Tag = (0x0010, 0x0040);
const BODY_PART_EXAMINED: Tag = (0x0018, 0x0015);
const VIEW_POSITION: Tag = (0x0018, 0x5101);
const IMAGER_PIXEL_SPACING: Tag = (0x0018, 0x1164);
const PATIENT_ORIENTATION: Tag = (0x0020, 0x0020);
const LATERALITY: Tag = (0x0020, 0x0060);
const IMAGE_LATERALITY: Tag = (0x0020, 0x0062);
const PIXEL_SPACING: Tag = (0x0028, 0x0030);
const PIXEL_ASPECT_RATIO: Tag = (0x0028, 0x0034);
const PIXEL_SPACING_CALIBRATION_TYPE: Tag = (0x0028, 0x0a02);
const PIXEL_MEASURES_SEQUENCE: Tag = (0x0028, 0x9110);

/// Who is on the picture.
pub(super) fn identity(file: &DataSet, sets: &CharacterSets) -> Identity {
    Identity {
        patient_name: sets.person(file, PATIENT_NAME),
        patient_id: sets.text(file, PATIENT_ID),
        birth_date: file.text(PATIENT_BIRTH_DATE),
        sex: file.text(PATIENT_SEX),
    }
}

/// What is said about the examination.
pub(super) fn acquisition(file: &DataSet, sets: &CharacterSets, encoding: &str) -> Acquisition {
    Acquisition {
        sop_class_uid: file.text(SOP_CLASS_UID),
        sop_instance_uid: file.text(SOP_INSTANCE_UID),
        encoding: encoding.to_owned(),
        modality: file.text(MODALITY),
        study_date: file.text(STUDY_DATE),
        study_description: sets.text(file, STUDY_DESCRIPTION),
        series_description: sets.text(file, SERIES_DESCRIPTION),
        view_position: file.text(VIEW_POSITION),
        laterality: file.text(IMAGE_LATERALITY).or_else(|| file.text(LATERALITY)),
        patient_orientation: orientation(file),
        body_part: file.text(BODY_PART_EXAMINED),
    }
}

fn orientation(file: &DataSet) -> Option<[String; 2]> {
    let text = file.text(PATIENT_ORIENTATION)?;
    let (row, column) = text.split_once('\\')?;
    Some([row.trim().to_owned(), column.trim().to_owned()])
}

/// Distance between pixel centres and the attribute it comes from (PS3.3 10.7.1.3): Pixel Spacing that differs
/// from Imager Pixel Spacing, or says how it was calibrated, lies in the patient; the same value twice lies at
/// the detector.
///
/// # Errors
/// If a functional group is broken.
pub(super) fn spacing(frame: &FrameAttributes, warnings: &mut Vec<String>) -> Result<Option<PixelSpacing>, String> {
    let measures = frame.holding(PIXEL_SPACING, PIXEL_MEASURES_SEQUENCE)?;
    let pixel = distances(&measures, PIXEL_SPACING, warnings);
    let imager = distances(&frame.file, IMAGER_PIXEL_SPACING, warnings);
    let said = frame.file.text(PIXEL_SPACING_CALIBRATION_TYPE).is_some();
    let (found, source) = match (pixel, imager) {
        (Some(pixel), Some(imager)) if pixel == imager && !said => (pixel, SpacingSource::ImagerPixelSpacing),
        (Some(pixel), Some(_)) => (pixel, SpacingSource::Calibrated),
        (Some(pixel), None) if said => (pixel, SpacingSource::Calibrated),
        (Some(pixel), None) => (pixel, SpacingSource::PixelSpacing),
        (None, Some(imager)) => (imager, SpacingSource::ImagerPixelSpacing),
        (None, None) => {
            if let [Some(vertical), Some(horizontal)] = frame.file.decimals(PIXEL_ASPECT_RATIO)[..]
                && vertical != horizontal
            {
                warnings.push("The pixels are not square; they are shown as if they were.".to_owned());
            }
            return Ok(None);
        }
    };
    Ok(Some(PixelSpacing {
        row_mm: found.0,
        column_mm: found.1,
        source,
    }))
}

fn distances(data: &DataSet, tag: Tag, warnings: &mut Vec<String>) -> Option<(f64, f64)> {
    match data.decimals(tag)[..] {
        [] => None,
        [Some(row), Some(column), ..] if row > 0.0 && column > 0.0 => Some((row, column)),
        _ => {
            warnings.push("The file's pixel spacing is unusable; lengths are in pixels.".to_owned());
            None
        }
    }
}
