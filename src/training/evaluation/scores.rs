//! Scores in order: decisions at any threshold in a moment, the curves, and the thresholds that a rule chooses.

use serde::{Deserialize, Serialize};

use crate::training::metrics::Confusion;

/// A point of the ROC curve: what the decisions are worth from this threshold on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Scores from here on are positive; `None` above every score.
    pub threshold: Option<f64>,
    /// One minus specificity.
    pub false_positive_rate: f64,
    /// Sensitivity.
    pub true_positive_rate: f64,
}

/// A point of the precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecallPoint {
    /// Scores from here on are positive; `None` above every score.
    pub threshold: Option<f64>,
    /// Sensitivity.
    pub recall: f64,
    /// Share of positive decisions that are right; 1 where there is none.
    pub precision: f64,
}

/// Which images fall into which cell of the confusion matrix, as indices of the records, highest score first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells {
    /// True negatives.
    pub tn: Vec<usize>,
    /// False positives.
    pub fp: Vec<usize>,
    /// False negatives.
    #[serde(rename = "fn")]
    pub fn_: Vec<usize>,
    /// True positives.
    pub tp: Vec<usize>,
}

/// Scores with their truth, sorted once: every question after that takes the logarithm of their number.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreTable {
    /// Falling; ties in the order of the records.
    scores: Vec<f64>,
    truth: Vec<bool>,
    /// Index of each among the records.
    indices: Vec<usize>,
    /// Positives among the first `i`, for every `i` up to all.
    positives: Vec<usize>,
}

impl ScoreTable {
    /// Sorts scores; those that are no number are left out.
    ///
    /// # Panics
    /// If there is not one truth per score.
    pub fn new(scores: &[f64], truth: &[bool]) -> Self {
        assert_eq!(scores.len(), truth.len(), "one truth per score");
        let mut indices: Vec<usize> = (0..scores.len()).filter(|&i| !scores[i].is_nan()).collect();
        // Stable: ties stay in the order of the records.
        indices.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let truth: Vec<bool> = indices.iter().map(|&i| truth[i]).collect();
        let mut positives = vec![0];
        for &positive in &truth {
            positives.push(positives[positives.len() - 1] + usize::from(positive));
        }
        Self {
            scores: indices.iter().map(|&i| scores[i]).collect(),
            truth,
            indices,
            positives,
        }
    }

    /// Number of scores.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// How many scores are positive at a threshold; a score at the threshold is.
    fn decided(&self, threshold: f64) -> usize {
        self.scores.partition_point(|&score| score >= threshold)
    }

    /// Counts where the first `decided` scores are positive.
    fn counts(&self, decided: usize) -> Confusion {
        let (all, tp) = (self.positives[self.len()], self.positives[decided]);
        let (fp, fn_) = (decided - tp, all - tp);
        Confusion {
            tn: (self.len() - all - fp) as u64,
            fp: fp as u64,
            fn_: fn_ as u64,
            tp: tp as u64,
        }
    }

    /// Decisions against truth at a threshold; sensitivity and specificity are its methods.
    pub fn confusion(&self, threshold: f64) -> Confusion {
        self.counts(self.decided(threshold))
    }

    /// The images of each cell at a threshold.
    pub fn cells(&self, threshold: f64) -> Cells {
        let decided = self.decided(threshold);
        let mut cells = Cells::default();
        for (place, (&index, &positive)) in self.indices.iter().zip(&self.truth).enumerate() {
            match (place < decided, positive) {
                (false, false) => &mut cells.tn,
                (true, false) => &mut cells.fp,
                (false, true) => &mut cells.fn_,
                (true, true) => &mut cells.tp,
            }
            .push(index);
        }
        cells
    }

    /// How many scores are positive just below each step between two different scores, from none to all.
    fn steps(&self) -> impl Iterator<Item = usize> + '_ {
        let last = self.len();
        let ends = move |&end: &usize| end == last || self.scores[end - 1] != self.scores[end];
        std::iter::once(0).chain((1..=last).filter(ends))
    }

    fn threshold_of(&self, decided: usize) -> Option<f64> {
        decided.checked_sub(1).map(|last| self.scores[last])
    }

    /// The ROC curve from (0, 0) to (1, 1), a point for every different score; empty where one class is missing.
    pub fn roc(&self) -> Vec<RocPoint> {
        let point = |decided| {
            let counts = self.counts(decided);
            Some(RocPoint {
                threshold: self.threshold_of(decided),
                false_positive_rate: 1.0 - counts.specificity()?,
                true_positive_rate: counts.sensitivity()?,
            })
        };
        self.steps().filter_map(point).collect()
    }

    /// The precision-recall curve from recall 0 on, a point for every different score; empty where there is no
    /// positive.
    pub fn precision_recall(&self) -> Vec<PrecisionRecallPoint> {
        let point = |decided| {
            let counts = self.counts(decided);
            Some(PrecisionRecallPoint {
                threshold: self.threshold_of(decided),
                recall: counts.sensitivity()?,
                precision: counts.precision().unwrap_or(1.0),
            })
        };
        self.steps().filter_map(point).collect()
    }

    /// Average precision: the precision of every step weighed with the recall that it adds. Undefined where there is
    /// no positive.
    pub fn average_precision(&self) -> Option<f64> {
        let curve = self.precision_recall();
        let added = |pair: &[PrecisionRecallPoint]| (pair[1].recall - pair[0].recall) * pair[1].precision;
        (!curve.is_empty()).then(|| curve.windows(2).map(added).sum())
    }

    /// Threshold with the largest Youden index (sensitivity + specificity - 1); undefined where one class is missing.
    pub fn youden_threshold(&self) -> Option<f64> {
        let index = |&Confusion { tn, fp, fn_, tp }: &Confusion| {
            let (positives, negatives) = (tp + fn_, tn + fp);
            (positives > 0 && negatives > 0).then(|| tp as f64 / positives as f64 - fp as f64 / negatives as f64)
        };
        self.best_threshold(index)
    }

    /// Threshold with the largest F-score that weighs sensitivity `beta` times as much as precision; undefined where
    /// one class is missing.
    pub fn f_threshold(&self, beta: f64) -> Option<f64> {
        self.best_threshold(|counts| {
            counts.specificity()?;
            counts.f_score(beta)
        })
    }

    /// The threshold with the largest value (the highest of equals), half-way to the next lower score so that it does
    /// not sit on one.
    fn best_threshold(&self, value: impl Fn(&Confusion) -> Option<f64>) -> Option<f64> {
        let mut best: Option<(f64, usize)> = None;
        for decided in self.steps().skip(1) {
            let value = value(&self.counts(decided))?;
            if best.is_none_or(|(largest, _)| value > largest) {
                best = Some((value, decided));
            }
        }
        let (_, decided) = best?;
        let next = self.scores.get(decided).copied().unwrap_or(0.0);
        Some(f64::midpoint(self.scores[decided - 1], next))
    }
}
