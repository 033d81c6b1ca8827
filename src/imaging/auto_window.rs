//! Ranges taken from the values of a frame, for files that bring no window of their own. Knows no look-ups.

use rayon::prelude::*;

use super::radiograph::{Samples, StoredValues, WideValues, range_of};

/// Share of the pixels cut off at either end of a robust range.
const CUT: f64 = 0.005;
/// Pixels that are counted together: enough to repay the clearing of the counts.
const SHARE: usize = 1 << 20;

/// Smallest and largest stored value that is not padding; `None` for colours.
pub(super) fn full_range(samples: &Samples, padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match samples {
        Samples::Grey(stored) => Some(Histogram::new(stored, padding).range()),
        Samples::Wide(wide) => Some(range_of(picture_values(wide, padding))),
        Samples::Colour(_) => None,
    }
}

/// Stored values at the 0.5th and the 99.5th percentile of those that are not padding, the whole range where these
/// coincide; `None` for colours.
pub(super) fn robust_range(samples: &Samples, padding: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match samples {
        Samples::Grey(stored) => Some(Histogram::new(stored, padding).robust_range()),
        Samples::Wide(wide) => {
            let mut values = picture_values(wide, padding);
            let last = values.len().saturating_sub(1);
            let cut = (values.len() as f64 * CUT) as usize;
            let mut at =
                |rank: usize| (!values.is_empty()).then(|| *values.select_nth_unstable_by(rank, f64::total_cmp).1);
            match (at(cut.min(last)), at(last.saturating_sub(cut))) {
                (Some(low), Some(high)) if low < high => Some((low, high)),
                _ => full_range(samples, padding),
            }
        }
        Samples::Colour(_) => None,
    }
}

/// The finite values that are not padding; all finite ones if nothing else is there.
fn picture_values(wide: &WideValues, padding: Option<(f64, f64)>) -> Vec<f64> {
    let finite = || wide.values.iter().copied().filter(|value| value.is_finite());
    let is_picture = |value: &f64| !padding.is_some_and(|(low, high)| (low..=high).contains(value));
    let values: Vec<f64> = finite().filter(is_picture).collect();
    if values.is_empty() { finite().collect() } else { values }
}

/// How often each stored value occurs in a frame.
struct Histogram {
    /// Count per sample of [`StoredValues::values`].
    counts: Vec<u64>,
    offset: i32,
    total: u64,
}

impl Histogram {
    /// Counts the pixels that are not padding; all of them if nothing else is there.
    fn new(stored: &StoredValues, padding: Option<(f64, f64)>) -> Self {
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
    fn without(&self, (low, high): (f64, f64)) -> Option<Self> {
        let mut counts = self.counts.clone();
        for (sample, count) in counts.iter_mut().enumerate() {
            if (low..=high).contains(&f64::from(sample as i32 + self.offset)) {
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
    fn range(&self) -> (f64, f64) {
        (self.value_at(0), self.value_at(self.total.saturating_sub(1)))
    }

    /// Stored values at the 0.5th and the 99.5th percentile; the whole range where these coincide.
    fn robust_range(&self) -> (f64, f64) {
        let cut = (self.total as f64 * CUT) as u64;
        let low = self.value_at(cut);
        let high = self.value_at(self.total.saturating_sub(1 + cut));
        if low < high { (low, high) } else { self.range() }
    }

    /// Stored value of the pixel with this rank in ascending order, counted from 0.
    fn value_at(&self, rank: u64) -> f64 {
        let mut below = 0;
        for (sample, &count) in self.counts.iter().enumerate() {
            below += count;
            if below > rank {
                return f64::from(sample as i32 + self.offset);
            }
        }
        f64::from(self.offset)
    }
}
