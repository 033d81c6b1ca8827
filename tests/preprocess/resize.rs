//! The anti-aliased resize against PIL and torchvision, and the whole path from a radiograph.

use std::sync::Arc;

use recovnet::imaging::{
    Acquisition, Identity, ModalityLut, Polarity, Radiograph, Samples, Scope, StoredValues, VoiLut, VoiLutFunction,
    VoiTransform, Window,
};
use recovnet::nn::{Aspect, Device, InputSpec};
use recovnet::preprocess;

use crate::reference::{flat, folder, tensors};

/// A grey picture of eight or more bits that brings its own window.
fn picture(values: Vec<u16>, width: u32, height: u32, white: f64) -> Radiograph {
    let window = Window {
        center: white / 2.0,
        width: white,
        function: VoiLutFunction::LinearExact,
    };
    Radiograph {
        file: "picture.png".into(),
        frame: 1,
        frames: 1,
        width,
        height,
        samples: Samples::Grey(StoredValues {
            values: Arc::from(values),
            offset: 0,
        }),
        network_grey: None,
        original: None,
        bits_stored: 8,
        modality_lut: ModalityLut::IDENTITY,
        voi_luts: vec![VoiLut {
            explanation: String::new(),
            transform: VoiTransform::Window(window),
        }],
        polarity: Polarity::Normal,
        padding: None,
        overlay_planes: Vec::new(),
        shutter: None,
        spacing: None,
        pixel_aspect: 1.0,
        identity: Identity::default(),
        acquisition: Acquisition::default(),
        scope: Scope::InScope,
        content_hash: [0; 32],
        warnings: Vec::new(),
    }
}

fn spec(width: usize, height: usize, aspect: Aspect) -> InputSpec {
    InputSpec {
        width,
        height,
        aspect,
        ..InputSpec::default()
    }
}

#[test]
fn golden_resize_is_pil_bilinear() {
    let Some(folder) = folder() else { return };
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if !name.starts_with("resize_") || !name.ends_with(".safetensors") {
            continue;
        }
        files += 1;
        let golden = tensors(&name).expect("the folder is there");
        let (height, width) = golden["input"].dims2().expect("a plane");
        let values: Vec<u16> = flat(&golden["input"]).iter().map(|&v| v as u16).collect();
        let image = picture(values, width as u32, height as u32, 255.0);
        let (rows, columns) = golden["pil_bilinear"].dims2().expect("a plane");
        let grey = preprocess::grey(&image, &spec(columns, rows, Aspect::Stretch)).expect("grey");
        let found: Vec<f64> = grey.pixels.iter().map(|&v| f64::from(v) * 255.0).collect();
        for (method, tolerance) in [("pil_bilinear", 1.0), ("tv_u8_bilinear_antialias", 1.0)] {
            for (i, (f, e)) in found.iter().zip(flat(&golden[method])).enumerate() {
                assert!(
                    (f.round() - e).abs() <= tolerance,
                    "{name} {method}[{i}]: {f}, expected {e}"
                );
            }
        }
        let exact = flat(&golden["f64_bilinear_antialias_s1024"]);
        for (i, e) in exact.iter().enumerate() {
            let f = found[i * 49];
            assert!((f - e).abs() < 1e-3, "{name} exact[{i}]: {f}, expected {e}");
        }
    }
    assert!(files > 0, "no resize_*.safetensors in the reference folder");
}

#[test]
fn polarity_and_padding_make_air_dark() {
    // Air is the brightest of the stored values here; 4095 is padding.
    let mut image = picture(vec![0, 1000, 1000, 4095], 2, 2, 1000.0);
    image.polarity = Polarity::Inverse;
    image.padding = Some((4095.0, 4095.0));
    let grey = preprocess::grey(&image, &spec(2, 2, Aspect::Stretch)).expect("grey");
    assert_eq!(grey.pixels, [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn modality_values_reach_the_window() {
    let mut image = picture(vec![0, 10, 20, 30], 2, 2, 30.0);
    image.modality_lut = ModalityLut::linear(2.0, -30.0);
    let grey = preprocess::grey(&image, &spec(2, 2, Aspect::Stretch)).expect("grey");
    let expected = [0.0, 0.0, 1.0 / 3.0, 1.0];
    for (found, expected) in grey.pixels.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{:?}", grey.pixels);
    }
}

#[test]
fn every_channel_is_grey_and_normalised() {
    let image = picture(vec![0, 255, 255, 0, 0, 255], 3, 2, 255.0);
    let spec = spec(3, 2, Aspect::Stretch);
    let grey = preprocess::grey(&image, &spec).expect("grey");
    let tensor = preprocess::tensor(&grey, &spec, &Device::Cpu).expect("a tensor");
    assert_eq!(tensor.dims(), [1, 3, 2, 3]);
    for (i, value) in flat(&tensor).into_iter().enumerate() {
        let (channel, pixel) = (i / 6, i % 6);
        let expected = (grey.pixels[pixel] - spec.mean[channel]) / spec.std[channel];
        assert!((value - f64::from(expected)).abs() < 1e-6);
    }
}

#[test]
fn padding_of_the_aspect_is_black_and_the_picture_keeps_its_shape() {
    let image = picture(vec![255; 8 * 4], 8, 4, 255.0);
    let grey = preprocess::grey(&image, &spec(16, 16, Aspect::Pad)).expect("grey");
    for (row, line) in grey.pixels.chunks(16).enumerate() {
        let expected = if (4..12).contains(&row) { 1.0 } else { 0.0 };
        assert!(line.iter().all(|v| (v - expected).abs() < 1e-6), "row {row}: {line:?}");
    }
}

#[test]
fn colour_is_refused() {
    let mut image = picture(Vec::new(), 1, 1, 255.0);
    image.samples = Samples::Colour(Arc::from(vec![[255, 0, 0]]));
    let error = preprocess::grey(&image, &InputSpec::default()).expect_err("colour");
    assert!(error.to_string().contains("colour"), "{error}");
}

#[test]
fn one_pixel_and_long_strips_are_no_trouble() {
    for (width, height) in [(1, 1), (1, 5000), (5000, 1)] {
        let image = picture(vec![255; (width * height) as usize], width, height, 255.0);
        for aspect in [Aspect::Stretch, Aspect::Pad, Aspect::Crop] {
            let grey = preprocess::grey(&image, &spec(224, 224, aspect)).expect("grey");
            assert_eq!(grey.pixels.len(), 224 * 224);
            assert!(grey.pixels.iter().any(|&v| v > 0.99), "{width}x{height} {aspect:?}");
        }
    }
}
