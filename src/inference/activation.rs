//! An activation map in image pixels, and how much of it lies inside the lungs. Knows no network.

use multiversion::multiversion;

use crate::findings::{ActivationMap, InLungActivation, Mask};
use crate::preprocess::{self, Placement};

/// Values that are compared or added side by side.
const LANES: usize = 8;

/// Sums over pixels of one row.
#[derive(Debug, Clone, Copy, Default)]
struct RowSums {
    /// Activation inside the mask.
    inside: f64,
    /// All activation.
    whole: f64,
    /// Pixels inside the mask.
    lung_px: u64,
    /// Largest activation, at least 0.
    largest: f32,
}

/// A grid of cells (row-major, `grid` columns and rows, at least 0) to an activation map in image pixels, and what of
/// it lies inside the lungs.
///
/// # Panics
/// If `cells` does not hold `grid.0 * grid.1` values, or the mask has not the size of the placed image.
pub fn in_image(
    cells: Vec<f32>,
    grid: (usize, usize),
    placement: &Placement,
    lungs: &Mask,
) -> (ActivationMap, InLungActivation) {
    let (width, height) = placement.image_size();
    assert_eq!(lungs.pixels.len(), width * height, "the mask has the size of the image");
    let input = preprocess::bilinear(&cells, grid, placement.input_size());
    let columns = placement.seen().0;
    let (values, rows) = placement.to_image_seen(&input, |y, values| {
        row_sums(&lungs.pixels[y * width..][columns.clone()], values)
    });
    let map = ActivationMap {
        width: width as u32,
        height: height as u32,
        max: rows.iter().map(|row| row.largest).fold(0.0, larger),
        values,
        cells,
        grid: (grid.0 as u32, grid.1 as u32),
    };
    (map, summed_up(&rows, placement))
}

/// Share of the activation inside the mask, and the mask's share of the area that the network saw. Rows are added up
/// in their order, so that the result does not depend on the threads.
fn summed_up(rows: &[RowSums], placement: &Placement) -> InLungActivation {
    let (mut inside, mut whole, mut lung_px) = (0.0, 0.0, 0_u64);
    for row in rows {
        inside += row.inside;
        whole += row.whole;
        lung_px += row.lung_px;
    }
    let seen_px = placement.seen_pixels();
    InLungActivation {
        ratio: (whole > 0.0 && lung_px > 0).then(|| inside / whole),
        chance: (seen_px > 0).then(|| lung_px as f64 / seen_px as f64),
    }
}

/// The larger of two; the first where one is no number.
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Sums of a row's values, with the mask's pixels beside them.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn row_sums(mask: &[u8], values: &[f32]) -> RowSums {
    let (mut inside, mut whole) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let (mut lung_px, mut largest) = ([0_u32; LANES], [0.0_f32; LANES]);
    let (masks, mask_rest) = mask.as_chunks::<LANES>();
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut add = |i: usize, pixel: u8, value: f32| {
        let in_lung = pixel != 0;
        whole[i] += f64::from(value);
        inside[i] += f64::from(if in_lung { value } else { 0.0 });
        lung_px[i] = lung_px[i].wrapping_add(u32::from(in_lung));
        largest[i] = larger(largest[i], value);
    };
    for (pixels, values) in masks.iter().zip(chunks) {
        for i in 0..LANES {
            add(i, pixels[i], values[i]);
        }
    }
    for (i, (&pixel, &value)) in mask_rest.iter().zip(rest).enumerate() {
        add(i, pixel, value);
    }
    RowSums {
        inside: inside.iter().sum(),
        whole: whole.iter().sum(),
        lung_px: lung_px.iter().map(|&px| u64::from(px)).sum(),
        largest: largest.iter().copied().fold(0.0, larger),
    }
}
