//! Pictures and findings made by hand.

use std::sync::Arc;
use std::time::Duration;

use recovnet::findings::{
    ActivationMap, Decision, Findings, InLungActivation, Lung, Lungs, Mask, ModelId, Probabilities, Timings,
};
use recovnet::imaging::{Acquisition, Identity, ModalityLut, Polarity, Radiograph, Samples, Scope, StoredValues};
use recovnet::viewer::picture::Picture;

/// A grey radiograph of 16 bits with these samples.
pub fn radiograph(size: [u32; 2], values: Vec<u16>) -> Radiograph {
    Radiograph {
        file: "synthetic".into(),
        frame: 1,
        frames: 1,
        width: size[0],
        height: size[1],
        samples: Samples::Grey(StoredValues {
            values: values.into(),
            offset: 0,
        }),
        network_grey: None,
        original: None,
        bits_stored: 16,
        modality_lut: ModalityLut::IDENTITY,
        voi_luts: Vec::new(),
        polarity: Polarity::Normal,
        padding: None,
        overlay_planes: Vec::new(),
        shutter: None,
        spacing: None,
        pixel_aspect: 1.0,
        identity: Identity::default(),
        acquisition: Acquisition::default(),
        scope: Scope::InScope,
        content_hash: [7; 32],
        warnings: Vec::new(),
    }
}

/// Ready for the screen.
pub fn picture(radiograph: Radiograph) -> Arc<Picture> {
    Arc::new(Picture::new(radiograph, Duration::from_millis(12)))
}

/// Findings of a picture with two rectangular lungs and a map that grows to the lower right.
pub fn findings(radiograph: &Radiograph) -> Findings {
    let [width, height] = [radiograph.width, radiograph.height];
    let lung = |x: u32| (x * 10 / width, x * 10 / width);
    let inside = |x: u32, y: u32| {
        let (column, _) = lung(x);
        let row = y * 10 / height;
        (1..9).contains(&row) && (matches!(column, 1..=3) || matches!(column, 6..=8))
    };
    let at = |index: u32| (index % width, index / width);
    let pixels: Vec<u8> = (0..width * height)
        .map(at)
        .map(|(x, y)| u8::from(inside(x, y)))
        .collect();
    let value = |(x, y): (u32, u32)| (x + y) as f32 / (width + height) as f32;
    let values: Vec<f32> = (0..width * height).map(|index| value(at(index))).collect();
    let max = values.iter().copied().fold(0.0, f32::max);
    let side = |centroid| Lung {
        area_px: pixels.iter().map(|&pixel| u64::from(pixel)).sum::<u64>() / 2,
        centroid,
    };
    let middle = f64::from(height) / 2.0;
    let model = |name: &str| ModelId {
        name: name.to_owned(),
        version: "2026.11.1".to_owned(),
        weights_sha256: "0123456789abcdef".repeat(4),
    };
    Findings {
        content_hash: radiograph.content_hash,
        sop_instance_uid: None,
        lungs: Lungs::Pair {
            right: side((f64::from(width) * 0.25, middle)),
            left: side((f64::from(width) * 0.75, middle)),
        },
        lung_area_fraction: 0.481,
        probabilities: Probabilities {
            control: 0.1662,
            covid19: 0.8338,
        },
        margin: 1.6128,
        threshold: 0.41,
        decision: Decision::Covid19,
        activation: ActivationMap {
            width,
            height,
            values,
            cells: vec![0.5; 49],
            grid: (7, 7),
            max,
        },
        in_lung: InLungActivation {
            ratio: Some(0.6251),
            chance: Some(0.481),
        },
        classifier: model("recovnet-v1"),
        segmenter: model("segmenter-densenet121"),
        device: "CPU, 2 threads".to_owned(),
        timings: Timings {
            preprocess: Duration::from_millis(8),
            segment: Duration::from_millis(142),
            classify: Duration::from_millis(61),
            explain: Duration::from_millis(74),
            total: Duration::from_millis(285),
        },
        mask: Mask { width, height, pixels },
        warnings: vec!["Trained on few sources: the score may follow the source.".to_owned()],
    }
}
