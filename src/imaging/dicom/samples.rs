//! Decoded bytes to the samples of a frame: bits masked, shifted and extended by their sign (PS3.5 8.1.1).

use std::sync::Arc;

use rayon::prelude::*;

use super::codec::Decoded;
use super::pixel_module::{Bits, PixelModule};
use crate::imaging::colour::{self, Coloured};
use crate::imaging::radiograph::{Original, Samples, StoredValues, WideValues};

/// Samples that a thread makes at a time.
const BLOCK: usize = 1 << 16;
/// Largest integer up to which `f64` has every one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Values of a grey frame: 16-bit ones where they fit, whatever is allocated.
pub(super) fn grey(decoded: &Decoded<'_>, module: &PixelModule, warnings: &mut Vec<String>) -> Samples {
    let bytes = &*decoded.bytes;
    if module.is_float() {
        let values = match decoded.sample_bytes {
            4 => made_of(bytes.as_chunks::<4>().0, |&four| f64::from(f32::from_le_bytes(four))),
            _ => made_of(bytes.as_chunks::<8>().0, |&eight| f64::from_le_bytes(eight)),
        };
        if values.par_iter().any(|value| !value.is_finite()) {
            warnings.push("Some pixels are no numbers or infinite.".to_owned());
        }
        return Samples::Wide(WideValues {
            values,
            integers: false,
        });
    }
    if decoded.sample_bytes <= 2 {
        return Samples::Grey(stored_values(decoded, module.bits));
    }
    let bits = module.bits;
    let values = match decoded.sample_bytes {
        4 => made_of(bytes.as_chunks::<4>().0, |&four| {
            integer(u64::from(u32::from_le_bytes(four)), bits)
        }),
        _ => made_of(bytes.as_chunks::<8>().0, |&eight| {
            integer(u64::from_le_bytes(eight), bits)
        }),
    };
    wide(values, warnings)
}

/// The value of a wide sample.
fn integer(word: u64, bits: Bits) -> f64 {
    let unused = 64 - u32::from(bits.stored);
    let value = (word >> bits.shift) << unused;
    if bits.signed {
        (value.cast_signed() >> unused) as f64
    } else {
        (value >> unused) as f64
    }
}

/// Wide integers as 16-bit ones with an offset, where their range allows.
fn wide(values: Arc<Vec<f64>>, warnings: &mut Vec<String>) -> Samples {
    let wide = WideValues { values, integers: true };
    let (low, high) = wide.finite_range();
    let span = f64::from(u16::MAX);
    if high - low <= span && low >= f64::from(i32::MIN) && low + span <= f64::from(i32::MAX) {
        let offset = if low >= 0.0 && high <= span { 0.0 } else { low };
        return Samples::Grey(StoredValues {
            values: made_of(&wide.values, |&value| (value - offset) as u16),
            offset: offset as i32,
        });
    }
    if low < -EXACT || high > EXACT {
        warnings.push("Some stored values are beyond 2^53 and were rounded.".to_owned());
    }
    Samples::Wide(wide)
}

/// The Bits Stored of every sample of one or two bytes; the bits above may hold anything.
pub(super) fn stored_values(decoded: &Decoded<'_>, bits: Bits) -> StoredValues {
    let mask = ((1_u32 << bits.stored) - 1) as u16;
    // In offset binary, turning the sign bit over is all that sign extension takes.
    let sign = if bits.signed { 1_u16 << (bits.stored - 1) } else { 0 };
    let sample = |word: u16| (word >> decoded.shift & mask) ^ sign;
    let bytes = &*decoded.bytes;
    let pairs = bytes.as_chunks::<2>().0;
    let values = match (decoded.sample_bytes, decoded.high_byte_first) {
        (1, _) => made_of(bytes, |&byte| sample(u16::from(byte))),
        (_, true) => made_of(pairs, |&pair| sample(u16::from_be_bytes(pair))),
        (_, false) => made_of(pairs, |&pair| sample(u16::from_le_bytes(pair))),
    };
    StoredValues {
        values,
        offset: -i32::from(sign),
    }
}

/// A value of each of `items`, on all cores.
fn made_of<T: Sync, V: Copy + Default + Send>(items: &[T], value: impl Fn(&T) -> V + Sync) -> Arc<Vec<V>> {
    let mut values = vec![V::default(); items.len()];
    let blocks = values.par_chunks_mut(BLOCK).zip(items.par_chunks(BLOCK));
    blocks.for_each(|(values, items)| {
        for (made, item) in values.iter_mut().zip(items) {
            *made = value(item);
        }
    });
    Arc::new(values)
}

/// Colours of a frame, and the file's own samples where these are others.
pub(super) fn colours(
    decoded: &Decoded<'_>,
    module: &PixelModule,
    is_lossy: bool,
    warnings: &mut Vec<String>,
) -> (Coloured, Option<Original>) {
    let &Decoded {
        sample_bytes,
        is_ybr,
        is_halved,
        by_plane,
        ..
    } = decoded;
    // A codestream may have fewer bits than are stored.
    let stored = usize::from(module.bits.stored).min(8 * sample_bytes);
    let white = ((1_u32 << stored) - 1) as u16;
    let pixels = module.pixels();
    if sample_bytes == 1 {
        let mask = white as u8;
        let bytes: Vec<u8> = decoded.bytes.iter().map(|&byte| byte & mask).collect();
        let triples: Arc<[[u8; 3]]> = triples(&bytes, pixels, by_plane, is_halved).into();
        let rgb: Vec<[u8; 3]> = triples
            .iter()
            .map(|triple| colour::shown(triple.map(u16::from), white, is_ybr))
            .collect();
        let is_same = *triples == *rgb;
        let coloured = colour::exactly(rgb, is_lossy, warnings);
        let is_same = is_same && matches!(&coloured.samples, Samples::Colour(_));
        return (coloured, (!is_same).then_some(Original::Eight(triples)));
    }
    let words = decoded.bytes.as_chunks::<2>().0.iter();
    let words: Vec<u16> = words.map(|&pair| u16::from_le_bytes(pair) & white).collect();
    let triples: Arc<[[u16; 3]]> = triples(&words, pixels, by_plane, is_halved).into();
    let rgb = triples
        .iter()
        .map(|&triple| colour::shown(triple, white, is_ybr))
        .collect();
    warnings.push(format!("Colours of {stored} bits a channel are shown with 8."));
    let coloured = colour::exactly(rgb, is_lossy, warnings);
    (coloured, Some(Original::Sixteen(triples)))
}

/// Interleaved triples.
fn triples<T: Copy>(samples: &[T], pixels: usize, by_plane: bool, is_halved: bool) -> Vec<[T; 3]> {
    if is_halved {
        let pairs = samples.as_chunks::<4>().0.iter();
        return pairs
            .flat_map(|&[y0, y1, cb, cr]| [[y0, cb, cr], [y1, cb, cr]])
            .collect();
    }
    if by_plane {
        return (0..pixels)
            .map(|at| [samples[at], samples[at + pixels], samples[at + 2 * pixels]])
            .collect();
    }
    samples.as_chunks::<3>().0.to_vec()
}
