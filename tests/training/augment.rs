//! Augmentation against Keras.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use recovnet::training::augment::{Augmentation, Transform};

use crate::reference::{flat, json, numbers, tensors, within};

#[test]
fn golden_augmentation_is_keras() {
    let (Some(cases), Some(planes)) = (json("augment.json"), tensors("augment.safetensors")) else {
        return;
    };
    let cases = cases["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let number = |key: &str| case[key].as_f64().expect("a number");
        let transform = Transform {
            theta_deg: number("theta_deg"),
            tx: number("tx"),
            ty: number("ty"),
        };
        let key = case["key"].as_str().expect("a name");
        let source = &planes[case["src"].as_str().expect("a name")];
        let (height, width) = source.dims2().expect("a plane");
        let matrix = transform.matrix(height, width).concat();
        within(
            &matrix,
            &numbers(&case["matrix_out_to_in"])[..6],
            1e-9,
            &format!("{key} matrix"),
        );
        let plane: Vec<f32> = flat(source).iter().map(|&v| v as f32).collect();
        let found: Vec<f64> = transform
            .apply(&plane, height, width)
            .into_iter()
            .map(f64::from)
            .collect();
        within(&found, &flat(&planes[key]), 1e-3, key);
    }
}

proptest! {
    #[test]
    fn draws_stay_in_their_ranges(seed in any::<u64>(), height in 1..500_usize, width in 1..500_usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let drawn = Augmentation::PAPER.draw(height, width, &mut rng);
        prop_assert!(drawn.theta_deg.abs() <= 10.0);
        prop_assert!(drawn.tx.abs() <= 0.1 * height as f64 && drawn.ty.abs() <= 0.1 * width as f64);
    }

    #[test]
    fn a_mask_moves_with_its_picture(theta_deg in -10.0..10.0, tx in -6.0..6.0, ty in -6.0..6.0) {
        let transform = Transform { theta_deg, tx, ty };
        let mask: Vec<u8> = (0..64 * 64).map(|i| u8::from((i % 64) > 20 && (i / 64) < 40)).collect();
        let plane: Vec<f32> = mask.iter().map(|&p| f32::from(p)).collect();
        let warped = transform.apply(&plane, 64, 64);
        let moved = transform.apply_mask(&mask, 64, 64);
        prop_assert!(warped.iter().zip(&moved).all(|(&soft, &hard)| (soft >= 0.5) == (hard == 1)));
    }
}

#[test]
fn no_range_is_no_change() {
    let none = Augmentation {
        shift: 0.0,
        rotation_deg: 0.0,
    };
    let transform = none.draw(5, 7, &mut ChaCha8Rng::seed_from_u64(1));
    let plane: Vec<f32> = (0..35).map(|v| v as f32).collect();
    assert_eq!(transform.apply(&plane, 5, 7), plane);
}
