//! Exports read back: values, sizes, and that no identity is in them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/segmenter.rs"]
mod segmenter;
#[path = "../support/mod.rs"]
mod support;

use image::{DynamicImage, GenericImageView};
use recovnet::findings::{ActivationMap, Findings, Mask};
use recovnet::imaging::{self, Radiograph};
use recovnet::inference::pipeline::analyse;
use recovnet::report::{self, Prediction};
use recovnet::training::evaluation::{MaskRecord, SegmentedImage};
use recovnet::training::metrics::Confusion;
use segmenter::segmenter_report;

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

/// Images of one convention: of 100 pixels of lung so many are found, as many others are not lung, and the outlines are
/// so far apart.
fn segmented(convention: &str, figures: &[(u64, Option<f64>)]) -> Vec<SegmentedImage> {
    let image = |(number, &(found, hd95_px)): (usize, &(u64, Option<f64>))| SegmentedImage {
        file: format!("{number}.png"),
        group: format!("p{number}"),
        source: "one".to_owned(),
        mask: MaskRecord {
            convention: convention.to_owned(),
            confusion: Confusion {
                tn: 300,
                fp: 100 - found,
                fn_: 100 - found,
                tp: found,
            },
            hd95_px,
            hd95_mm: None,
        },
    };
    figures.iter().enumerate().map(image).collect()
}

fn segmenter_drawing(images: &[SegmentedImage]) -> report::Drawing {
    let mut drawings = report::segmenter_drawings(&segmenter_report(images), images);
    assert_eq!(drawings.len(), 1);
    let (name, drawing) = drawings.remove(0);
    assert_eq!(name, "masks");
    drawing
}

/// Dice of 0.9, 0.95 twice and 0.98 twice; the last image has no distance.
const FIGURES: [(u64, Option<f64>); 5] = [
    (90, Some(30.0)),
    (95, Some(3.0)),
    (95, Some(3.0)),
    (98, Some(2.0)),
    (98, None),
];

#[test]
fn a_segmenters_figures_are_bars_with_median_and_quartiles() {
    let drawing = segmenter_drawing(&segmented("lung-field/manual", &FIGURES));
    assert_eq!(drawing.size(), (2 * 640, 520), "Dice and HD95 side by side");
    let svg = drawing.svg();
    let has = |text: &str| assert!(svg.contains(text), "no '{text}' in {svg}");
    // Three different values each, every one in a bar of its own.
    assert_eq!(svg.matches("fill=\"#bcd4e8\"").count(), 6, "{svg}");
    has("Dice (5 images)");
    has(">median 0.950<");
    has("Median 0.950, half of the images from 0.950 to 0.980; mean 0.952 [");
    has("HD95, pixels (4 of 5 images)");
    has(">quartiles 2.750 and 9.750<");
    has("Median 3.000, half of the images from 2.750 to 9.750; mean 9.500 [");
    has("segmenter-densenet121 2026.11.1 (abababab), split test, masks lung-field/manual.");
    has(report::NOTICE);
    let picture = decode(&drawing.png().unwrap()).into_rgb8();
    let medians = |left: u32| {
        let half = picture.view(left, 0, 1280, 1040).to_image();
        half.pixels().any(|pixel| pixel.0 == [0, 114, 178])
    };
    assert!(medians(0) && medians(1280), "a median is drawn in both");
}

#[test]
fn masks_of_another_convention_have_a_row_of_their_own() {
    let mut images = segmented("lung-field/manual", &FIGURES);
    images.extend(segmented("lung-field/model", &FIGURES[3..]));
    let drawing = segmenter_drawing(&images);
    assert_eq!(drawing.size(), (2 * 640, 2 * 520));
    let svg = drawing.svg();
    for text in [
        "manual (convention 1 of 2)",
        "model (convention 2 of 2)",
        "Dice (2 images)",
    ] {
        assert!(svg.contains(text), "no '{text}' in {svg}");
    }
}

#[test]
fn what_is_not_defined_is_not_drawn() {
    let without = segmenter_drawing(&segmented("lung-field/manual", &[(95, None), (100, None)]));
    assert_eq!(without.size(), (640, 520), "no distance, no panel of it");
    let broken = [(95, Some(f64::NAN)), (95, Some(f64::INFINITY)), (95, Some(-1.0))];
    let broken = segmenter_drawing(&segmented("lung-field/manual", &broken));
    assert_eq!(broken.size(), (640, 520), "what is no distance is none");
    assert!(report::segmenter_drawings(&segmenter_report(&[]), &[]).is_empty());
    // A table may name any number of conventions; the sheet stays a sheet.
    let many = (0..40).flat_map(|number| segmented(&format!("style {number}"), &[(95, None)]));
    assert_eq!(segmenter_drawing(&many.collect::<Vec<_>>()).size(), (640, 6 * 520));
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
