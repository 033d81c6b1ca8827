//! The map between network input and image pixels.

use proptest::prelude::*;
use recovnet::nn::{Aspect, InputSpec};
use recovnet::preprocess::{self, Placement};

fn spec(width: usize, height: usize, aspect: Aspect) -> InputSpec {
    InputSpec {
        width,
        height,
        aspect,
        ..InputSpec::default()
    }
}

fn aspects() -> impl Strategy<Value = Aspect> {
    prop_oneof![Just(Aspect::Stretch), Just(Aspect::Pad), Just(Aspect::Crop)]
}

fn placements() -> impl Strategy<Value = Placement> {
    (1..3000_usize, 1..3000_usize, 1..300_usize, 1..300_usize, aspects())
        .prop_map(|(w, h, iw, ih, aspect)| Placement::new(w, h, &spec(iw, ih, aspect)))
}

proptest! {
    #[test]
    fn the_way_there_and_back_is_exact(placement in placements(), u in -50.0..350.0, v in -50.0..350.0) {
        let (x, y) = placement.image_from_input((u, v));
        let (u2, v2) = placement.input_from_image((x, y));
        prop_assert!((u - u2).abs() < 1e-9 && (v - v2).abs() < 1e-9, "{u},{v} -> {x},{y} -> {u2},{v2}");
    }

    #[test]
    fn what_is_seen_lies_on_the_input_and_the_rest_does_not(placement in placements()) {
        let (columns, rows) = placement.seen();
        let (width, height) = placement.image_size();
        let (iw, ih) = placement.input_size();
        prop_assert_eq!(placement.seen_pixels(), columns.len() * rows.len());
        for x in [0, columns.start, columns.end.saturating_sub(1), columns.end, width - 1] {
            let (u, _) = placement.input_from_image((x as f64 + 0.5, 0.0));
            prop_assert_eq!(columns.contains(&x), (0.0..=iw as f64).contains(&u) && x < width);
        }
        for y in [0, rows.start, rows.end.saturating_sub(1), rows.end, height - 1] {
            let (_, v) = placement.input_from_image((0.0, y as f64 + 0.5));
            prop_assert_eq!(rows.contains(&y), (0.0..=ih as f64).contains(&v) && y < height);
        }
    }

    #[test]
    fn stretch_and_pad_see_everything(w in 1..3000_usize, h in 1..3000_usize, pads in any::<bool>()) {
        let aspect = if pads { Aspect::Pad } else { Aspect::Stretch };
        let placement = Placement::new(w, h, &spec(224, 192, aspect));
        prop_assert_eq!(placement.seen(), (0..w, 0..h));
        for corner in [(0.0, 0.0), (w as f64, h as f64)] {
            let (u, v) = placement.input_from_image(corner);
            prop_assert!((-1e-9..=224.0 + 1e-9).contains(&u) && (-1e-9..=192.0 + 1e-9).contains(&v));
        }
    }

    #[test]
    fn a_level_map_stays_level_where_it_is_seen(w in 1..400_usize, h in 1..400_usize, aspect in aspects()) {
        let placement = Placement::new(w, h, &spec(32, 48, aspect));
        let image = placement.to_image(&vec![0.75; 32 * 48]);
        let (columns, rows) = placement.seen();
        for (i, value) in image.iter().enumerate() {
            let seen = columns.contains(&(i % w)) && rows.contains(&(i / w));
            prop_assert_eq!(*value, if seen { 0.75 } else { 0.0 });
        }
    }

    /// What is masked is what the map, brought to the image, says of the same pixel; on the threshold rounding decides.
    #[test]
    fn a_mask_is_the_map_above_its_threshold(
        w in 1..200_usize,
        h in 1..200_usize,
        aspect in aspects(),
        threshold in prop_oneof![Just(0.0_f32), 0.05..0.95_f32],
        seed in any::<u32>(),
    ) {
        let placement = Placement::new(w, h, &spec(24, 16, aspect));
        let value = |i: u32| (seed.wrapping_add(i).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32;
        let map: Vec<f32> = (0..24 * 16).map(|i| if i % 5 == 0 { 0.0 } else { value(i) }).collect();
        let (mask, image) = (placement.to_mask(&map, threshold), placement.to_image(&map));
        for (inside, value) in mask.iter().zip(&image) {
            let expected = u8::from(*value >= threshold && *value > 0.0);
            prop_assert!(*inside == expected || (*value - threshold).abs() < 1e-6, "{inside} of {value} at {threshold}");
        }
    }

    /// A ramp in image space that goes onto the input and back is the same ramp: nothing is shifted by a pixel.
    #[test]
    fn a_ramp_comes_back_in_place(w in 20..500_usize, h in 20..500_usize, aspect in aspects()) {
        let spec = spec(64, 64, aspect);
        let placement = Placement::new(w, h, &spec);
        let ramp: Vec<f32> = (0..64 * 64)
            .map(|i| {
                let (x, y) = placement.image_from_input(((i % 64) as f64 + 0.5, (i / 64) as f64 + 0.5));
                (x / w as f64 + 2.0 * y / h as f64) as f32
            })
            .collect();
        let image = placement.to_image(&ramp);
        let (columns, rows) = placement.seen();
        for (i, value) in image.iter().enumerate() {
            let (x, y) = (i % w, i / w);
            let (u, v) = placement.input_from_image((x as f64 + 0.5, y as f64 + 0.5));
            let inner = |a: f64, low: f64, high: f64| a - 0.5 >= low && a + 0.5 <= high;
            let (u0, v0) = placement.input_from_image((0.0, 0.0));
            let (u1, v1) = placement.input_from_image((w as f64, h as f64));
            let inside = inner(u, u0.max(0.0), u1.min(64.0)) && inner(v, v0.max(0.0), v1.min(64.0));
            if columns.contains(&x) && rows.contains(&y) && inside {
                let expected = (x as f64 + 0.5) / w as f64 + 2.0 * (y as f64 + 0.5) / h as f64;
                prop_assert!((f64::from(*value) - expected).abs() < 1e-4, "{x},{y}: {value} {expected}");
            }
        }
    }
}

#[test]
fn crop_sees_the_middle() {
    let placement = Placement::new(400, 200, &spec(100, 100, Aspect::Crop));
    assert_eq!(placement.seen(), (100..300, 0..200));
    assert_eq!(placement.input_from_image((200.0, 100.0)), (50.0, 50.0));
}

#[test]
fn pad_keeps_the_shape() {
    let placement = Placement::new(400, 200, &spec(100, 100, Aspect::Pad));
    assert_eq!(placement.input_from_image((0.0, 0.0)), (0.0, 25.0));
    assert_eq!(placement.input_from_image((400.0, 200.0)), (100.0, 75.0));
}

#[test]
fn a_mask_goes_onto_the_input_and_back() {
    let (w, h) = (300, 200);
    let inside = |x: usize, y: usize| (60..220).contains(&x) && (40..150).contains(&y);
    let mask: Vec<u8> = (0..w * h).map(|i| u8::from(inside(i % w, i / w))).collect();
    let placement = Placement::new(w, h, &spec(224, 224, Aspect::Stretch));
    let small: Vec<f32> = preprocess::mask(&mask, &placement).into_iter().map(f32::from).collect();
    let back = placement.to_image(&small);
    let wrong = back
        .iter()
        .zip(&mask)
        .filter(|(soft, truth)| u8::from(**soft >= 0.5) != **truth)
        .count();
    assert!(
        wrong < 2 * (160 + 110) * 2,
        "{wrong} pixels differ: more than a rim of one pixel"
    );
}

#[test]
fn coarse_maps_grow_like_half_pixel_bilinear() {
    // torch's interpolate(mode="bilinear", align_corners=False) of [0, 1] to four columns.
    assert_eq!(
        preprocess::bilinear(&[0.0, 1.0], (2, 1), (4, 1)),
        [0.0, 0.25, 0.75, 1.0]
    );
    assert_eq!(preprocess::bilinear(&[0.5], (1, 1), (3, 2)), [0.5; 6]);
}
