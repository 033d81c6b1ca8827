//! Every file with a golden: the stored values, the display and the look-ups that an independent decoder
//! found. `RECOVNET_DICOM` names another folder with `files` and `golden`.

use std::fmt::Write;
use std::path::Path;

use recovnet::imaging::{self, ModalityLut, Radiograph};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::dicom_goldens::{folder, goldens};

/// What became of a file.
pub enum Outcome {
    Shown,
    /// Shown where either is right and the reference has no values.
    Unproven,
    Refused(String),
}

/// Whether this file has to be shown.
fn in_scope(golden: &Value) -> bool {
    golden["expected"] == "show"
}

/// SHA-256 of the file's own stored values as little-endian 32-bit integers, colours interleaved; `None` for
/// floating-point numbers.
fn stored_hash(radiograph: &Radiograph) -> Option<String> {
    let mut sha = Sha256::new();
    for value in radiograph.stored_values() {
        if value.fract() != 0.0 {
            return None;
        }
        sha.update((value as i64 as i32).to_le_bytes());
    }
    Some(sha.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    }))
}

fn integers(value: &Value) -> Vec<i64> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect()
}

/// Numbers of an array, or of an array of arrays.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        other => other.as_f64().into_iter().collect(),
    }
}

/// Index of each sample point of the golden.
fn points(golden: &Value, radiograph: &Radiograph) -> Vec<usize> {
    let points = golden["sample_coords_row_col"]
        .as_array()
        .expect("a shown golden has sample points");
    points
        .iter()
        .map(|point| {
            let point = integers(point);
            point[0] as usize * radiograph.width as usize + point[1] as usize
        })
        .collect()
}

fn check(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    let shape = integers(&golden["decoded_shape"]);
    if shape[..2] != [i64::from(radiograph.height), i64::from(radiograph.width)] {
        return Err(format!(
            "size {} x {} against {shape:?}",
            radiograph.height, radiograph.width
        ));
    }
    if golden["frames"]
        .as_u64()
        .is_some_and(|frames| frames != u64::from(radiograph.frames))
    {
        return Err(format!("{} frames", radiograph.frames));
    }
    check_stored(golden, radiograph)?;
    check_modality(golden, radiograph)?;
    check_display(golden, radiograph)
}

fn check_stored(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    let tolerance = golden["tolerance"]["stored"].as_f64().unwrap_or(0.0);
    let exact = tolerance == 0.0
        || golden["transfer_syntax"]
            .as_str()
            .is_some_and(|uid| uid.ends_with(".4.81"));
    if let (true, Some(expected)) = (exact, golden["stored_sha256_i32le_frame0"].as_str())
        && stored_hash(radiograph).as_deref() != Some(expected)
    {
        return Err("the stored values differ".into());
    }
    let stored = radiograph.stored_values();
    let channels = stored.len() / radiograph.pixel_count();
    let found = points(golden, radiograph)
        .into_iter()
        .flat_map(|at| stored[at * channels..][..channels].to_vec());
    compare("stored", found, &golden["sample_stored"], tolerance)
}

fn compare(what: &str, found: impl Iterator<Item = f64>, expected: &Value, tolerance: f64) -> Result<(), String> {
    let (found, expected): (Vec<f64>, _) = (found.collect(), numbers(expected));
    // Floating-point goldens were written in decimal.
    let is_close = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance.max(b.abs() * 1e-12);
    if found.len() == expected.len() && found.iter().zip(&expected).all(is_close) {
        return Ok(());
    }
    Err(format!("{what} {found:?} against {expected:?}"))
}

fn check_modality(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    if golden["sample_modality"].is_null() {
        return Ok(());
    }
    let stored = radiograph.stored_values();
    let found = points(golden, radiograph)
        .into_iter()
        .map(|at| radiograph.modality_lut.apply(stored[at]));
    let slope = match &radiograph.modality_lut {
        ModalityLut::Rescale(line) => line.slope.abs(),
        ModalityLut::Table(_) => 1.0,
    };
    let tolerance = golden["tolerance"]["stored"].as_f64().unwrap_or(0.0) * slope + 1e-4;
    compare("modality", found, &golden["sample_modality"], tolerance)
}

/// Means of 16 x 16 blocks, over all channels.
fn block_means(shown: &[u8], radiograph: &Radiograph) -> Vec<f64> {
    let (width, height) = (radiograph.width as usize, radiograph.height as usize);
    let channels = shown.len() / radiograph.pixel_count();
    let mean = |i: usize, j: usize| {
        let (rows, columns) = (
            i * height / 16..(i + 1) * height / 16,
            j * width / 16..(j + 1) * width / 16,
        );
        let count = (rows.len() * columns.len() * channels) as f64;
        let row = |y: usize| &shown[(y * width + columns.start) * channels..(y * width + columns.end) * channels];
        rows.flat_map(row).map(|&level| f64::from(level)).sum::<f64>() / count
    };
    (0..16).flat_map(|i| (0..16).map(move |j| mean(i, j))).collect()
}

fn check_display(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    let shown = radiograph.display(&radiograph.default_voi());
    let tolerance = golden["tolerance"]["display8"].as_f64().unwrap_or(1.0);
    let is_colour = golden["decoded_shape"].as_array().is_some_and(|shape| shape.len() == 3)
        || golden["photometric"] == "PALETTE COLOR";
    let channels = shown.len() / radiograph.pixel_count();
    let found = || {
        points(golden, radiograph).into_iter().flat_map(|at| {
            let pixel = &shown[at * channels..][..channels];
            // Colours that came out grey have one channel, which stands for all.
            let repeats = if is_colour && channels == 1 { 3 } else { 1 };
            pixel.repeat(repeats).into_iter().map(f64::from)
        })
    };
    let alternatives = golden["display_alternatives"].as_object().into_iter().flatten();
    let by_alternative = alternatives
        .map(|(_, expected)| expected)
        .any(|expected| compare("display", found(), expected, tolerance).is_ok());
    if by_alternative {
        return Ok(());
    }
    compare("display", found(), &golden["sample_display8"], tolerance)?;
    if let Some(expected) = golden["display_mean"].as_f64() {
        let mean = shown.iter().map(|&value| f64::from(value)).sum::<f64>() / shown.len() as f64;
        let allowed = golden["tolerance"]["display_mean"].as_f64().unwrap_or(0.6);
        if (mean - expected).abs() > allowed {
            return Err(format!("display mean {mean} against {expected}"));
        }
    }
    check_blocks(golden, radiograph, &shown, tolerance)
}

fn check_blocks(golden: &Value, radiograph: &Radiograph, shown: &[u8], tolerance: f64) -> Result<(), String> {
    let Some(expected) = golden["display_thumb16_mean"].as_array() else {
        return Ok(());
    };
    let found = block_means(shown, radiograph);
    let expected: Vec<f64> = expected.iter().flat_map(numbers).collect();
    if expected.len() != found.len() {
        return Err(format!("{} blocks against {}", found.len(), expected.len()));
    }
    match found
        .iter()
        .zip(&expected)
        .find(|(a, b)| (*a - *b).abs() > tolerance + 0.06)
    {
        Some((found, expected)) => Err(format!("block mean {found} against {expected}")),
        None => Ok(()),
    }
}

/// `Ok` if this file went as it should.
pub fn outcome(golden: &Value, path: &Path) -> Result<Outcome, String> {
    let expected = golden["expected"].as_str().expect("every golden says what is expected");
    match imaging::open(path) {
        Ok(_) if matches!(expected, "error" | "no_image") => Err(format!("was shown where {expected} is expected")),
        Ok(_) if golden["no_values"] == true || golden["sample_display8"].is_null() => Ok(Outcome::Unproven),
        Ok(radiograph) => check(golden, &radiograph).map(|()| Outcome::Shown),
        Err(error) if in_scope(golden) => Err(error.to_string()),
        Err(imaging::Error::Undecodable { reason, .. })
            if expected == "no_image" && !reason.contains("holds no picture") =>
        {
            Err(format!("the sentence does not say that there is no picture: {reason}"))
        }
        Err(imaging::Error::Undecodable { reason, .. }) => Ok(Outcome::Refused(reason)),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn golden_files_are_shown_right_or_refused() {
    let Some(folder) = folder() else { return };
    let (mut shown, mut beyond, mut unproven) = (0, 0, 0);
    let (mut refused, mut wrong) = (Vec::new(), Vec::new());
    for golden in goldens(&folder) {
        let file = golden["file"].as_str().expect("every golden names its file");
        match outcome(&golden, &folder.join("files").join(file)) {
            Ok(Outcome::Shown) if in_scope(&golden) => shown += 1,
            Ok(Outcome::Shown) => beyond += 1,
            Ok(Outcome::Unproven) => unproven += 1,
            Ok(Outcome::Refused(reason)) => refused.push(format!("{file}: {reason}")),
            Err(fault) => wrong.push(format!("{file}: {fault}")),
        }
    }
    println!(
        "{shown} shown as they have to be, {beyond} others shown right, {unproven} shown without proof, {} refused:",
        refused.len()
    );
    println!("{}", refused.join("\n"));
    assert!(wrong.is_empty(), "{} files wrong:\n{}", wrong.len(), wrong.join("\n"));
    let expected = goldens(&folder).iter().filter(|golden| in_scope(golden)).count();
    assert!(shown > 0, "no file was in scope");
    assert_eq!(shown, expected, "files that have to be shown");
}

#[test]
fn golden_last_frames_are_the_files_own() {
    let Some(folder) = folder() else { return };
    let mut compared = 0;
    for golden in goldens(&folder) {
        let (Some(hash), Some(frames)) = (
            golden["stored_sha256_i32le_last_frame"].as_str(),
            golden["frames"].as_u64(),
        ) else {
            continue;
        };
        let file = golden["file"].as_str().expect("every golden names its file");
        let exact = golden["tolerance"]["stored"].as_i64() == Some(0);
        if !in_scope(&golden) || !exact {
            continue;
        }
        let radiograph = imaging::open_frame(&folder.join("files").join(file), frames as u32).expect(file);
        assert_eq!(
            stored_hash(&radiograph).as_deref(),
            Some(hash),
            "{file}, frame {frames}"
        );
        compared += 1;
    }
    println!("{compared} last frames compared");
}

#[test]
fn golden_metadata_are_read() {
    let Some(folder) = folder() else { return };
    let mut compared = 0;
    for golden in goldens(&folder).iter().filter(|golden| in_scope(golden)) {
        let file = golden["file"].as_str().expect("every golden names its file");
        let radiograph = imaging::open(&folder.join("files").join(file)).expect(file);
        let said = |key: &str| golden["meta"][key].as_str();
        assert_eq!(radiograph.acquisition.modality.as_deref(), said("Modality"), "{file}");
        assert_eq!(
            radiograph.acquisition.view_position.as_deref(),
            said("ViewPosition"),
            "{file}"
        );
        assert_eq!(radiograph.identity.patient_id.as_deref(), said("PatientID"), "{file}");
        if let Some(name) = said("PatientName") {
            let found = radiograph.identity.patient_name.clone().unwrap_or_default();
            for part in name.split(['^', '=']).filter(|part| !part.trim().is_empty()) {
                assert!(found.contains(part.trim()), "{file}: {found} lacks {part}");
            }
        }
        let usable = |key| said(key).is_some_and(|text| text.contains(|digit| ('1'..='9').contains(&digit)));
        let has_spacing = usable("PixelSpacing") || usable("ImagerPixelSpacing");
        // Files with functional groups may have it there.
        let has_groups = golden["modality_transform"]
            .as_str()
            .is_some_and(|rule| rule.contains("Groups"));
        if has_spacing || (radiograph.frames == 1 && !has_groups) {
            assert_eq!(radiograph.spacing.is_some(), has_spacing, "{file}");
        }
        compared += 1;
    }
    println!("{compared} files compared");
}
