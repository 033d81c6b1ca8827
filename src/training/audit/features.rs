//! How well the encoder's features tell where an image comes from: multinomial logistic regression, cross-validated
//! so that no patient is in training and test fold at once. Knows no networks.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::training::evaluation::Measured;
use crate::training::metrics;

/// Folds of the cross-validation; a source needs as many groups.
const FOLDS: usize = 5;
/// Steps of accelerated gradient descent (Nesterov 1983).
const STEPS: usize = 150;
/// Weight of the squared coefficients beside the mean loss: features outnumber images.
const RIDGE: f64 = 0.01;
/// Steps of the power method that finds how long a step of the descent may be.
const POWER_STEPS: usize = 20;
/// Bootstrap replicates of the area's interval.
const REPLICATES: usize = 500;
/// Seed of folds and bootstrap.
const SEED: u64 = 1;

/// How well the source is predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourcePrediction {
    /// Area under the ROC curve of each source against the others, averaged over the sources.
    pub roc_auc: Measured,
    /// The area of each source.
    pub by_source: BTreeMap<String, f64>,
    /// Images.
    pub images: usize,
    /// Folds.
    pub folds: usize,
    /// Sources with too few groups for the folds, which are left out.
    pub left_out: Vec<String>,
}

/// One image for [`predict_source`].
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Patient, or what else must not be split.
    pub group: &'a str,
    /// Where the image comes from; empty if unknown, and then it is left out.
    pub source: &'a str,
    /// Its features, as many as every other's.
    pub features: &'a [f32],
}

/// Predicts the source of every image from the others' features; `None` where there are not two sources with
/// `FOLDS` groups each.
///
/// # Panics
/// If two images have different numbers of features.
pub fn predict_source(samples: &[Sample<'_>]) -> Option<SourcePrediction> {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| !sample.source.is_empty()) {
        groups.entry(sample.source).or_default().insert(sample.group);
    }
    let (usable, few): (Vec<&str>, Vec<&str>) =
        groups.keys().copied().partition(|source| groups[source].len() >= FOLDS);
    if usable.len() < 2 {
        return None;
    }
    let samples: Vec<Sample<'_>> = samples
        .iter()
        .filter(|sample| usable.contains(&sample.source))
        .copied()
        .collect();
    let labels: Vec<usize> = samples
        .iter()
        .map(|sample| usable.iter().position(|source| *source == sample.source).unwrap_or(0))
        .collect();
    let folds = folds(&samples);
    let scores = cross_validated(&samples, &labels, usable.len(), &folds);
    let areas = |indices: &[usize]| -> Vec<Option<f64>> {
        (0..usable.len())
            .map(|class| {
                let (scores, truth): (Vec<f64>, Vec<bool>) =
                    indices.iter().map(|&i| (scores[i][class], labels[i] == class)).unzip();
                metrics::roc_auc(&scores, &truth)
            })
            .collect()
    };
    let all: Vec<usize> = (0..samples.len()).collect();
    let each = areas(&all);
    let groups: Vec<&str> = samples.iter().map(|sample| sample.group).collect();
    Some(SourcePrediction {
        roc_auc: Measured {
            value: metrics::mean(each.iter().copied()),
            interval: metrics::group_bootstrap(&groups, REPLICATES, SEED, |indices| metrics::mean(areas(indices))),
        },
        by_source: usable
            .iter()
            .zip(each)
            .filter_map(|(source, area)| Some(((*source).to_owned(), area?)))
            .collect(),
        images: samples.len(),
        folds: FOLDS,
        left_out: few.into_iter().map(str::to_owned).collect(),
    })
}

/// The fold of every sample: groups are dealt out in turn, source by source, so that every fold has of each.
fn folds(samples: &[Sample<'_>]) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut by_source: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in samples {
        by_source.entry(sample.source).or_default().insert(sample.group);
    }
    let mut fold_of: BTreeMap<&str, usize> = BTreeMap::new();
    for groups in by_source.into_values() {
        let mut groups: Vec<&str> = groups.into_iter().collect();
        groups.shuffle(&mut rng);
        for (place, group) in groups.into_iter().enumerate() {
            fold_of.entry(group).or_insert(place % FOLDS);
        }
    }
    samples.iter().map(|sample| fold_of[sample.group]).collect()
}

/// Probability of every source for every sample, by a model that has not seen the sample's fold.
fn cross_validated(samples: &[Sample<'_>], labels: &[usize], classes: usize, folds: &[usize]) -> Vec<Vec<f64>> {
    let fitted: Vec<Vec<(usize, Vec<f64>)>> = (0..FOLDS)
        .into_par_iter()
        .map(|fold| {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..samples.len()).partition(|&i| folds[i] == fold);
            let rows: Vec<&[f32]> = train.iter().map(|&i| samples[i].features).collect();
            let labels: Vec<usize> = train.iter().map(|&i| labels[i]).collect();
            let model = Logistic::fit(&rows, &labels, classes);
            test.into_iter()
                .map(|i| (i, model.probabilities(samples[i].features)))
                .collect()
        })
        .collect();
    let mut scores = vec![Vec::new(); samples.len()];
    for (i, probabilities) in fitted.into_iter().flatten() {
        scores[i] = probabilities;
    }
    scores
}

/// Multinomial logistic regression on standardised features.
struct Logistic {
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// One row a class: coefficients, then the intercept.
    weights: Vec<Vec<f64>>,
}

impl Logistic {
    fn fit(rows: &[&[f32]], labels: &[usize], classes: usize) -> Self {
        let (mean, scale) = moments(rows);
        let standard: Vec<Vec<f64>> = rows.iter().map(|row| standardised(row, &mean, &scale)).collect();
        let columns = mean.len() + 1;
        // The loss's curvature is at most half the largest eigenvalue of the features' second moments.
        let step = 1.0 / (0.5 * largest_eigenvalue(&standard, columns) + RIDGE);
        let mut weights = vec![vec![0.0; columns]; classes];
        let mut ahead = weights.clone();
        let mut momentum = 1.0_f64;
        for _ in 0..STEPS {
            let gradient = gradient(&standard, labels, &ahead);
            let next_momentum = f64::midpoint(1.0, (1.0 + 4.0 * momentum * momentum).sqrt());
            let carry = (momentum - 1.0) / next_momentum;
            momentum = next_momentum;
            for ((weights, ahead), gradient) in weights.iter_mut().zip(&mut ahead).zip(&gradient) {
                for ((w, a), g) in weights.iter_mut().zip(ahead.iter_mut()).zip(gradient) {
                    let next = *a - step * g;
                    *a = next + carry * (next - *w);
                    *w = next;
                }
            }
        }
        Self { mean, scale, weights }
    }

    fn probabilities(&self, row: &[f32]) -> Vec<f64> {
        softmax(&self.weights, &standardised(row, &self.mean, &self.scale))
    }
}

/// Mean and standard deviation of every column; 1 where a column does not vary.
fn moments(rows: &[&[f32]]) -> (Vec<f64>, Vec<f64>) {
    let (n, columns) = (rows.len().max(1) as f64, rows.first().map_or(0, |row| row.len()));
    let mut mean = vec![0.0; columns];
    let mut squares = vec![0.0; columns];
    for row in rows {
        for ((mean, square), &value) in mean.iter_mut().zip(&mut squares).zip(*row) {
            *mean += f64::from(value) / n;
            *square += f64::from(value).powi(2) / n;
        }
    }
    let scale = squares.iter().zip(&mean).map(|(square, mean)| {
        let deviation = (square - mean * mean).max(0.0).sqrt();
        if deviation > 1e-9 * mean.abs() + f64::MIN_POSITIVE {
            deviation
        } else {
            1.0
        }
    });
    let scale = scale.collect();
    (mean, scale)
}

/// A row with mean 0 and deviation 1, and a 1 for the intercept at its end.
fn standardised(row: &[f32], mean: &[f64], scale: &[f64]) -> Vec<f64> {
    assert_eq!(row.len(), mean.len(), "as many features as every other image");
    let values = row.iter().zip(mean).zip(scale);
    let values = values.map(|((&value, mean), scale)| (f64::from(value) - mean) / scale);
    values.chain([1.0]).collect()
}

fn softmax(weights: &[Vec<f64>], row: &[f64]) -> Vec<f64> {
    let logits: Vec<f64> = weights
        .iter()
        .map(|weights| weights.iter().zip(row).map(|(w, x)| w * x).sum())
        .collect();
    let high = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|z| (z - high).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|e| e / sum).collect()
}

/// Gradient of the mean cross-entropy and the ridge (without the intercept's).
fn gradient(rows: &[Vec<f64>], labels: &[usize], weights: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut gradient: Vec<Vec<f64>> = weights
        .iter()
        .map(|weights| weights.iter().map(|w| RIDGE * w).collect())
        .collect();
    for row in &mut gradient {
        if let Some(intercept) = row.last_mut() {
            *intercept = 0.0;
        }
    }
    for (row, &label) in rows.iter().zip(labels) {
        for (class, p) in softmax(weights, row).into_iter().enumerate() {
            let error = (p - f64::from(u8::from(class == label))) / rows.len() as f64;
            for (g, x) in gradient[class].iter_mut().zip(row) {
                *g += error * x;
            }
        }
    }
    gradient
}

/// Largest eigenvalue of the rows' second moments, by the power method; a little too large rather than too small.
fn largest_eigenvalue(rows: &[Vec<f64>], columns: usize) -> f64 {
    let mut vector = vec![1.0 / (columns as f64).sqrt(); columns];
    let mut value = 1.0;
    for _ in 0..POWER_STEPS {
        let mut next = vec![0.0; columns];
        for row in rows {
            let along: f64 = row.iter().zip(&vector).map(|(x, v)| x * v).sum();
            for (next, x) in next.iter_mut().zip(row) {
                *next += along * x / rows.len() as f64;
            }
        }
        value = next.iter().map(|v| v * v).sum::<f64>().sqrt();
        if value <= 0.0 {
            return 1.0;
        }
        vector = next.into_iter().map(|v| v / value).collect();
    }
    1.2 * value
}
