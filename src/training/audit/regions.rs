//! What of a picture a classifier is shown. Knows no networks.

use serde::{Deserialize, Serialize};

/// A part of the picture; the rest is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// The whole picture.
    Full,
    /// The lungs and nothing else.
    LungsOnly,
    /// Everything but the lungs.
    LungsRemoved,
    /// What lies outside the smallest upright rectangle around the lungs: rim, shoulders, markers, belly.
    BorderOnly,
}

impl Region {
    /// Every region, in the order of the reports.
    pub const ALL: [Self; 4] = [Self::Full, Self::LungsOnly, Self::LungsRemoved, Self::BorderOnly];

    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::LungsOnly => "lungs_only",
            Self::LungsRemoved => "lungs_removed",
            Self::BorderOnly => "border_only",
        }
    }

    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Full => "whole images",
            Self::LungsOnly => "lungs only",
            Self::LungsRemoved => "lungs removed",
            Self::BorderOnly => "border only",
        }
    }
}

/// A grey plane (row-major, `width` columns) with everything outside a region filled with the mean grey of what is
/// kept; `mask` is not 0 inside the lungs. `None` where nothing is left to show: no lung, or no border around them.
///
/// The mean of the whole picture would be no neutral fill: with the lungs removed it would still tell how bright they
/// were.
///
/// # Panics
/// If plane and mask differ in size or do not hold whole rows.
pub fn cover(plane: &[f32], mask: &[u8], width: usize, region: Region) -> Option<Vec<f32>> {
    assert!(
        plane.len() == mask.len() && width > 0 && mask.len().is_multiple_of(width),
        "a mask of the plane's size"
    );
    if region == Region::Full {
        return Some(plane.to_vec());
    }
    let (columns, rows) = bounding_box(mask, width)?;
    let kept = |i: usize| match region {
        Region::Full => true,
        Region::LungsOnly => mask[i] != 0,
        Region::LungsRemoved => mask[i] == 0,
        Region::BorderOnly => !(columns.contains(&(i % width)) && rows.contains(&(i / width))),
    };
    let (sum, count) = (0..plane.len())
        .filter(|&i| kept(i))
        .fold((0.0, 0_usize), |(sum, count), i| (sum + f64::from(plane[i]), count + 1));
    if count == 0 {
        return None;
    }
    let fill = (sum / count as f64) as f32;
    let pixel = |(i, &grey): (usize, &f32)| if kept(i) { grey } else { fill };
    Some(plane.iter().enumerate().map(pixel).collect())
}

/// Columns and rows of the smallest upright rectangle around a mask; `None` if it is empty.
fn bounding_box(mask: &[u8], width: usize) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let inside = || (0..mask.len()).filter(|&i| mask[i] != 0);
    let columns = inside().map(|i| i % width).min()?..inside().map(|i| i % width).max()? + 1;
    let rows = inside().map(|i| i / width).min()?..inside().map(|i| i / width).max()? + 1;
    Some((columns, rows))
}
