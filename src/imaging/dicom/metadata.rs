//! What a data set says beside its pixels: patient, examination, spacing.

use super::codec::LOSSY;
use super::dataset::{DataSet, Tag};
use super::look_ups::FrameAttributes;
use super::text::CharacterSets;
use crate::imaging::radiograph::{Acquisition, Identity};
use crate::imaging::spacing::{PixelSpacing, SpacingSource};

/// SOP Class UID.
pub(super) const SOP_CLASS_UID: Tag = (0x0008, 0x0016);
pub(super) const SOP_INSTANCE_UID: Tag = (0x0008, 0x0018);
pub(super) const STUDY_DATE: Tag = (0x0008, 0x0020);
/// Modality.
pub(super) const MODALITY: Tag = (0x0008, 0x0060);
pub(super) const STUDY_DESCRIPTION: Tag = (0x0008, 0x1030);
pub(super) const SERIES_DESCRIPTION: Tag = (0x0008, 0x103e);
const PATIENT_NAME: Tag = (0x0010, 0x0010);
const PATIENT_ID: Tag = (0x0010, 0x0020);
const PATIENT_BIRTH_DATE: Tag = (0x0010, 0x0030);
const PATIENT_SEX: Tag = (0x0010, 0x0040);
pub(super) const BODY_PART_EXAMINED: Tag = (0x0018, 0x0015);
pub(super) const VIEW_POSITION: Tag = (0x0018, 0x5101);
const IMAGER_PIXEL_SPACING: Tag = (0x0018, 0x1164);
const NOMINAL_SCANNED_PIXEL_SPACING: Tag = (0x0018, 0x2010);
const MAGNIFICATION_FACTOR: Tag = (0x0018, 0x1114);
const PATIENT_ORIENTATION: Tag = (0x0020, 0x0020);
const IMAGE_ORIENTATION_PATIENT: Tag = (0x0020, 0x0037);
const LATERALITY: Tag = (0x0020, 0x0060);
const IMAGE_LATERALITY: Tag = (0x0020, 0x0062);
const LOSSY_IMAGE_COMPRESSION: Tag = (0x0028, 0x2110);
const LOSSY_IMAGE_COMPRESSION_RATIO: Tag = (0x0028, 0x2112);
const PIXEL_SPACING: Tag = (0x0028, 0x0030);
const PIXEL_ASPECT_RATIO: Tag = (0x0028, 0x0034);
const PIXEL_SPACING_CALIBRATION_TYPE: Tag = (0x0028, 0x0a02);
const PIXEL_MEASURES_SEQUENCE: Tag = (0x0028, 0x9110);

/// Modalities whose Pixel Spacing lies in the patient.
const SECTIONAL: [&str; 5] = ["CT", "MR", "PT", "NM", "OCT"];
/// Cosine from which on an image axis is said to run to a direction: within about 75 degrees.
const LEAST_COSINE: f64 = 0.25;
/// Share by which a spacing may differ because somebody rounded it.
const ROUNDING: f64 = 0.005;
/// Ratios beyond these are mistakes.
const SENSIBLE_ASPECTS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

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
pub(super) fn acquisition(file: &DataSet, sets: &CharacterSets, compression: &Compression) -> Acquisition {
    Acquisition {
        sop_class_uid: file.text(SOP_CLASS_UID),
        sop_instance_uid: file.text(SOP_INSTANCE_UID),
        encoding: compression.syntax.to_owned(),
        lossy: lossy(file, compression),
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

/// How a frame is compressed.
pub(super) struct Compression<'a> {
    /// The transfer syntax of its codestream.
    pub syntax: &'a str,
    /// The codestream shows that something was lost, whatever the file says.
    pub is_lossy: bool,
}

/// What was lost to compression (PS3.3 C.7.6.1.1.5), in a sentence.
pub(super) fn lossy(file: &DataSet, compression: &Compression) -> Option<String> {
    let &Compression { syntax, is_lossy } = compression;
    let said = file.text(LOSSY_IMAGE_COMPRESSION);
    // JPEG always loses; the others may be lossless as well, and the file may say so.
    let is_jpeg = [".4.50", ".4.51", ".4.53", ".4.55", ".4.111"]
        .iter()
        .any(|tail| syntax.ends_with(tail));
    let by_syntax = is_lossy || LOSSY.contains(&syntax) && (is_jpeg || said.as_deref() != Some("00"));
    if !by_syntax && said.as_deref() != Some("01") {
        return None;
    }
    let ratios = file.decimals(LOSSY_IMAGE_COMPRESSION_RATIO);
    let ratios: Vec<String> = ratios.iter().flatten().map(|ratio| format!("{ratio} to 1")).collect();
    Some(match ratios[..] {
        [] => "The picture was compressed with loss, by a ratio that the file does not say.".to_owned(),
        _ => format!("The picture was compressed with loss, {}.", ratios.join(", then ")),
    })
}

fn orientation(file: &DataSet) -> Option<[String; 2]> {
    let stated = file.text(PATIENT_ORIENTATION).and_then(|text| {
        let (row, column) = text.split_once('\\')?;
        Some([row.trim().to_owned(), column.trim().to_owned()])
    });
    stated.or_else(|| match file.decimals(IMAGE_ORIENTATION_PATIENT)[..] {
        [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)] => {
            let directions = [letters([a, b, c]), letters([d, e, f])];
            directions
                .iter()
                .all(|letters| !letters.is_empty())
                .then_some(directions)
        }
        _ => None,
    })
}

/// The directions that a vector of the patient's coordinates (PS3.3 C.7.6.2.1.1) runs to, the main one first.
fn letters(vector: [f64; 3]) -> String {
    const DIRECTIONS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['F', 'H']];
    let mut axes = [0, 1, 2];
    axes.sort_by(|&a, &b| vector[b].abs().total_cmp(&vector[a].abs()));
    let along = axes.into_iter().filter(|&axis| vector[axis].abs() >= LEAST_COSINE);
    along
        .map(|axis| DIRECTIONS[axis][usize::from(vector[axis] > 0.0)])
        .collect()
}

/// Distance between pixel centres and the attribute it comes from (PS3.3 10.7.1.3): Pixel Spacing that differs
/// from Imager Pixel Spacing, or says how it was calibrated, lies in the patient; the same value twice lies at
/// the detector, or in the plane of an estimated magnification.
///
/// # Errors
/// If a functional group is broken.
pub(super) fn spacing(frame: &FrameAttributes, warnings: &mut Vec<String>) -> Result<Option<PixelSpacing>, String> {
    let measures = frame.holding(PIXEL_SPACING, PIXEL_MEASURES_SEQUENCE)?;
    let file = &frame.file;
    let pixel = distances(&measures, PIXEL_SPACING, warnings);
    let imager = distances(file, IMAGER_PIXEL_SPACING, warnings);
    let scanned = distances(file, NOMINAL_SCANNED_PIXEL_SPACING, warnings);
    let is_calibrated = file.text(PIXEL_SPACING_CALIBRATION_TYPE).is_some();
    let is_sectional = file
        .text(MODALITY)
        .is_some_and(|modality| SECTIONAL.contains(&modality.as_str()));
    let (found, source) = match (pixel, imager.or(scanned)) {
        (Some(pixel), Some(detector)) if !is_same(pixel, detector) => (pixel, SpacingSource::Calibrated),
        (Some(pixel), _) if is_calibrated => (pixel, SpacingSource::Calibrated),
        (Some(pixel), None) if is_sectional => (pixel, SpacingSource::Sectional),
        (Some(pixel), None) => (pixel, SpacingSource::PixelSpacing),
        (_, Some(detector)) if imager.is_some() => (detector, SpacingSource::ImagerPixelSpacing),
        (_, Some(detector)) => (detector, SpacingSource::NominalScannedPixelSpacing),
        (None, None) => return Ok(None),
    };
    let spacing = PixelSpacing {
        row_mm: found.0,
        column_mm: found.1,
        source,
    };
    Ok(Some(demagnified(file, spacing)))
}

/// Whether two distances are the same but for their rounding.
fn is_same(one: (f64, f64), other: (f64, f64)) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= ROUNDING * b;
    close(one.0, other.0) && close(one.1, other.1)
}

/// Detector distances in the plane of the estimated magnification, if the file gives one. Pixel Spacing without a word
/// on calibration may already be there, so that it is left alone.
fn demagnified(file: &DataSet, spacing: PixelSpacing) -> PixelSpacing {
    let factor = file.decimals(MAGNIFICATION_FACTOR).first().copied().flatten();
    let at_detector = matches!(
        spacing.source,
        SpacingSource::ImagerPixelSpacing | SpacingSource::NominalScannedPixelSpacing
    );
    match factor {
        Some(factor) if at_detector && factor > 0.0 && factor != 1.0 => PixelSpacing {
            row_mm: spacing.row_mm / factor,
            column_mm: spacing.column_mm / factor,
            source: SpacingSource::Magnified { factor },
        },
        _ => spacing,
    }
}

/// Height of a pixel over its width, from the spacing or Pixel Aspect Ratio (PS3.3 C.7.6.3.1.7); 1 where the file says
/// nothing of use.
pub(super) fn pixel_aspect(file: &DataSet, spacing: Option<PixelSpacing>, warnings: &mut Vec<String>) -> f64 {
    let stated = match file.decimals(PIXEL_ASPECT_RATIO)[..] {
        [Some(vertical), Some(horizontal), ..] if vertical > 0.0 && horizontal > 0.0 => Some(vertical / horizontal),
        _ => None,
    };
    let aspect = spacing.map(|spacing| spacing.row_mm / spacing.column_mm).or(stated);
    match aspect {
        Some(aspect) if SENSIBLE_ASPECTS.contains(&aspect) => aspect,
        Some(aspect) => {
            warnings.push(format!(
                "The file says that pixels are {aspect} times as high as wide; they are shown square."
            ));
            1.0
        }
        None => 1.0,
    }
}

fn distances(data: &DataSet, tag: Tag, warnings: &mut Vec<String>) -> Option<(f64, f64)> {
    match data.decimals(tag)[..] {
        [] => None,
        [Some(row), Some(column), ..] if row > 0.0 && column > 0.0 => Some((row, column)),
        _ => {
            warnings.push("A pixel spacing of the file is unusable and left out.".to_owned());
            None
        }
    }
}
