//! Which components of a mask are taken as lungs.

use proptest::prelude::*;
use recovnet::findings::{Lung, Lungs, Mask};
use recovnet::inference::components::lungs;

/// A mask drawn with characters: `#` is inside.
fn mask(rows: &[&str]) -> Mask {
    let pixels = rows
        .iter()
        .flat_map(|row| row.bytes().map(|byte| u8::from(byte == b'#')))
        .collect();
    Mask {
        width: rows[0].len() as u32,
        height: rows.len() as u32,
        pixels,
    }
}

#[test]
fn an_empty_mask_has_no_lung() {
    assert_eq!(lungs(&mask(&["....", "...."])), Lungs::None);
}

#[test]
fn the_two_largest_components_are_the_lungs_right_first() {
    let found = lungs(&mask(&[
        "........##", //
        ".##.....##",
        ".##.....##",
        "......#...",
    ]));
    let right = Lung {
        area_px: 4,
        centroid: (1.5, 1.5),
    };
    let left = Lung {
        area_px: 6,
        centroid: (8.5, 1.0),
    };
    assert_eq!(found, Lungs::Pair { right, left });
}

#[test]
fn one_component_is_shown_as_one() {
    let found = lungs(&mask(&[
        "##..##", //
        "######", "##..##",
    ]));
    assert_eq!(
        found,
        Lungs::Merged(Lung {
            area_px: 14,
            centroid: (2.5, 1.0)
        })
    );
}

#[test]
fn a_speck_is_no_lung() {
    let found = lungs(&mask(&[
        "##########..", //
        "##########.#",
        "##########..",
    ]));
    assert_eq!(
        found,
        Lungs::Merged(Lung {
            area_px: 30,
            centroid: (4.5, 1.0)
        })
    );
}

#[test]
fn corners_do_not_join_components() {
    let found = lungs(&mask(&[
        "##..", //
        "##..", "..##", "..##",
    ]));
    assert!(matches!(found, Lungs::Pair { .. }), "{found:?}");
}

#[test]
fn branches_that_meet_below_are_one_component() {
    let found = lungs(&mask(&[
        "#.#.#", //
        "#.#.#", "#.###", "###..",
    ]));
    assert_eq!(
        found,
        Lungs::Merged(Lung {
            area_px: 13,
            centroid: (24.0 / 13.0, 20.0 / 13.0)
        })
    );
}

/// Areas of the 4-connected components by flood fill, largest first.
fn flooded(mask: &Mask) -> Vec<u64> {
    let (width, height) = (mask.width as usize, mask.height as usize);
    let mut left: Vec<bool> = mask.pixels.iter().map(|&pixel| pixel != 0).collect();
    let mut areas = Vec::new();
    for start in 0..left.len() {
        let (mut stack, mut area) = (vec![start], 0);
        while let Some(index) = stack.pop() {
            if !std::mem::take(&mut left[index]) {
                continue;
            }
            area += 1;
            let (x, y) = (index % width, index / width);
            stack.extend((x > 0).then(|| index - 1));
            stack.extend((x + 1 < width).then(|| index + 1));
            stack.extend((y > 0).then(|| index - width));
            stack.extend((y + 1 < height).then(|| index + width));
        }
        areas.push(area);
    }
    areas.retain(|&area| area > 0);
    areas.sort_unstable_by(|a, b| b.cmp(a));
    areas
}

proptest! {
    #[test]
    fn areas_agree_with_a_flood_fill(
        (width, pixels) in (1_u32..12).prop_flat_map(|width| {
            let rows = 1..12_usize;
            let pixels = rows.prop_flat_map(move |rows| {
                proptest::collection::vec(0_u8..2, rows * width as usize)
            });
            (Just(width), pixels)
        })
    ) {
        let height = pixels.len() as u32 / width;
        let mask = Mask { width, height, pixels };
        let areas = flooded(&mask);
        match lungs(&mask) {
            Lungs::None => prop_assert!(areas.is_empty()),
            Lungs::Merged(lung) => {
                prop_assert_eq!(lung.area_px, areas[0]);
                prop_assert!(areas.len() == 1 || areas[1] * 10 < areas[0]);
            }
            Lungs::Pair { right, left } => {
                let mut found = [right.area_px, left.area_px];
                found.sort_unstable_by(|a, b| b.cmp(a));
                prop_assert_eq!(&found[..], &areas[..2]);
                prop_assert!(right.centroid.0 <= left.centroid.0);
            }
        }
    }
}
