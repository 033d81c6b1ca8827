//! Ranges taken from the values of a frame, for files that bring no window of their own. Knows no look-ups.

use rayon::prelude::*;

use super::radiograph::StoredValues;

/// Share of the pixels cut off at either end of a robust range.
const CUT: f64 = 0.005;
/// Pixels that are counted together: enough to repay the clearing of the counts.
const SHARE: usize = 1 << 20;

/// How often each stored value occurs in a frame.
pub(super) struct Histogram {
    /// Count per sample of [`StoredValues::values`].
    counts: Vec<u64>,
    offset: i32,
    total: u64,
}

impl Histogram {
    /// Counts the pixels that are not padding; all of them if nothing else is there.
    pub(super) fn new(stored: &StoredValues, padding: Option<(i32, i32)>) -> Self {
        let none = || vec![0_u64; 1 << 16];
        let shares = stored.values.par_chunks(SHARE).fold(none, |mut counts, share| {
            for &sample in share {
                counts[usize::from(sample)] += 1;
            }
            counts
        });
        let counts = shares.reduce(none, |mut sum, counts| {
            sum.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
            sum
        });
        let total = stored.values.len() as u64;
        let whole = Self {
            counts,
            offset: stored.offset,
            total,
        };
        padding.and_then(|range| whole.without(range)).unwrap_or(whole)
    }

    /// The same without the values of `range`, unless nothing is left.
    fn without(&self, (low, high): (i32, i32)) -> Option<Self> {
        let mut counts = self.counts.clone();
        for (sample, count) in counts.iter_mut().enumerate() {
            if (low..=high).contains(&(sample as i32 + self.offset)) {
                *count = 0;
            }
        }
        let total = counts.iter().sum();
        (total > 0).then_some(Self {
            counts,
            offset: self.offset,
            total,
        })
    }

    /// Smallest and largest stored value.
    pub(super) fn range(&self) -> (i32, i32) {
        (self.value_at(0), self.value_at(self.total.saturating_sub(1)))
    }

    /// Stored values at the 0.5th and the 99.5th percentile; the whole range where these coincide.
    pub(super) fn robust_range(&self) -> (i32, i32) {
        let cut = (self.total as f64 * CUT) as u64;
        let low = self.value_at(cut);
        let high = self.value_at(self.total.saturating_sub(1 + cut));
        if low < high { (low, high) } else { self.range() }
    }

    /// Stored value of the pixel with this rank in ascending order, counted from 0.
    fn value_at(&self, rank: u64) -> i32 {
        let mut below = 0;
        for (sample, &count) in self.counts.iter().enumerate() {
            below += count;
            if below > rank {
                return sample as i32 + self.offset;
            }
        }
        self.offset
    }
}
