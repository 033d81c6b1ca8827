//! Whether probabilities mean what they say: bins of predicted against observed frequency.

use serde::{Deserialize, Serialize};

/// One bin of predicted probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Where it begins; only the first holds its lower end.
    pub low: f64,
    /// Where it ends, inclusive.
    pub high: f64,
    /// Images in it.
    pub images: usize,
    /// COVID-19 images in it.
    pub covid19: usize,
    /// Mean predicted probability; `None` where it is empty.
    pub predicted: Option<f64>,
    /// Share of COVID-19 images; `None` where it is empty.
    pub observed: Option<f64>,
}

/// A reliability diagram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// From 0 to 1, equally wide.
    pub bins: Vec<ReliabilityBin>,
    /// Expected calibration error: distance of predicted from observed, weighed with the bins' images. `None` where
    /// there is no image.
    pub ece: Option<f64>,
    /// Mean squared distance of probability and truth (Brier 1950). `None` where there is no image.
    pub brier: Option<f64>,
}

impl Reliability {
    /// Bins in the reports.
    pub const BINS: usize = 15;

    /// Counts probabilities of COVID-19 into `bins` bins (at least 1), each closed on its right.
    ///
    /// # Panics
    /// If there is not one truth per probability.
    pub fn of(probabilities: &[f64], truth: &[bool], bins: usize) -> Self {
        assert_eq!(probabilities.len(), truth.len(), "one truth per probability");
        let bins = bins.max(1);
        let mut sums = vec![(0.0, 0_usize, 0_usize); bins];
        let mut brier = 0.0;
        for (&p, &positive) in probabilities.iter().zip(truth) {
            let bin = ((p * bins as f64).ceil() as usize).clamp(1, bins) - 1;
            let (sum, images, covid19) = &mut sums[bin];
            *sum += p;
            *images += 1;
            *covid19 += usize::from(positive);
            brier += (p - f64::from(u8::from(positive))).powi(2);
        }
        let total = probabilities.len();
        let bin = |(i, &(sum, images, covid19)): (usize, &(f64, usize, usize))| {
            let share = |part: f64| (images > 0).then(|| part / images as f64);
            ReliabilityBin {
                low: i as f64 / bins as f64,
                high: (i + 1) as f64 / bins as f64,
                images,
                covid19,
                predicted: share(sum),
                observed: share(covid19 as f64),
            }
        };
        let bins: Vec<ReliabilityBin> = sums.iter().enumerate().map(bin).collect();
        let gap = |bin: &ReliabilityBin| {
            let distance = bin.predicted.zip(bin.observed).map_or(0.0, |(p, o)| (p - o).abs());
            distance * bin.images as f64 / total as f64
        };
        Self {
            ece: (total > 0).then(|| bins.iter().map(gap).sum()),
            brier: (total > 0).then(|| brier / total as f64),
            bins,
        }
    }
}
