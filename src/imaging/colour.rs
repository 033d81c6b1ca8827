//! Colour samples: grey where the channels agree, RGB triples where they do not.

use std::sync::Arc;

use super::lut::{VoiLut, VoiTransform, Window};
use super::radiograph::{Samples, StoredValues};

/// Below this mean difference between the channels of a pixel, in levels of 255, a picture is grey.
const GREY_TOLERANCE: f64 = 2.0;
/// Levels of 16-bit samples per level of 8-bit ones.
const SIXTEEN_PER_EIGHT: f64 = 257.0;

/// Eight-bit pictures were made for a screen, so they are shown as they are stored.
pub(super) fn as_stored() -> VoiLut {
    VoiLut {
        explanation: "As stored".to_owned(),
        transform: VoiTransform::Window(Window::spanning(0.0, 255.0)),
    }
}

/// Samples and significant bits of an 8-bit colour picture, which may turn out to be grey.
pub(super) fn from_rgb8(triples: &[[u8; 3]], warnings: &mut Vec<String>) -> (Samples, u8) {
    if mean_spread(triples) < GREY_TOLERANCE {
        (averaged(triples, warnings), 8)
    } else {
        (Samples::Colour(triples.into()), 8)
    }
}

/// The same for 16 bits a channel; colour is shown with 8.
pub(super) fn from_rgb16(triples: &[[u16; 3]], warnings: &mut Vec<String>) -> (Samples, u8) {
    if mean_spread(triples) / SIXTEEN_PER_EIGHT < GREY_TOLERANCE {
        (averaged(triples, warnings), 16)
    } else {
        let byte = |level: u16| (f64::from(level) / SIXTEEN_PER_EIGHT).round() as u8;
        (
            Samples::Colour(triples.iter().map(|triple| triple.map(byte)).collect()),
            8,
        )
    }
}

/// Full-range luma and chroma to RGB (PS3.3 C.7.6.3.1.2, ITU-R BT.601).
pub(super) fn rgb_from_ybr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
    let level = |value: f64| (value + 0.5).floor().clamp(0.0, 255.0) as u8;
    [
        level(y + 1.402 * cr),
        level(y - 0.344_136 * cb - 0.714_136 * cr),
        level(y + 1.772 * cb),
    ]
}

/// Mean over the pixels of the largest minus the smallest channel, in stored levels.
fn mean_spread<T: Copy + Ord + Into<u32>>(triples: &[[T; 3]]) -> f64 {
    let spread = |triple: &[T; 3]| {
        let [a, b, c] = triple.map(Into::into);
        u64::from(a.max(b).max(c) - a.min(b).min(c))
    };
    triples.iter().map(spread).sum::<u64>() as f64 / triples.len().max(1) as f64
}

/// The rounded mean of each pixel's channels, said in a warning where they are not all the same.
fn averaged<T: Copy + Ord + Into<u32>>(triples: &[[T; 3]], warnings: &mut Vec<String>) -> Samples {
    if triples.iter().any(|[a, b, c]| a != b || b != c) {
        warnings.push("The colour channels differ slightly; their mean is shown as grey.".to_owned());
    }
    let mean = |triple: &[T; 3]| {
        let sum: u32 = triple.iter().map(|&channel| channel.into()).sum();
        ((sum + 1) / 3) as u16
    };
    let values = Arc::new(triples.iter().map(mean).collect());
    Samples::Grey(StoredValues { values, offset: 0 })
}
