//! Properties of the greyscale pipeline.

use proptest::prelude::*;
use recovnet::imaging::lut::{self, ModalityLut, Polarity, VoiLutFunction, VoiTable, VoiTransform, Window};

fn function() -> impl Strategy<Value = VoiLutFunction> {
    prop_oneof![
        Just(VoiLutFunction::Linear),
        Just(VoiLutFunction::LinearExact),
        Just(VoiLutFunction::Sigmoid)
    ]
}

fn window() -> impl Strategy<Value = VoiTransform> {
    (-40_000.0..40_000.0, 1.0..80_000.0, function()).prop_map(|(center, width, function)| {
        VoiTransform::Window(Window {
            center,
            width,
            function,
        })
    })
}

fn table() -> impl Strategy<Value = VoiTransform> {
    (
        -40_000..40_000_i32,
        1..=16_u8,
        prop::collection::vec(0..=u16::MAX, 1..100),
    )
        .prop_map(|(first, bits, entries)| {
            let largest = entries.iter().copied().max().unwrap_or(0);
            let white = largest.max(((1_u32 << bits) - 1) as u16);
            VoiTransform::Table(VoiTable {
                first,
                bits,
                white,
                entries: entries.into(),
            })
        })
}

proptest! {
    #[test]
    fn display_stays_in_bounds(
        stored in -65_536..65_536_i32,
        slope in prop_oneof![-50.0..-0.001, 0.001..50.0],
        intercept in -5000.0..5000.0,
        voi in prop_oneof![window(), table()],
    ) {
        let modality = ModalityLut::linear(slope, intercept);
        let normal = lut::display_value(stored, &modality, &voi, Polarity::Normal);
        let inverse = lut::display_value(stored, &modality, &voi, Polarity::Inverse);
        prop_assert!((0.0..=1.0).contains(&normal));
        prop_assert!((normal + inverse - 1.0).abs() < 1e-12);
        prop_assert!(i32::from(lut::to_eight_bit(normal)) + i32::from(lut::to_eight_bit(inverse)) - 255 <= 1);
    }

    #[test]
    fn windows_never_fall(voi in window(), a in -70_000.0..70_000.0, b in -70_000.0..70_000.0) {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        prop_assert!(voi.apply(low) <= voi.apply(high));
    }

    #[test]
    fn linear_windows_follow_the_standard(center in -2000.0..2000.0_f64, width in 2.0..4000.0_f64, t in -1.0..2.0_f64) {
        let value = center - width / 2.0 + t * width;
        let exact = Window { center, width, function: VoiLutFunction::LinearExact }.apply(value);
        prop_assert!((exact - ((value - center) / width + 0.5).clamp(0.0, 1.0)).abs() < 1e-9);
        let linear = Window { center, width, function: VoiLutFunction::Linear }.apply(value);
        let formula = (value - (center - 0.5)) / (width - 1.0) + 0.5;
        prop_assert!((linear - formula.clamp(0.0, 1.0)).abs() < 1e-9);
    }

    #[test]
    fn spanning_windows_reach_both_ends(black in -40_000..40_000_i32, width in 1..70_000_i32) {
        let (black, white) = (f64::from(black), f64::from(black + width));
        let window = Window::spanning(black, white);
        prop_assert_eq!(window.apply(black), 0.0);
        prop_assert!((window.apply(white) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn tables_clamp_at_both_ends(voi in table()) {
        let VoiTransform::Table(table) = &voi else { unreachable!("the strategy makes tables") };
        let first = f64::from(table.entries[0]) / f64::from(table.white.max(1));
        prop_assert_eq!(voi.apply(f64::from(table.first) - 1e9), first.min(1.0));
        let last = f64::from(*table.entries.last().expect("not empty")) / f64::from(table.white.max(1));
        prop_assert_eq!(voi.apply(f64::from(table.first) + 1e9), last.min(1.0));
    }
}

#[test]
fn eight_bit_rounds_half_up() {
    assert_eq!(lut::to_eight_bit(0.5 / 255.0), 1);
    assert_eq!(lut::to_eight_bit(0.499_999 / 255.0), 0);
    assert_eq!(lut::to_eight_bit(1.0), 255);
    assert_eq!(lut::to_eight_bit(-3.0), 0);
    assert_eq!(lut::to_eight_bit(7.0), 255);
}
