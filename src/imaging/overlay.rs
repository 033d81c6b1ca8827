//! Overlay planes: one-bit graphics that a file has beside its pixels (DICOM PS3.3 C.9.2, C.9.3). They are drawn on
//! the screen alone: display values, exports and networks never see them.

use std::sync::Arc;

/// Overlay Type (60xx,0040).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayType {
    /// `G`: lines and texts.
    Graphics,
    /// `R`: the pixels of a region of interest.
    Region,
}

/// One overlay plane of the frame that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayPlane {
    /// Its repeating group, even, 0x6000 to 0x601E.
    pub group: u16,
    /// Graphics or a region.
    pub kind: OverlayType,
    /// Overlay Subtype (60xx,0045), such as `USER` or `AUTOMATED`.
    pub subtype: Option<String>,
    /// Overlay Label (60xx,1500).
    pub label: Option<String>,
    /// Overlay Description (60xx,0022).
    pub description: Option<String>,
    /// Row and column of the picture under the plane's first pixel, counted from 1; may lie outside the picture.
    pub origin: [i32; 2],
    /// Rows of the plane, at least 1.
    pub rows: u32,
    /// Columns of the plane, at least 1.
    pub columns: u32,
    /// Whether it was stored in unused bits of the pixels, as old files do.
    pub in_pixels: bool,
    /// `rows * columns` bits, row-major, the first pixel in the lowest bit of the first byte; zeros behind the last.
    pub bits: Arc<[u8]>,
}

/// Most characters of a plane's name, which are those that a label may have (VR LO).
const MOST_CHARACTERS: usize = 64;

impl OverlayPlane {
    /// What the file calls it: its label, else its description. For the screen alone, as people write names there.
    pub fn name(&self) -> Option<String> {
        let texts = [&self.label, &self.description].into_iter().flatten();
        let text = texts.map(|text| text.trim()).find(|text| !text.is_empty())?;
        Some(text.chars().take(MOST_CHARACTERS).collect())
    }

    /// Whether it sets a pixel of the picture, row and column from 0.
    pub fn sets(&self, row: u32, column: u32) -> bool {
        // Up to the difference of an `i32` and a `u32`, which an `i64` has room for.
        let within = |at: u32, origin: i32| u32::try_from(i64::from(at) + 1 - i64::from(origin));
        match (within(row, self.origin[0]), within(column, self.origin[1])) {
            (Ok(row), Ok(column)) => self.is_set(row, column),
            _ => false,
        }
    }

    /// Whether a pixel of the plane is set; row and column count from 0, and none is set outside.
    pub fn is_set(&self, row: u32, column: u32) -> bool {
        let bit = u64::from(row) * u64::from(self.columns) + u64::from(column);
        let byte = usize::try_from(bit / 8).ok().and_then(|at| self.bits.get(at));
        row < self.rows && column < self.columns && byte.is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// Number of pixels set, those outside the picture included.
    pub fn set_pixels(&self) -> u64 {
        self.bits.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Sets the bits of `mark` in those of the `size` (columns, rows) pixels of a picture that the plane sets; returns
    /// whether there are any.
    pub fn mark(&self, size: [u32; 2], pixels: &mut [u8], mark: u8) -> bool {
        let [width, height] = size;
        // First and last + 1 row or column of the plane that lies on the picture.
        let within = |origin: i32, count: u32, side: u32| {
            let before = i64::from(origin) - 1;
            let first = (-before).clamp(0, i64::from(count));
            let end = (i64::from(side) - before).clamp(first, i64::from(count));
            (before, first as u32..end as u32)
        };
        let (above, rows) = within(self.origin[0], self.rows, height);
        let (beside, columns) = within(self.origin[1], self.columns, width);
        let mut marks = false;
        for row in rows {
            let start = (i64::from(row) + above) * i64::from(width) + beside;
            for column in columns.clone() {
                if self.is_set(row, column)
                    && let Some(pixel) = pixels.get_mut((start + i64::from(column)) as usize)
                {
                    *pixel |= mark;
                    marks = true;
                }
            }
        }
        marks
    }
}
