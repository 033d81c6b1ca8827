//! Every file with a golden: the stored values, the display and the look-ups that an independent decoder
//! found. `RECOVNET_DICOM` names another folder with `files` and `golden`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use recovnet::imaging::{self, Radiograph, Samples};
use serde_json::Value;
use sha2::{Digest, Sha256};

const DEFAULT_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/dicom/open");

/// What became of a file.
enum Outcome {
    Shown,
    /// Shown where either is right and the reference has no values.
    Unproven,
    Refused(String),
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("RECOVNET_DICOM").map_or_else(|| DEFAULT_FOLDER.into(), PathBuf::from);
    if folder.join("golden").is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{}: no goldens here",
        folder.display()
    );
    println!("skipped: no DICOM goldens at {}", folder.display());
    None
}

fn goldens(folder: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(folder.join("golden")).expect("the golden folder is readable");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}: no goldens", folder.display());
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a golden is text");
            serde_json::from_str(&text).expect("a golden is JSON")
        })
        .collect()
}

/// Whether this file has to be shown.
fn in_scope(golden: &Value) -> bool {
    let number = |key: &str| golden[key].as_i64();
    golden["expected"] == "show"
        && matches!(golden["photometric"].as_str(), Some("MONOCHROME1" | "MONOCHROME2"))
        && matches!(number("bits_allocated"), Some(8 | 16))
        && number("high_bit").is_some()
        && number("high_bit") == number("bits_stored").map(|bits| bits - 1)
        && golden["modality_lut_unusable"].is_null()
        && !golden["modality_transform"]
            .as_str()
            .unwrap_or_default()
            .starts_with("ModalityLUTSequence")
}

fn stored_hash(radiograph: &Radiograph) -> String {
    let mut sha = Sha256::new();
    match &radiograph.samples {
        Samples::Grey(stored) => {
            for index in 0..radiograph.pixel_count() {
                sha.update(stored.get(index).to_le_bytes());
            }
        }
        Samples::Colour(pixels) => {
            for &channel in pixels.as_flattened() {
                sha.update(i32::from(channel).to_le_bytes());
            }
        }
    }
    sha.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn integers(value: &Value) -> Vec<i64> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect()
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
    match &radiograph.samples {
        Samples::Grey(_) if shape.len() == 2 => {
            check_stored(golden, radiograph)?;
            check_display(golden, radiograph)
        }
        Samples::Grey(_) => check_grey_from_colour(golden, radiograph),
        Samples::Colour(_) => check_colour(golden, radiograph),
    }
}

fn check_stored(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    let stored = radiograph.grey().ok_or("a colour picture")?;
    let tolerance = golden["tolerance"]["stored"].as_i64().unwrap_or(0);
    if tolerance == 0 && golden["stored_sha256_i32le_frame0"] != stored_hash(radiograph).as_str() {
        return Err("the stored values differ".into());
    }
    for (index, expected) in points(golden, radiograph)
        .into_iter()
        .zip(integers(&golden["sample_stored"]))
    {
        let found = i64::from(stored.get(index));
        if (found - expected).abs() > tolerance {
            return Err(format!("stored value {found} against {expected} at pixel {index}"));
        }
    }
    Ok(())
}

fn block_means(shown: &[u8], radiograph: &Radiograph) -> Vec<Vec<f64>> {
    let (width, height) = (radiograph.width as usize, radiograph.height as usize);
    let mean = |i: usize, j: usize| {
        let rows = i * height / 16..(i + 1) * height / 16;
        let columns = j * width / 16..(j + 1) * width / 16;
        let count = rows.len() * columns.len();
        let sum: u64 = rows
            .map(|y| {
                shown[y * width..][columns.clone()]
                    .iter()
                    .map(|&v| u64::from(v))
                    .sum::<u64>()
            })
            .sum();
        sum as f64 / count as f64
    };
    (0..16).map(|i| (0..16).map(|j| mean(i, j)).collect()).collect()
}

fn check_display(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    let shown = radiograph.display(&radiograph.default_voi());
    let tolerance = golden["tolerance"]["display8"].as_i64().unwrap_or(1);
    let found: Vec<i64> = points(golden, radiograph)
        .into_iter()
        .map(|index| i64::from(shown[index]))
        .collect();
    let close = |expected: &Value| {
        let expected = integers(expected);
        expected.len() == found.len() && expected.iter().zip(&found).all(|(a, b)| (a - b).abs() <= tolerance)
    };
    if !close(&golden["sample_display8"]) {
        return Err(format!("display {found:?} against {}", golden["sample_display8"]));
    }
    if let Some(expected) = golden["display_mean"].as_f64() {
        let mean = shown.iter().map(|&value| f64::from(value)).sum::<f64>() / shown.len() as f64;
        let allowed = golden["tolerance"]["display_mean"].as_f64().unwrap_or(0.6);
        if (mean - expected).abs() > allowed {
            return Err(format!("display mean {mean} against {expected}"));
        }
    }
    if let Some(expected) = golden["display_thumb16_mean"].as_array() {
        for (row, expected) in block_means(&shown, radiograph).iter().zip(expected) {
            for (found, expected) in row.iter().zip(expected.as_array().into_iter().flatten()) {
                let expected = expected.as_f64().expect("a block mean");
                if (found - expected).abs() > tolerance as f64 + 0.06 {
                    return Err(format!("block mean {found} against {expected}"));
                }
            }
        }
    }
    Ok(())
}

fn check_colour(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    let shown = radiograph.display(&radiograph.default_voi());
    let expected = golden["sample_display8"]
        .as_array()
        .ok_or("the golden has no display samples")?;
    let tolerance = golden["tolerance"]["display8"].as_i64().unwrap_or(1);
    for (index, expected) in points(golden, radiograph).into_iter().zip(expected) {
        let found: Vec<i64> = shown[3 * index..3 * index + 3].iter().map(|&v| i64::from(v)).collect();
        let expected = integers(expected);
        if expected.len() != 3 || expected.iter().zip(&found).any(|(a, b)| (a - b).abs() > tolerance) {
            return Err(format!("colour {found:?} against {expected:?} at pixel {index}"));
        }
    }
    Ok(())
}

/// A colour file whose channels agree is shown as their mean.
fn check_grey_from_colour(golden: &Value, radiograph: &Radiograph) -> Result<(), String> {
    let shown = radiograph.display(&radiograph.default_voi());
    let expected = golden["sample_display8"]
        .as_array()
        .ok_or("the golden has no display samples")?;
    for (index, expected) in points(golden, radiograph).into_iter().zip(expected) {
        let expected = integers(expected);
        let mean = expected.iter().sum::<i64>() as f64 / 3.0;
        if (mean - f64::from(shown[index])).abs() > 4.0 {
            return Err(format!("grey {} against {expected:?} at pixel {index}", shown[index]));
        }
    }
    Ok(())
}

/// `Ok` if this file went as it should.
fn outcome(golden: &Value, path: &Path) -> Result<Outcome, String> {
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
    assert!(shown > 0, "no file was in scope");
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
        assert_eq!(stored_hash(&radiograph), hash, "{file}, frame {frames}");
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
        assert_eq!(radiograph.spacing.is_some(), has_spacing, "{file}");
        compared += 1;
    }
    println!("{compared} files compared");
}
