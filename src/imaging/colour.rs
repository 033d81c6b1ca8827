//! Colour samples: grey where the channels agree, RGB triples where they do not.

use std::sync::Arc;

use super::lut::{VoiLut, VoiTransform, Window};
use super::radiograph::{Original, Samples, StoredValues};

/// Below this mean difference between the channels of a pixel, in levels of 255, a picture is grey.
const GREY_TOLERANCE: f64 = 2.0;
/// Largest difference between the channels of a grey pixel that went through a lossy codec.
const LOSSY_TOLERANCE: u8 = 4;
/// Levels of 16-bit samples per level of 8-bit ones.
const SIXTEEN_PER_EIGHT: f64 = 257.0;

/// Eight-bit pictures were made for a screen, so they are shown as they are stored.
pub(super) fn as_stored() -> VoiLut {
    VoiLut {
        explanation: "As stored".to_owned(),
        transform: VoiTransform::Window(Window::spanning(0.0, 255.0)),
    }
}

/// Samples and significant bits of an 8-bit colour picture, which may turn out to be grey, and its own samples where these
/// say more.
pub(super) fn from_rgb8(triples: &[[u8; 3]], warnings: &mut Vec<String>) -> (Samples, u8, Option<Original>) {
    if mean_spread(triples) < GREY_TOLERANCE {
        let original = (!are_grey(triples)).then(|| Original::Eight(triples.into()));
        (averaged(triples, warnings), 8, original)
    } else {
        (Samples::Colour(triples.into()), 8, None)
    }
}

/// The same for 16 bits a channel; colour is shown with 8.
pub(super) fn from_rgb16(triples: &[[u16; 3]], warnings: &mut Vec<String>) -> (Samples, u8, Option<Original>) {
    if mean_spread(triples) / SIXTEEN_PER_EIGHT < GREY_TOLERANCE {
        let original = (!are_grey(triples)).then(|| Original::Sixteen(triples.into()));
        return (averaged(triples, warnings), 16, original);
    }
    warnings.push("Colours of 16 bits a channel are shown with 8.".to_owned());
    let byte = |level: u16| (f64::from(level) / SIXTEEN_PER_EIGHT).round() as u8;
    let shown = triples.iter().map(|triple| triple.map(byte)).collect();
    (Samples::Colour(shown), 8, Some(Original::Sixteen(triples.into())))
}

/// Whether the channels of every pixel are the same.
fn are_grey<T: Copy + PartialEq>(triples: &[[T; 3]]) -> bool {
    triples.iter().all(|[a, b, c]| a == b && b == c)
}

/// A colour picture as it is shown, with 8 bits a channel.
pub(super) struct Coloured {
    /// Grey where the channels of every pixel agree.
    pub samples: Samples,
    /// Grey of a colour picture whose channels nearly agree: what networks read.
    pub network_grey: Option<StoredValues>,
}

/// An 8-bit colour picture that has to be shown exactly: grey only where the channels of every pixel are the same, or so
/// close as a lossy codec leaves them.
pub(super) fn exactly(triples: Vec<[u8; 3]>, is_lossy: bool, warnings: &mut Vec<String>) -> Coloured {
    let allowed = if is_lossy { LOSSY_TOLERANCE } else { 0 };
    let is_grey = |&[a, b, c]: &[u8; 3]| a.max(b).max(c) - a.min(b).min(c) <= allowed;
    if triples.iter().all(is_grey) {
        return Coloured {
            samples: averaged(&triples, warnings),
            network_grey: None,
        };
    }
    let network_grey = (mean_spread(&triples) < GREY_TOLERANCE).then(|| mean_of_channels(&triples));
    Coloured {
        samples: Samples::Colour(triples.into()),
        network_grey,
    }
}

/// Channels from 0 to `white` on a screen of eight bits, rounded half up; full-range luma and chroma become RGB
/// (PS3.3 C.7.6.3.1.2, ITU-R BT.601).
pub(super) fn shown(channels: [u16; 3], white: u16, is_ybr: bool) -> [u8; 3] {
    if white == 255 && !is_ybr {
        return channels.map(|level| level as u8);
    }
    let [y, cb, cr] = channels.map(|level| f64::from(level) * 255.0 / f64::from(white));
    let level = |value: f64| (value + 0.5).floor().clamp(0.0, 255.0) as u8;
    if !is_ybr {
        return [level(y), level(cb), level(cr)];
    }
    // The middle of chroma is a half of the levels, of which there is one more than white.
    let middle = f64::midpoint(f64::from(white), 1.0) * 255.0 / f64::from(white);
    let (cb, cr) = (cb - middle, cr - middle);
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
    if !are_grey(triples) {
        warnings.push("The colour channels differ slightly; their mean is shown as grey.".to_owned());
    }
    Samples::Grey(mean_of_channels(triples))
}

fn mean_of_channels<T: Copy + Ord + Into<u32>>(triples: &[[T; 3]]) -> StoredValues {
    let mean = |triple: &[T; 3]| {
        let sum: u32 = triple.iter().map(|&channel| channel.into()).sum();
        ((sum + 1) / 3) as u16
    };
    StoredValues {
        values: Arc::new(triples.iter().map(mean).collect()),
        offset: 0,
    }
}
