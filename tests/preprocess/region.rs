//! Networks that are given a part of the picture: the box around the lungs, or black outside them.

use std::path::Path;

use image::{GrayImage, Luma};
use proptest::prelude::*;
use recovnet::imaging::{self, Radiograph};
use recovnet::nn::{Aspect, InputSpec, Region};
use recovnet::preprocess::{self, PixelBox, Placement, lung_box};

const WIDTH: usize = 90;
const HEIGHT: usize = 70;

fn spec(size: usize, aspect: Aspect, region: Region) -> InputSpec {
    InputSpec {
        width: size,
        height: size,
        aspect,
        region,
        ..InputSpec::default()
    }
}

fn open(picture: &GrayImage, folder: &Path) -> Radiograph {
    let path = folder.join("picture.png");
    picture.save(&path).expect("the picture can be written");
    imaging::open(&path).expect("the picture opens")
}

/// A picture with the same levels everywhere, so that every part of it gets the same window.
fn picture() -> GrayImage {
    GrayImage::from_fn(WIDTH as u32, HEIGHT as u32, |x, y| {
        Luma([[0, 255, 90, 160, 40][(x * 3 + y * 2 + x * y) as usize % 5]])
    })
}

fn mask(part: &PixelBox) -> Vec<u8> {
    let inside = |i: usize| part.columns.contains(&(i % WIDTH)) && part.rows.contains(&(i / WIDTH));
    (0..WIDTH * HEIGHT).map(|i| u8::from(inside(i))).collect()
}

#[test]
fn the_box_is_the_lungs_with_a_margin_whatever_specks_there_are() {
    let part = PixelBox {
        columns: 20..70,
        rows: 10..60,
    };
    let mut lungs = mask(&part);
    assert_eq!(lung_box(&lungs, WIDTH, 0.0), Some(part));
    for speck in [0, 1, WIDTH * HEIGHT - 1] {
        lungs[speck] = 1;
    }
    let widened = PixelBox {
        columns: 15..75,
        rows: 5..65,
    };
    assert_eq!(lung_box(&lungs, WIDTH, 0.1), Some(widened));
    let all = PixelBox {
        columns: 0..WIDTH,
        rows: 0..HEIGHT,
    };
    assert_eq!(lung_box(&lungs, WIDTH, 1.0), Some(all), "no further than the picture");
    assert_eq!(lung_box(&vec![0; WIDTH * HEIGHT], WIDTH, 0.1), None);
    assert_eq!(lung_box(&[], WIDTH, 0.1), None);
}

#[test]
fn a_crop_is_what_the_cropped_picture_would_give() {
    let folder = tempfile::tempdir().unwrap();
    let part = PixelBox {
        columns: 20..70,
        rows: 10..61,
    };
    let whole = open(&picture(), folder.path());
    let cut = image::imageops::crop_imm(&picture(), 20, 10, 50, 51).to_image();
    let cut = open(&cut, folder.path());
    for aspect in [Aspect::Stretch, Aspect::Pad, Aspect::Crop] {
        for size in [16, 32, 64] {
            let spec = spec(size, aspect, Region::LungCrop { margin: 0.0 });
            let found = preprocess::grey_of_region(&whole, &spec, &mask(&part)).unwrap();
            let expected = preprocess::grey(&cut, &spec).unwrap();
            assert_eq!(found.pixels.len(), expected.pixels.len());
            for (f, e) in found.pixels.iter().zip(&expected.pixels) {
                assert!((f - e).abs() < 1e-5, "{aspect:?} {size}: {f} {e}");
            }
        }
    }
}

#[test]
fn a_masked_picture_is_black_outside_the_lungs_and_itself_inside() {
    let folder = tempfile::tempdir().unwrap();
    let part = PixelBox {
        columns: 20..70,
        rows: 10..60,
    };
    let image = open(&picture(), folder.path());
    let spec = spec(64, Aspect::Stretch, Region::LungMask);
    let masked = preprocess::grey_of_region(&image, &spec, &mask(&part)).unwrap();
    let whole = preprocess::grey(&image, &spec).unwrap();
    assert_eq!(masked.placement, whole.placement);
    let at = |x: usize, y: usize| (masked.pixels[y * 64 + x], whole.pixels[y * 64 + x]);
    assert_eq!(at(5, 5).0, 0.0);
    assert_eq!(at(60, 30).0, 0.0);
    let (inside, expected) = at(32, 32);
    assert!((inside - expected).abs() < 1e-6 && inside > 0.0);
    // Where no lung was found, everything is given.
    let empty = vec![0; WIDTH * HEIGHT];
    for region in [Region::LungMask, Region::LungCrop { margin: 0.1 }] {
        let spec = InputSpec { region, ..spec.clone() };
        assert_eq!(preprocess::grey_of_region(&image, &spec, &empty).unwrap(), whole);
    }
}

fn parts() -> impl Strategy<Value = (usize, usize, PixelBox)> {
    (2..900_usize, 2..900_usize).prop_flat_map(|(width, height)| {
        let range = |size: usize| (0..size).prop_flat_map(move |start| (Just(start), start + 1..=size));
        (Just(width), Just(height), range(width), range(height)).prop_map(|(width, height, (x0, x1), (y0, y1))| {
            let part = PixelBox {
                columns: x0..x1,
                rows: y0..y1,
            };
            (width, height, part)
        })
    })
}

proptest! {
    #[test]
    fn a_map_comes_back_to_its_part_and_is_0_elsewhere((width, height, part) in parts(), pads in any::<bool>(), size in 1..80_usize) {
        let aspect = if pads { Aspect::Pad } else { Aspect::Stretch };
        let placement = Placement::of_part(width, height, &part, &spec(size, aspect, Region::Full));
        prop_assert_eq!(placement.image_size(), (width, height));
        prop_assert_eq!(placement.seen(), (part.columns.clone(), part.rows.clone()));
        let values = placement.to_image(&vec![1.0; size * size]);
        for (i, value) in values.into_iter().enumerate() {
            let inside = part.columns.contains(&(i % width)) && part.rows.contains(&(i / width));
            prop_assert_eq!(value, f32::from(u8::from(inside)));
        }
        for (x, y) in [(part.columns.start, part.rows.start), (part.columns.end, part.rows.end)] {
            let (u, v) = placement.input_from_image((x as f64, y as f64));
            prop_assert!((-1e-9..=size as f64 + 1e-9).contains(&u) && (-1e-9..=size as f64 + 1e-9).contains(&v));
            let (x2, y2) = placement.image_from_input((u, v));
            prop_assert!((x as f64 - x2).abs() < 1e-9 && (y as f64 - y2).abs() < 1e-9);
        }
    }
}
