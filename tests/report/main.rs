//! Exports read back: values, sizes, and that no identity is in them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use image::{DynamicImage, GenericImageView};
use recovnet::findings::{ActivationMap, Findings, Mask};
use recovnet::imaging::{self, Radiograph};
use recovnet::inference::pipeline::analyse;
use recovnet::report::{self, Prediction};

fn decode(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

fn example() -> (Radiograph, Findings) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chest.png");
    support::write_chest(&path, 180, 120, 1);
    let mut image = imaging::open(&path).unwrap();
    image.identity.patient_name = Some("Testcase^Quintus".into());
    image.identity.patient_id = Some("PID-4711".into());
    image.identity.birth_date = Some("19340506".into());
    let findings = analyse(&support::models(), &image, &mut |_| true).unwrap();
    (image, findings)
}

#[test]
fn a_mask_is_an_8_bit_png_of_0_and_255() {
    let mask = Mask {
        width: 3,
        height: 2,
        pixels: vec![0, 1, 1, 1, 0, 0],
    };
    let read = decode(&report::mask_png(&mask).unwrap());
    let DynamicImage::ImageLuma8(grey) = read else {
        panic!("not 8-bit grey: {:?}", read.color())
    };
    assert_eq!(grey.dimensions(), (3, 2));
    assert_eq!(grey.into_raw(), [0, 255, 255, 255, 0, 0]);
}

#[test]
fn a_map_is_a_16_bit_png_scaled_to_its_maximum() {
    let values = vec![0.0, 0.5, 2.0, 1.0];
    let map = ActivationMap {
        width: 2,
        height: 2,
        cells: values.clone(),
        grid: (2, 2),
        values,
        max: 2.0,
    };
    let read = decode(&report::map_png(&map).unwrap());
    let DynamicImage::ImageLuma16(grey) = read else {
        panic!("not 16-bit grey: {:?}", read.color())
    };
    assert_eq!(grey.into_raw(), [0, 16384, 65535, 32768]);
}

#[test]
fn an_empty_map_is_black() {
    let values = vec![0.0; 4];
    let map = ActivationMap {
        width: 2,
        height: 2,
        cells: vec![0.0],
        grid: (1, 1),
        values,
        max: 0.0,
    };
    assert_eq!(decode(&report::map_png(&map).unwrap()).into_luma16().into_raw(), [0; 4]);
}

#[test]
fn a_figure_shows_image_mask_and_map_side_by_side() {
    let (image, findings) = example();
    let figure = decode(&report::figure_png(&image, &findings).unwrap()).into_rgb8();
    // Three panels of 640 x 427 pixels, 16 pixels apart.
    assert!(
        figure.width() > 3 * 640 && figure.height() > 427 + 4 * 18,
        "{:?}",
        figure.dimensions()
    );
    let panel = |number: u32| figure.view(16 + number * 656, 39, 640, 427).to_image();
    let plain = panel(0);
    assert!(plain.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
    let differs = |number| plain.pixels().zip(panel(number).pixels()).any(|(a, b)| a != b);
    assert_eq!(differs(1), findings.mask.pixels.contains(&1));
    assert_eq!(differs(2), findings.activation.max > 0.0);
    // The caption is ink on paper.
    let below = figure
        .view(0, 39 + 427, figure.width(), figure.height() - 39 - 427)
        .to_image();
    assert!(below.pixels().any(|pixel| pixel[0] < 100));
}

#[test]
fn figures_of_odd_shapes_and_without_map_are_made_too() {
    let (image, findings) = example();
    for (width, height) in [(1, 1), (1, 300), (300, 1)] {
        let pixels = (width * height) as usize;
        let mut image = image.clone();
        (image.width, image.height) = (width, height);
        image.samples = imaging::Samples::Grey(imaging::StoredValues {
            values: vec![7; pixels].into(),
            offset: 0,
        });
        let mut findings = findings.clone();
        findings.mask = Mask {
            width,
            height,
            pixels: vec![1; pixels],
        };
        findings.activation = ActivationMap {
            width,
            height,
            values: vec![0.0; pixels],
            cells: vec![0.0],
            grid: (1, 1),
            max: 0.0,
        };
        let figure = decode(&report::figure_png(&image, &findings).unwrap());
        assert!(figure.width() > 100 && figure.height() > 100);
    }
}

#[test]
fn a_prediction_holds_exactly_the_promised_fields_and_no_identity() {
    let (image, findings) = example();
    let line = Prediction::new(
        "chest.png".into(),
        &image,
        &findings,
        std::time::Duration::from_millis(3),
    );
    let value = serde_json::to_value(&line).unwrap();
    let names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "file classifier weights_sha256 device probability margin threshold decision lung_area_fraction \
                    in_lung_activation in_lung_chance mask_file map_file map_max time_ms warnings";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    let times: Vec<&String> = value["time_ms"].as_object().unwrap().keys().collect();
    assert_eq!(
        times,
        ["decode", "preprocess", "segment", "classify", "explain", "total"]
    );
    let text = value.to_string();
    for secret in ["Testcase", "Quintus", "4711", "19340506"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert_eq!(
        value["probability"]["covid19"].as_f64(),
        Some(findings.probabilities.covid19)
    );
}
