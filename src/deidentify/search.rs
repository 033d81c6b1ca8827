//! The frames of a file, searched for text in their pixels.

use std::path::Path;

use super::Masking;
use super::burned_in::{self, Detection, Region};
use crate::imaging::tree::Node;
use crate::imaging::{self, Radiograph, Samples};

/// Most frames of a file that are searched.
const MOST_FRAMES: u32 = 4096;

/// Text in a picture: searched in the full range of its samples, where text is at an end, and as it is shown at first.
pub fn search(radiograph: &Radiograph) -> Vec<Detection> {
    let width = radiograph.width as usize;
    let shown = radiograph.display(&radiograph.default_voi());
    let shown: Vec<u8> = if radiograph.is_colour() {
        let luma =
            |&[red, green, blue]: &[u8; 3]| ((u32::from(red) + 2 * u32::from(green) + u32::from(blue)) / 4) as u8;
        shown.as_chunks::<3>().0.iter().map(luma).collect()
    } else {
        shown
    };
    let mut found = burned_in::detect(&shown, width);
    if let Some(whole) = full_range(radiograph) {
        found.extend(burned_in::detect(&whole, width));
    }
    burned_in::merged(found)
}

/// The samples from darkest to brightest as 0 to 255; `None` for colours, which have no other range than they show.
fn full_range(radiograph: &Radiograph) -> Option<Vec<u8>> {
    let level = |value: f64, low: f64, high: f64| ((value - low) / (high - low).max(f64::MIN_POSITIVE) * 255.0) as u8;
    match &radiograph.samples {
        Samples::Grey(stored) => {
            let low = f64::from(stored.values.iter().copied().min()?);
            let high = f64::from(stored.values.iter().copied().max()?);
            let table: Vec<u8> = (0..=high as u16)
                .map(|sample| level(f64::from(sample), low, high))
                .collect();
            Some(stored.values.iter().map(|&sample| table[usize::from(sample)]).collect())
        }
        Samples::Wide(wide) => {
            let (low, high) = wide.finite_range();
            Some(wide.values.iter().map(|&value| level(value, low, high)).collect())
        }
        Samples::Colour(_) => None,
    }
}

/// What a search found.
pub(super) struct Looked {
    /// Text in the frames.
    pub detections: Vec<Detection>,
    /// Every frame was searched.
    pub is_complete: bool,
}

/// Text in every frame of a file, if that is wanted; says which frames were not searched.
pub(super) fn wanted(
    path: &Path,
    bytes: &[u8],
    nodes: &[Node],
    masking: &Masking,
    warnings: &mut Vec<String>,
) -> Looked {
    let mut looked = Looked {
        detections: Vec::new(),
        is_complete: false,
    };
    let has_pixels = nodes.iter().any(|node| node.tag.0 == 0x7fe0);
    if !has_pixels || *masking == Masking::None {
        return looked;
    }
    let Ok(first) = imaging::decode(path, bytes) else {
        warnings.push("Its pixels could not be decoded, so that no text was looked for in them.".to_owned());
        return looked;
    };
    let mut found = search(&first);
    let frames = first.frames;
    let mut searched = 1;
    for frame in 2..=frames.min(MOST_FRAMES) {
        if let Ok(radiograph) = imaging::decode_frame(path, bytes, frame) {
            found.extend(search(&radiograph));
            searched += 1;
        }
    }
    if searched < frames {
        let left = frames - searched;
        warnings.push(format!("{left} of its {frames} frames were not searched for text."));
    }
    looked.detections = burned_in::merged(found);
    looked.is_complete = searched == frames;
    looked
}

/// Whether rectangles cover what was found, less its margin: a rectangle drawn close around a text will do.
pub(super) fn is_covered(found: Region, by: &[Region]) -> bool {
    // The margin is a third of a character, a fifth of a line with its two margins.
    let margin = found.width.min(found.height) / 5;
    let inner = Region {
        x: found.x + margin,
        y: found.y + margin,
        width: found.width - 2 * margin,
        height: found.height - 2 * margin,
    };
    is_inside(inner, by)
}

fn is_inside(region: Region, by: &[Region]) -> bool {
    let Some((first, rest)) = by.split_first() else {
        return region.width == 0 || region.height == 0;
    };
    let (right, bottom) = (region.x + region.width, region.y + region.height);
    let clamp_x = |x: u32| x.clamp(region.x, right);
    let clamp_y = |y: u32| y.clamp(region.y, bottom);
    let (left, end) = (clamp_x(first.x), clamp_x(first.x.saturating_add(first.width)));
    let (top, low) = (clamp_y(first.y), clamp_y(first.y.saturating_add(first.height)));
    if left == end || top == low {
        return is_inside(region, rest);
    }
    let part = |x: u32, y: u32, right: u32, bottom: u32| Region {
        x,
        y,
        width: right - x,
        height: bottom - y,
    };
    let around = [
        part(region.x, region.y, right, top),
        part(region.x, low, right, bottom),
        part(region.x, top, left, low),
        part(end, top, right, low),
    ];
    around
        .into_iter()
        .filter(|part| part.width > 0 && part.height > 0)
        .all(|part| is_inside(part, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(x: u32, y: u32, width: u32, height: u32) -> Region {
        Region { x, y, width, height }
    }

    #[test]
    fn rectangles_cover_together_what_none_covers_alone() {
        let text = region(10, 10, 100, 20);
        assert!(is_covered(text, &[text]));
        assert!(is_covered(text, &[region(14, 14, 92, 12)]));
        assert!(is_covered(text, &[region(0, 0, 60, 50), region(60, 12, 200, 30)]));
        assert!(!is_covered(text, &[region(0, 0, 60, 50), region(61, 12, 200, 30)]));
        assert!(!is_covered(text, &[region(10, 10, 100, 10)]));
        assert!(!is_covered(text, &[]));
        assert!(is_covered(text, &[region(0, 0, u32::MAX, u32::MAX)]));
    }
}
