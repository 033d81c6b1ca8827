//! In-lung activation by its formula, on made-up maps and masks.

use recovnet::findings::{InLungActivation, Mask};
use recovnet::inference::activation::in_image;
use recovnet::nn::{Aspect, InputSpec};
use recovnet::preprocess::Placement;

const SIDE: u32 = 8;

fn spec(side: usize, aspect: Aspect) -> InputSpec {
    InputSpec {
        width: side,
        height: side,
        aspect,
        ..InputSpec::default()
    }
}

fn mask(inside: impl Fn(u32, u32) -> bool) -> Mask {
    let pixels = (0..SIDE * SIDE).map(|i| u8::from(inside(i % SIDE, i / SIDE))).collect();
    Mask {
        width: SIDE,
        height: SIDE,
        pixels,
    }
}

/// A map with a cell a pixel: what lies inside the mask.
fn of_cells(value: impl Fn(u32, u32) -> f32, mask: &Mask) -> InLungActivation {
    let side = SIDE as usize;
    let cells: Vec<f32> = (0..SIDE * SIDE).map(|i| value(i % SIDE, i / SIDE)).collect();
    let placement = Placement::new(side, side, &spec(side, Aspect::Stretch));
    let (map, inside) = in_image(cells.clone(), (side, side), &placement, mask);
    assert_eq!(map.values, cells);
    inside
}

#[test]
fn the_ratio_is_the_sum_inside_over_the_whole_sum() {
    // Left half 3, right half 1; the mask is the left quarter: 3 * 16 of 3 * 32 + 1 * 32.
    let found = of_cells(|x, _| if x < 4 { 3.0 } else { 1.0 }, &mask(|x, _| x < 2));
    assert_eq!(found.ratio, Some(48.0 / 128.0));
    assert_eq!(found.chance, Some(0.25));
}

#[test]
fn a_flat_map_scores_its_chance_level() {
    let found = of_cells(|_, _| 0.7, &mask(|x, y| x < 3 && y < 5));
    assert!((found.ratio.unwrap() - found.chance.unwrap()).abs() < 1e-12);
}

#[test]
fn an_empty_map_has_no_ratio_but_a_chance_level() {
    let found = of_cells(|_, _| 0.0, &mask(|x, _| x < 4));
    assert_eq!((found.ratio, found.chance), (None, Some(0.5)));
}

#[test]
fn an_empty_mask_has_no_ratio() {
    let found = of_cells(|_, _| 1.0, &mask(|_, _| false));
    assert_eq!((found.ratio, found.chance), (None, Some(0.0)));
}

#[test]
fn chance_counts_only_what_the_network_saw() {
    // 16 x 8 pixels cropped to the middle square: columns 4..12 are seen.
    let placement = Placement::new(16, 8, &spec(32, Aspect::Crop));
    let pixels = (0..16 * 8).map(|i| u8::from(i % 16 < 6)).collect();
    let mask = Mask {
        width: 16,
        height: 8,
        pixels,
    };
    let (map, found) = in_image(vec![1.0; 4], (2, 2), &placement, &mask);
    assert_eq!(map.values.iter().filter(|&&value| value > 0.0).count(), 64);
    assert!((found.ratio.unwrap() - 0.25).abs() < 1e-9);
    assert_eq!(found.chance, Some(0.25));
}

#[test]
fn a_cell_lies_where_its_pixels_are() {
    // One hot cell of 4 x 4 on a 64 x 64 picture: the brightest pixels are in the middle of its area.
    let placement = Placement::new(64, 64, &spec(32, Aspect::Stretch));
    let mut cells = vec![0.0; 16];
    cells[4 + 2] = 2.0;
    let everywhere = Mask {
        width: 64,
        height: 64,
        pixels: vec![1; 64 * 64],
    };
    let (map, inside) = in_image(cells, (4, 4), &placement, &everywhere);
    assert_eq!(inside.ratio, Some(1.0));
    let brightest = map.values.iter().position(|&value| value == map.max).unwrap();
    let (x, y) = (brightest % 64, brightest / 64);
    assert!((38..=41).contains(&x) && (22..=25).contains(&y), "({x}, {y})");
    assert!((map.max - 2.0).abs() < 0.5, "{}", map.max);
    assert_eq!(map.values[0], 0.0);
}

/// Sides that are no multiple of anything, values without a pattern.
#[test]
fn sums_and_maximum_are_those_of_a_plain_loop() {
    let (width, height) = (131, 77);
    let value = |i: u32| f64::from(i.wrapping_mul(2_654_435_761) >> 12) / f64::from(1 << 20);
    let mask = Mask {
        width,
        height,
        pixels: (0..width * height).map(|i| u8::from(value(i + 7) > 0.6)).collect(),
    };
    let placement = Placement::new(width as usize, height as usize, &spec(32, Aspect::Crop));
    let cells: Vec<f32> = (0..49).map(|i| value(i) as f32).collect();
    let (map, found) = in_image(cells, (7, 7), &placement, &mask);

    let (columns, rows) = placement.seen();
    let seen = |i: &usize| columns.contains(&(i % width as usize)) && rows.contains(&(i / width as usize));
    let lung: Vec<usize> = (0..map.values.len())
        .filter(seen)
        .filter(|&i| mask.pixels[i] != 0)
        .collect();
    let inside: f64 = lung.iter().map(|&i| f64::from(map.values[i])).sum();
    let whole: f64 = map.values.iter().map(|&value| f64::from(value)).sum();
    assert!((found.ratio.unwrap() - inside / whole).abs() < 1e-9);
    assert!((found.chance.unwrap() - lung.len() as f64 / placement.seen_pixels() as f64).abs() < 1e-12);
    assert_eq!(map.max, map.values.iter().copied().fold(0.0, f32::max));
    assert_eq!(
        mask.area_px(),
        mask.pixels.iter().map(|&pixel| u64::from(pixel)).sum::<u64>()
    );
}
