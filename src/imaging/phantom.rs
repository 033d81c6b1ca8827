//! A synthetic chest radiograph made by code: no patient, the same pixels every time. Its lungs are known.
//!
//! Every structure is a function of the distance `d` from the midline and the height `y` from the top, both
//! in shares of the picture's width and height, so any size shows the same chest.

use std::io::Cursor;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use image::{ImageBuffer, ImageFormat, Luma};

/// Columns and rows of the phantom where nobody asks for another size.
pub const DEFAULT_SIZE: u32 = 1024;
/// Bits of a sample.
const BITS: u16 = 12;
/// Largest sample.
const WHITE: f64 = 4095.0;
/// Width of the picture at the detector, in millimetres.
const DETECTOR_MM: f64 = 350.0;

/// Why there is no phantom.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A side of 0, or beyond what a DICOM file can hold.
    #[error("a phantom of {width} x {height} pixels cannot be made: each side has 1 to 8192")]
    Size {
        /// Columns asked for.
        width: u32,
        /// Rows asked for.
        height: u32,
    },
    /// The file format's writer refused.
    #[error("the phantom cannot be written: {0}")]
    Write(String),
}

/// The side of the picture. The patient's right is on its left, as radiographs are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    PatientRight,
    PatientLeft,
}

/// A point of the picture.
#[derive(Clone, Copy)]
struct Point {
    side: Side,
    /// Distance from the midline, in shares of the width, 0 to 0.5.
    d: f64,
    /// Distance from the top, in shares of the height, 0 to 1.
    y: f64,
}

/// Samples of 12 bits, row-major, dense bright; each side has 1 to 8192 pixels.
///
/// # Errors
/// If a side is out of that range.
pub fn render(width: u32, height: u32) -> Result<Vec<u16>, Error> {
    render_seeded(width, height, 0)
}

/// As [`render`], with the quantum noise of another exposure for every seed; seed 0 is [`render`]'s.
///
/// # Errors
/// As [`render`].
pub fn render_seeded(width: u32, height: u32, seed: u32) -> Result<Vec<u16>, Error> {
    let salt = 2 * u64::from(seed);
    let grey = |x: u32, y: u32, point: Point| {
        let noise = (grain(x, y, salt + 1) + grain(x, y, salt + 2) - 1.0) * 0.012;
        ((density(point) + noise) * WHITE).round().clamp(0.0, WHITE) as u16
    };
    sample(width, height, grey)
}

/// The true lung fields, row-major: 1 inside a lung, 0 outside; heart, mediastinum and what the diaphragm
/// hides are outside.
///
/// # Errors
/// If a side is not 1 to 8192 pixels.
pub fn lung_mask(width: u32, height: u32) -> Result<Vec<u8>, Error> {
    sample(width, height, |_, _, point| u8::from(Lung::at(point).is_inside()))
}

/// A PNG of 16 bits, over their full range.
///
/// # Errors
/// If a side is not 1 to 8192 pixels.
pub fn png_bytes(width: u32, height: u32) -> Result<Vec<u8>, Error> {
    png_bytes_seeded(width, height, 0)
}

/// As [`png_bytes`], of [`render_seeded`].
///
/// # Errors
/// As [`png_bytes`].
pub fn png_bytes_seeded(width: u32, height: u32, seed: u32) -> Result<Vec<u8>, Error> {
    // The top four bits are repeated at the bottom, so that white stays white.
    let samples = render_seeded(width, height, seed)?
        .into_iter()
        .map(|grey| grey << 4 | grey >> 8)
        .collect();
    let picture: ImageBuffer<Luma<u16>, Vec<u16>> =
        ImageBuffer::from_raw(width, height, samples).ok_or(Error::Size { width, height })?;
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| Error::Write(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// A digital X-ray image of patient `PHANTOM^CHEST` (DX for presentation, PS3.3 A.26).
///
/// # Errors
/// If a side is not 1 to 8192 pixels.
pub fn dicom_bytes(width: u32, height: u32) -> Result<Vec<u8>, Error> {
    dicom_bytes_seeded(width, height, 0)
}

/// As [`dicom_bytes`], of [`render_seeded`]; every seed is an instance of its own.
///
/// # Errors
/// As [`dicom_bytes`].
pub fn dicom_bytes_seeded(width: u32, height: u32, seed: u32) -> Result<Vec<u8>, Error> {
    let samples = render_seeded(width, height, seed)?;
    let mut object = InMemDicomObject::new_empty();
    put_identification(&mut object, (width, height), seed);
    put_examination(&mut object, DETECTOR_MM / f64::from(width));
    put_pixels(&mut object, width, height, samples);
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let file = object
        .with_meta(meta)
        .map_err(|error| Error::Write(error.to_string()))?;
    let mut bytes = Vec::new();
    file.write_all(&mut bytes)
        .map_err(|error| Error::Write(error.to_string()))?;
    Ok(bytes)
}

fn sample<T>(width: u32, height: u32, value: impl Fn(u32, u32, Point) -> T) -> Result<Vec<T>, Error> {
    if !(1..=8192).contains(&width) || !(1..=8192).contains(&height) {
        return Err(Error::Size { width, height });
    }
    let mut samples = Vec::with_capacity(width as usize * height as usize);
    for y in 0..height {
        for x in 0..width {
            let across = (f64::from(x) + 0.5) / f64::from(width) - 0.5;
            let side = if across < 0.0 {
                Side::PatientRight
            } else {
                Side::PatientLeft
            };
            let point = Point {
                side,
                d: across.abs(),
                y: (f64::from(y) + 0.5) / f64::from(height),
            };
            samples.push(value(x, y, point));
        }
    }
    Ok(samples)
}

/// 0 up to `from`, 1 beyond `to`, smooth between.
fn rise(from: f64, to: f64, value: f64) -> f64 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// 1 at the centre, falling off as a bell.
fn bell(value: f64, centre: f64, spread: f64) -> f64 {
    (-((value - centre) / spread).powi(2)).exp()
}

/// Distances from the borders of the lung of a point's side, positive inside.
struct Lung {
    lateral: f64,
    medial: f64,
    diaphragm: f64,
}

impl Lung {
    fn at(Point { side, d, y }: Point) -> Self {
        let cage = 1.0 - ((y - 0.64) / 0.55).powi(2);
        let lateral = 0.385 * cage.max(0.0).powf(0.52) - d;
        let apex = 0.060 * bell(y, 0.09, 0.055);
        let (medial, dome) = match side {
            Side::PatientRight => (0.055 + apex + 0.040 * bell(y, 0.62, 0.13), 0.735),
            Side::PatientLeft => {
                let heart = 0.150 * bell(y, 0.70, 0.155);
                (
                    0.055 + apex + heart + 0.030 * bell(y, 0.315, 0.035) + 0.014 * bell(y, 0.42, 0.04),
                    0.762,
                )
            }
        };
        // The dome of the diaphragm falls off to a sharp angle at the ribs; both sides meet at the midline.
        let dome = 0.7485 + (dome - 0.7485) * rise(0.0, 0.10, d);
        let diaphragm = dome + 2.6 * (d - 0.17).powi(2) + 14.0 * (d - 0.30).max(0.0).powi(3) - y;
        Self {
            lateral,
            medial: d - medial,
            diaphragm,
        }
    }

    fn is_inside(&self) -> bool {
        self.lateral > 0.0 && self.medial > 0.0 && self.diaphragm > 0.0
    }

    /// How much of the beam's way leads through air, 0 to 1: the chest gets thinner towards its sides.
    fn aeration(&self) -> f64 {
        let edge = 0.004;
        (self.lateral / 0.06).clamp(0.0, 1.0).powf(0.40)
            * rise(-edge, 2.5 * edge, self.medial)
            * rise(-edge, edge, self.diaphragm)
    }
}

/// Brightness of a point, 0 (air) to 1, without noise.
fn density(point: Point) -> f64 {
    let Point { d, y, .. } = point;
    let body = body(point);
    let lung = Lung::at(point);
    let aeration = lung.aeration();
    let below = rise(-0.01, 0.02, -lung.diaphragm) * rise(0.60, 0.72, y);
    let soft = 0.60 + 0.16 * bell(d, 0.0, 0.11) + 0.13 * below - 0.06 * rise(0.20, 0.45, d);
    let tissue = soft - aeration * (0.345 - 0.05 * y) + aeration * markings(point);
    body * (tissue + bones(point, aeration) - airway(point)).clamp(0.04, 0.97) + 0.012
}

/// Share of the body's thickness at a point: neck, shoulders and sides taper, air is 0.
fn body(Point { d, y, .. }: Point) -> f64 {
    let shoulder = 0.10 * rise(0.055, 0.135, d) + 0.10 * rise(0.10, 0.50, d) - 0.12;
    let top = rise(0.0, 0.10, y - shoulder).powf(0.6);
    let flank = 0.485 - 0.02 * bell(y, 0.75, 0.3);
    top * rise(0.0, 0.05, flank - d).powf(0.5)
}

/// Trachea and main bronchi: darker than what surrounds them.
fn airway(Point { d, y, .. }: Point) -> f64 {
    let trachea = bell(d, 0.0, 0.020) * rise(0.36, 0.32, y);
    let bronchi = bell(d, 0.9 * (y - 0.34), 0.014) * rise(0.33, 0.36, y) * rise(0.43, 0.39, y);
    0.11 * trachea + 0.07 * bronchi
}

/// Vessels: dense at the hilum, fading outwards, irregular.
fn markings(Point { side, d, y }: Point) -> f64 {
    let height = if side == Side::PatientRight { 0.47 } else { 0.45 };
    let hilum = bell(d, 0.095, 0.045) * bell(y, height, 0.085);
    let (dx, dy) = (d - 0.08, y - height);
    let distance = dx.hypot(dy);
    let angle = dy.atan2(dx);
    let branches = (0..4)
        .map(|octave| {
            let octave = f64::from(octave);
            let phase = 1.7 * octave + if side == Side::PatientRight { 0.4 } else { 1.1 };
            let wave = (angle * (5.0 + 3.0 * octave) + phase + 6.0 * (distance * (9.0 + octave)).sin()).sin();
            wave.max(0.0).powi(6)
        })
        .sum::<f64>();
    0.15 * hilum + 0.045 * branches * (-distance / 0.16).exp() + 0.012 * (21.0 * y + 17.0 * d).sin()
}

/// Spine, ribs and collar bones.
fn bones(point: Point, aeration: f64) -> f64 {
    let Point { d, y, .. } = point;
    let vertebra = 0.5 + 0.5 * (y * 88.0).sin();
    let spine = bell(d, 0.0, 0.042) * (0.045 + 0.02 * vertebra);
    let along = ((d - 0.03) / 0.32).clamp(0.0, 1.0);
    let collar = y - (0.185 - 0.080 * along + 0.016 * (6.2 * along).sin());
    let clavicle = bell(collar, 0.0, 0.0115) * rise(0.025, 0.060, d) * rise(0.42, 0.34, d);
    let cage = rise(-0.03, 0.0, Lung::at(point).lateral);
    let ribs: f64 = (0..10).map(|index| rib(d, y, f64::from(index))).sum();
    let wall = 0.05 * bell(Lung::at(point).lateral, -0.006, 0.012) * rise(-0.02, 0.02, Lung::at(point).diaphragm);
    spine + wall + 0.13 * clavicle + ribs * cage * (0.30 + 0.70 * aeration)
}

/// Posterior part of a rib, sloping outwards and down, and its fainter anterior part, sloping inwards.
fn rib(d: f64, y: f64, index: f64) -> f64 {
    let start = 0.13 + 0.073 * index;
    let posterior = y - (start + 0.06 * d + 0.85 * (d - 0.08).max(0.0).powi(2));
    let anterior = y - (start + 0.235 - 0.42 * d + 0.10 * (d - 0.30).powi(2));
    let band = |offset: f64, half: f64| {
        let edge = offset.abs() / half;
        rise(1.0, 0.75, edge) * (0.7 + 0.3 * edge * edge)
    };
    let visible = rise(0.03, 0.08, d) * rise(1.0, 0.85, start);
    0.075 * visible * band(posterior, 0.0145) + 0.030 * visible * rise(0.12, 0.20, d) * band(anterior, 0.016)
}

/// An even random number in 0..1 that depends on the pixel only (`SplitMix64`).
fn grain(x: u32, y: u32, salt: u64) -> f64 {
    let mut z = (u64::from(x) << 32 | u64::from(y)).wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ z >> 31) as f64 / u64::MAX as f64
}

fn put_text(object: &mut InMemDicomObject, tag: dicom_core::Tag, vr: VR, text: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
}

fn put_number(object: &mut InMemDicomObject, tag: dicom_core::Tag, number: u16) {
    object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(number)));
}

/// Patient, study, series and instance; the UIDs follow from size and seed, so that equal phantoms are equal files.
fn put_identification(object: &mut InMemDicomObject, (width, height): (u32, u32), seed: u32) {
    let variant = if seed == 0 {
        String::new()
    } else {
        format!("{seed:010}")
    };
    let uid = |level: u32| format!("2.25.20210130{width:04}{height:04}{level}{variant}");
    put_text(object, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    put_text(
        object,
        tags::SOP_CLASS_UID,
        VR::UI,
        uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
    );
    put_text(object, tags::SOP_INSTANCE_UID, VR::UI, &uid(3));
    put_text(object, tags::STUDY_INSTANCE_UID, VR::UI, &uid(1));
    put_text(object, tags::SERIES_INSTANCE_UID, VR::UI, &uid(2));
    for (tag, vr, text) in [
        (tags::STUDY_DATE, VR::DA, "20210130"),
        (tags::CONTENT_DATE, VR::DA, "20210130"),
        (tags::STUDY_TIME, VR::TM, "120000"),
        (tags::CONTENT_TIME, VR::TM, "120000"),
        (tags::ACCESSION_NUMBER, VR::SH, ""),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN, ""),
        (tags::MANUFACTURER, VR::LO, "ReCovNet Viewer"),
        (tags::PATIENT_NAME, VR::PN, "PHANTOM^CHEST"),
        (tags::PATIENT_ID, VR::LO, "PHANTOM"),
        (tags::PATIENT_BIRTH_DATE, VR::DA, ""),
        (tags::PATIENT_SEX, VR::CS, "O"),
        (tags::STUDY_ID, VR::SH, "1"),
        (tags::SERIES_NUMBER, VR::IS, "1"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::STUDY_DESCRIPTION, VR::LO, "Synthetic chest"),
        (tags::SERIES_DESCRIPTION, VR::LO, "Synthetic chest PA"),
    ] {
        put_text(object, tag, vr, text);
    }
}

/// Modality, view and geometry; `spacing` is the distance of pixels at the detector in millimetres.
fn put_examination(object: &mut InMemDicomObject, spacing: f64) {
    let spacing = format!("{spacing:.6}");
    let distances = PrimitiveValue::Strs([spacing.clone(), spacing].into_iter().collect());
    object.put(DataElement::new(tags::IMAGER_PIXEL_SPACING, VR::DS, distances));
    let words = |words: &[&str]| PrimitiveValue::Strs(words.iter().map(|&word| word.to_owned()).collect());
    object.put(DataElement::new(tags::PATIENT_ORIENTATION, VR::CS, words(&["L", "F"])));
    object.put(DataElement::new(
        tags::IMAGE_TYPE,
        VR::CS,
        words(&["DERIVED", "PRIMARY", ""]),
    ));
    for (tag, vr, text) in [
        (tags::MODALITY, VR::CS, "DX"),
        (tags::PRESENTATION_INTENT_TYPE, VR::CS, "FOR PRESENTATION"),
        (tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        (tags::VIEW_POSITION, VR::CS, "PA"),
        (tags::IMAGE_LATERALITY, VR::CS, "U"),
        (tags::PIXEL_INTENSITY_RELATIONSHIP, VR::CS, "LOG"),
        (tags::RESCALE_INTERCEPT, VR::DS, "0"),
        (tags::RESCALE_SLOPE, VR::DS, "1"),
        (tags::RESCALE_TYPE, VR::LO, "US"),
        (tags::WINDOW_CENTER, VR::DS, "2048"),
        (tags::WINDOW_WIDTH, VR::DS, "4096"),
        (tags::WINDOW_CENTER_WIDTH_EXPLANATION, VR::LO, "Normal"),
        (tags::PRESENTATION_LUT_SHAPE, VR::CS, "IDENTITY"),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        (tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00"),
    ] {
        put_text(object, tag, vr, text);
    }
    let sign = PrimitiveValue::from(-1_i16);
    object.put(DataElement::new(tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, VR::SS, sign));
}

fn put_pixels(object: &mut InMemDicomObject, width: u32, height: u32, samples: Vec<u16>) {
    put_text(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    for (tag, number) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, height as u16),
        (tags::COLUMNS, width as u16),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, BITS),
        (tags::HIGH_BIT, BITS - 1),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        put_number(object, tag, number);
    }
    object.put(DataElement::new(
        tags::PIXEL_DATA,
        VR::OW,
        PrimitiveValue::U16(samples.into()),
    ));
}
