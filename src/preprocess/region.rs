//! Where the lungs lie in a picture. Knows a mask and nothing of who made it.

use std::ops::Range;

use super::PixelBox;

/// Share of the mask's pixels that may lie beyond each side of the box: a speck somewhere else does not widen it.
const SPECKS: f64 = 0.005;

/// The box around a mask (row-major, 0 is outside) with a margin at every side, as a share of its width or height, as
/// far as the picture reaches; `None` where the mask is empty.
pub fn lung_box(mask: &[u8], width: usize, margin: f64) -> Option<PixelBox> {
    let mut columns = vec![0_u64; width];
    let mut rows = Vec::new();
    for line in mask.chunks_exact(width.max(1)) {
        let mut count = 0;
        for (column, &pixel) in columns.iter_mut().zip(line) {
            let inside = u64::from(pixel != 0);
            *column += inside;
            count += inside;
        }
        rows.push(count);
    }
    Some(PixelBox {
        columns: widened(&extent(&columns)?, margin, columns.len()),
        rows: widened(&extent(&rows)?, margin, rows.len()),
    })
}

/// First and last line that count, but for the specks at either end.
fn extent(counts: &[u64]) -> Option<Range<usize>> {
    let all: u64 = counts.iter().sum();
    let spare = (all as f64 * SPECKS) as u64;
    let first = reached(counts, spare, 0..counts.len())?;
    let last = reached(counts, spare, (0..counts.len()).rev())?;
    Some(first..last + 1)
}

/// The line at which more than the spare pixels were passed.
fn reached(counts: &[u64], spare: u64, mut lines: impl Iterator<Item = usize>) -> Option<usize> {
    let mut passed = 0;
    lines.find(|&line| {
        passed += counts[line];
        passed > spare
    })
}

fn widened(range: &Range<usize>, margin: f64, size: usize) -> Range<usize> {
    let more = (range.len() as f64 * margin).round() as usize;
    range.start.saturating_sub(more)..(range.end + more).min(size)
}
