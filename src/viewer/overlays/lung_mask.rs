//! Lung labels of a mask, for two hues: the shader draws fill and contour from them.

use crate::findings::{Lungs, Mask};

/// Not lung.
pub const OUTSIDE: u8 = 0;
/// The patient's right lung.
pub const RIGHT: u8 = 1;
/// The patient's left lung.
pub const LEFT: u8 = 2;
/// Lungs that were not told apart, or a component that is neither of the two.
pub const OTHER: u8 = 3;

struct Component {
    label: u8,
    area: usize,
    sum_x: u64,
}

/// Labels the pixels of a mask, row-major.
///
/// Only where the findings tell two lungs apart do the two largest components get sides, the one further left in
/// the picture being the right lung.
pub fn labels(mask: &Mask, lungs: &Lungs) -> Vec<u8> {
    let mut labels: Vec<u8> = mask
        .pixels
        .iter()
        .map(|&pixel| if pixel == 0 { OUTSIDE } else { OTHER })
        .collect();
    if !matches!(lungs, Lungs::Pair { .. }) || mask.width == 0 {
        return labels;
    }
    let (ids, mut components) = components(mask);
    let mut order: Vec<usize> = (0..components.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(components[index].area));
    let [first, second, ..] = order[..] else { return labels };
    let column = |index: usize| components[index].sum_x as f64 / components[index].area as f64;
    let (right, left) = if column(first) <= column(second) {
        (first, second)
    } else {
        (second, first)
    };
    components[right].label = RIGHT;
    components[left].label = LEFT;
    for (label, &id) in labels.iter_mut().zip(&ids) {
        if id != 0 {
            *label = components[id as usize - 1].label;
        }
    }
    labels
}

/// Number of the 4-connected component of each pixel, from 1, and what is known of each: the components that the
/// findings were told apart by.
fn components(mask: &Mask) -> (Vec<u32>, Vec<Component>) {
    let (width, height) = (mask.width as usize, mask.height as usize);
    let mut ids = vec![0_u32; mask.pixels.len()];
    let mut components = Vec::new();
    let mut open = Vec::new();
    for seed in 0..mask.pixels.len() {
        if mask.pixels[seed] == 0 || ids[seed] != 0 {
            continue;
        }
        let id = components.len() as u32 + 1;
        let mut component = Component {
            label: OTHER,
            area: 0,
            sum_x: 0,
        };
        ids[seed] = id;
        open.push(seed);
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            component.area += 1;
            component.sum_x += x as u64;
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then_some(at + 1),
                (y > 0).then(|| at - width),
                (y + 1 < height).then_some(at + width),
            ];
            for neighbour in beside.into_iter().flatten() {
                if mask.pixels[neighbour] != 0 && ids[neighbour] == 0 {
                    ids[neighbour] = id;
                    open.push(neighbour);
                }
            }
        }
        components.push(component);
    }
    (ids, components)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Lung;

    fn mask(rows: &[&str]) -> Mask {
        Mask {
            width: rows[0].len() as u32,
            height: rows.len() as u32,
            pixels: rows
                .iter()
                .flat_map(|row| row.bytes().map(|byte| u8::from(byte == b'#')))
                .collect(),
        }
    }

    fn lung() -> Lung {
        Lung {
            area_px: 1,
            centroid: (0.0, 0.0),
        }
    }

    #[test]
    fn the_two_largest_components_get_sides() {
        let mask = mask(&["..##.#", "..##..", "#.....", "##..##"]);
        let pair = Lungs::Pair {
            right: lung(),
            left: lung(),
        };
        let expected = [0, 0, 2, 2, 0, 3, 0, 0, 2, 2, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 3, 3];
        assert_eq!(labels(&mask, &pair), expected);
    }

    /// Pixels that touch at a corner only belong to different components, here as in the findings.
    #[test]
    fn sides_cover_the_areas_of_the_findings() {
        let mask = mask(&["##.#...", "##.##..", "..##.##", "#....##", ".##..##"]);
        let lungs = crate::inference::components::lungs(&mask);
        let Lungs::Pair { right, left } = &lungs else {
            panic!("{lungs:?}")
        };
        let labels = labels(&mask, &lungs);
        let count = |side: u8| labels.iter().map(|&label| u64::from(label == side)).sum::<u64>();
        assert_eq!((count(RIGHT), count(LEFT)), (right.area_px, left.area_px));
    }

    #[test]
    fn a_merged_component_has_no_side() {
        let mask = mask(&[".##.", "####"]);
        assert_eq!(labels(&mask, &Lungs::Merged(lung())), [0, 3, 3, 0, 3, 3, 3, 3]);
    }
}
