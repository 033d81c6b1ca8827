//! Metrics of scores and masks with their intervals. Undefined is `None`, never 0 or 1. Knows no networks.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::evaluation::ScoreTable;

/// 97.5th percentile of the normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Counts of decisions against truth; positive is COVID-19, or lung.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// True negatives.
    pub tn: u64,
    /// False positives.
    pub fp: u64,
    /// False negatives.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// True positives.
    pub tp: u64,
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole != 0.0).then(|| part / whole)
}

impl std::ops::AddAssign for Confusion {
    fn add_assign(&mut self, more: Self) {
        self.tn += more.tn;
        self.fp += more.fp;
        self.fn_ += more.fn_;
        self.tp += more.tp;
    }
}

impl Confusion {
    /// Counts decisions against truth, pair by pair.
    pub fn count(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for (decision, truth) in pairs {
            *match (decision, truth) {
                (false, false) => &mut counts.tn,
                (true, false) => &mut counts.fp,
                (false, true) => &mut counts.fn_,
                (true, true) => &mut counts.tp,
            } += 1;
        }
        counts
    }

    /// Counts of scores against a threshold; a score at the threshold is positive.
    pub fn at(threshold: f64, scores: &[f64], truth: &[bool]) -> Self {
        Self::count(
            scores
                .iter()
                .zip(truth)
                .map(|(&score, &positive)| (score >= threshold, positive)),
        )
    }

    /// Counts of a mask against the true one, pixel by pixel (0 is outside).
    pub fn of_masks(mask: &[u8], truth: &[u8]) -> Self {
        Self::count(mask.iter().zip(truth).map(|(&m, &t)| (m != 0, t != 0)))
    }

    /// Share of positives found (recall).
    pub fn sensitivity(&self) -> Option<f64> {
        ratio(self.tp as f64, (self.tp + self.fn_) as f64)
    }

    /// Share of negatives left alone.
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.tn as f64, (self.tn + self.fp) as f64)
    }

    /// Share of positive decisions that are right.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.tp as f64, (self.tp + self.fp) as f64)
    }

    /// Share of negative decisions that are right.
    pub fn npv(&self) -> Option<f64> {
        ratio(self.tn as f64, (self.tn + self.fn_) as f64)
    }

    /// Share of right decisions.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(
            (self.tp + self.tn) as f64,
            (self.tn + self.fp + self.fn_ + self.tp) as f64,
        )
    }

    /// Mean of sensitivity and specificity.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some(f64::midpoint(self.sensitivity()?, self.specificity()?))
    }

    /// F-score that weighs sensitivity `beta` times as much as precision.
    pub fn f_score(&self, beta: f64) -> Option<f64> {
        let (weight, tp) = (beta * beta, self.tp as f64);
        let part = (1.0 + weight) * tp;
        ratio(part, part + weight * self.fn_ as f64 + self.fp as f64)
    }

    /// Dice coefficient of a mask: the F1 of its pixels; undefined where both masks are empty.
    pub fn dice(&self) -> Option<f64> {
        self.f_score(1.0)
    }

    /// Intersection over union of a mask; undefined where both masks are empty.
    pub fn iou(&self) -> Option<f64> {
        ratio(self.tp as f64, (self.tp + self.fp + self.fn_) as f64)
    }
}

/// Wilson's 95 % interval of a proportion of `k` in `n`; undefined for `n` = 0.
pub fn wilson(k: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (share, n, zz) = (k as f64 / n as f64, n as f64, Z95 * Z95);
    let width = 1.0 + zz / n;
    let center = (share + zz / (2.0 * n)) / width;
    let half = Z95 * (share * (1.0 - share) / n + zz / (4.0 * n * n)).sqrt() / width;
    Some(Interval {
        low: (center - half).max(0.0),
        high: (center + half).min(1.0),
    })
}

/// Area under the ROC curve: the chance that a positive scores above a negative, ties counting half. Undefined
/// where one class is missing or a score is not a number.
///
/// # Panics
/// If there is not one truth per score.
pub fn roc_auc(scores: &[f64], truth: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), truth.len(), "one truth per score");
    if scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(truth.iter().copied()).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins) = (0_u64, 0.0);
    for ties in order.chunk_by(|a, b| a.0 == b.0) {
        let positives = ties.iter().filter(|(_, positive)| *positive).count() as u64;
        let negatives = ties.len() as u64 - positives;
        wins += positives as f64 * (below as f64 + negatives as f64 / 2.0);
        below += negatives;
    }
    let positives = truth.len() as u64 - below;
    ratio(wins, positives as f64 * below as f64)
}

/// Threshold with the largest Youden index (sensitivity + specificity - 1), half-way to the next lower score so
/// that it does not sit on one; undefined where one class is missing.
///
/// # Panics
/// If there is not one truth per score.
pub fn youden_threshold(scores: &[f64], truth: &[bool]) -> Option<f64> {
    ScoreTable::new(scores, truth).youden_threshold()
}

/// Percentile (in 0..=1) of sorted values, linear between neighbours.
///
/// # Panics
/// If there are no values.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    low + (high - low) * position.fract()
}

/// 95 % percentile interval of bootstrap replicates; undefined ones are dropped.
pub fn percentile_interval(replicates: impl IntoIterator<Item = Option<f64>>) -> Option<Interval> {
    let mut values: Vec<f64> = replicates
        .into_iter()
        .flatten()
        .filter(|value| !value.is_nan())
        .collect();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| Interval {
        low: percentile(&values, 0.025),
        high: percentile(&values, 0.975),
    })
}

/// Bootstrap interval that resamples whole groups, because images of one patient are not independent: every
/// replicate draws as many groups as there are, with replacement, and hands the indices of their images to
/// `statistic`.
pub fn group_bootstrap<G: Ord>(
    groups: &[G],
    replicates: usize,
    seed: u64,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<Interval> {
    let mut members: std::collections::BTreeMap<&G, Vec<usize>> = std::collections::BTreeMap::new();
    for (i, group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(i);
    }
    let members: Vec<Vec<usize>> = members.into_values().collect();
    if members.is_empty() {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut indices = Vec::with_capacity(groups.len());
    percentile_interval((0..replicates).map(|_| {
        indices.clear();
        for _ in 0..members.len() {
            indices.extend_from_slice(&members[rng.random_range(0..members.len())]);
        }
        statistic(&indices)
    }))
}

/// Group bootstrap interval of [`roc_auc`].
///
/// # Panics
/// If scores, truth and groups differ in length.
pub fn auc_interval<G: Ord>(
    scores: &[f64],
    truth: &[bool],
    groups: &[G],
    replicates: usize,
    seed: u64,
) -> Option<Interval> {
    assert!(
        scores.len() == truth.len() && truth.len() == groups.len(),
        "one truth and group per score"
    );
    let (mut picked, mut labels) = (Vec::new(), Vec::new());
    group_bootstrap(groups, replicates, seed, |indices| {
        picked.clear();
        labels.clear();
        picked.extend(indices.iter().map(|&i| scores[i]));
        labels.extend(indices.iter().map(|&i| truth[i]));
        roc_auc(&picked, &labels)
    })
}

/// Mean of the defined values; undefined where there is none.
pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values
        .into_iter()
        .flatten()
        .fold((0.0, 0_u64), |(sum, n), value| (sum + value, n + 1));
    ratio(sum, count as f64)
}

/// Group bootstrap interval of the [`mean`] of values per image, such as their Dice.
///
/// # Panics
/// If there is not one group per value.
pub fn mean_interval<G: Ord>(values: &[Option<f64>], groups: &[G], replicates: usize, seed: u64) -> Option<Interval> {
    assert_eq!(values.len(), groups.len(), "one group per value");
    group_bootstrap(groups, replicates, seed, |indices| {
        mean(indices.iter().map(|&i| values[i]))
    })
}
