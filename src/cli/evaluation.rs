//! What `recovnet evaluate` measures: records of single images to metrics with 95 % intervals. Reads no files.
//!
//! Proportions have Wilson's interval; everything else is bootstrapped over groups, because images of one patient
//! are not independent.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::training::metrics::{self, Confusion, Interval};

/// Bootstrap replicates.
const REPLICATES: usize = 1000;
/// Seed of the bootstrap: the same data give the same intervals.
const SEED: u64 = 1;

/// What is known about one image after prediction.
#[derive(Debug, Clone)]
pub struct Record {
    /// Patient, or what else must not be split.
    pub group: String,
    /// Where the image comes from; empty if the manifest does not say.
    pub source: String,
    /// Whether the manifest calls the patient a child.
    pub is_child: bool,
    /// Whether the label is COVID-19.
    pub is_covid19: bool,
    /// Probability of COVID-19.
    pub score: f64,
    /// The predicted mask against the manifest's, with the convention of the latter.
    pub mask: Option<(String, Confusion)>,
    /// In-lung activation ratio.
    pub in_lung: Option<f64>,
    /// Its chance level.
    pub chance: Option<f64>,
}

/// A figure with its 95 % interval; null where it is not defined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// The figure.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// Class metrics of some images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Images.
    pub images: usize,
    /// Groups they come from.
    pub groups: usize,
    /// Images labelled COVID-19.
    pub covid19: usize,
    /// All others.
    pub control: usize,
    /// Decisions against labels.
    pub confusion: Confusion,
    /// Share of COVID-19 images found.
    pub sensitivity: Measured,
    /// Share of control images left alone.
    pub specificity: Measured,
    /// Share of COVID-19 decisions that are right.
    pub precision: Measured,
    /// F-score with equal weights.
    pub f1: Measured,
    /// F-score that weighs sensitivity twice.
    pub f2: Measured,
    /// Share of right decisions.
    pub accuracy: Measured,
    /// Area under the ROC curve.
    pub roc_auc: Measured,
}

/// Mask metrics of the images whose masks follow one convention: means over images, in image pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaskMetrics {
    /// Images.
    pub images: usize,
    /// Dice coefficient.
    pub dice: Measured,
    /// Share of the true mask that is found.
    pub sensitivity: Measured,
    /// Share of the rest that is left alone.
    pub specificity: Measured,
    /// Share of the predicted lung that the true mask covers: the figure to read where the mask holds more than the
    /// lung fields.
    pub precision: Measured,
}

/// Distribution of the in-lung activation ratio over some images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InLung {
    /// Images with a ratio.
    pub images: usize,
    /// Images whose map or mask is empty.
    pub empty: usize,
    /// Mean ratio.
    pub mean: Measured,
    /// Mean chance level of the same images.
    pub chance_mean: Option<f64>,
    /// Share of the images whose ratio is above their own chance level.
    pub above_chance: Measured,
    /// Ratios at 5, 25, 50, 75 and 95 %.
    pub percentiles: Option<[f64; 5]>,
}

/// Everything measured on a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// All images.
    pub overall: ClassMetrics,
    /// Without children.
    pub adults: ClassMetrics,
    /// Children only.
    pub children: ClassMetrics,
    /// By the manifest's source.
    pub by_source: BTreeMap<String, ClassMetrics>,
    /// By the masks' convention: style and origin.
    pub masks: BTreeMap<String, MaskMetrics>,
    /// In-lung activation of class COVID-19: of all, COVID-19 and control images.
    pub in_lung_activation: BTreeMap<&'static str, InLung>,
}

impl Evaluation {
    /// Measures records; `threshold` is on the COVID-19 probability.
    pub fn of(records: &[Record], threshold: f64) -> Self {
        let pick = |condition: &dyn Fn(&Record) -> bool| -> Vec<&Record> {
            records.iter().filter(|record| condition(record)).collect()
        };
        let mut by_source: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
        let mut by_convention: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
        for record in records {
            by_source.entry(record.source.clone()).or_default().push(record);
            if let Some((convention, _)) = &record.mask {
                by_convention.entry(convention.clone()).or_default().push(record);
            }
        }
        by_source.remove("");
        let class = |records: &[&Record]| ClassMetrics::of(records, threshold);
        Self {
            overall: class(&pick(&|_| true)),
            adults: class(&pick(&|record| !record.is_child)),
            children: class(&pick(&|record| record.is_child)),
            by_source: by_source
                .iter()
                .map(|(name, records)| (name.clone(), class(records)))
                .collect(),
            masks: by_convention
                .iter()
                .map(|(name, records)| (name.clone(), MaskMetrics::of(records)))
                .collect(),
            in_lung_activation: BTreeMap::from([
                ("all", InLung::of(&pick(&|_| true))),
                ("covid19", InLung::of(&pick(&|record| record.is_covid19))),
                ("control", InLung::of(&pick(&|record| !record.is_covid19))),
            ]),
        }
    }
}

impl ClassMetrics {
    fn of(records: &[&Record], threshold: f64) -> Self {
        let scores: Vec<f64> = records.iter().map(|record| record.score).collect();
        let truth: Vec<bool> = records.iter().map(|record| record.is_covid19).collect();
        let groups = groups(records);
        let confusion = Confusion::at(threshold, &scores, &truth);
        let Confusion { tn, fp, fn_, tp } = confusion;
        let f_score = |beta: f64| Measured {
            value: confusion.f_score(beta),
            interval: metrics::group_bootstrap(&groups, REPLICATES, SEED, |indices| {
                let drawn = indices.iter().map(|&i| (scores[i] >= threshold, truth[i]));
                Confusion::count(drawn).f_score(beta)
            }),
        };
        Self {
            images: records.len(),
            groups: groups.iter().collect::<std::collections::BTreeSet<_>>().len(),
            covid19: (tp + fn_) as usize,
            control: (tn + fp) as usize,
            confusion,
            sensitivity: proportion(tp, tp + fn_),
            specificity: proportion(tn, tn + fp),
            precision: proportion(tp, tp + fp),
            f1: f_score(1.0),
            f2: f_score(2.0),
            accuracy: proportion(tp + tn, tp + tn + fp + fn_),
            roc_auc: Measured {
                value: metrics::roc_auc(&scores, &truth),
                interval: metrics::auc_interval(&scores, &truth, &groups, REPLICATES, SEED),
            },
        }
    }
}

impl MaskMetrics {
    fn of(records: &[&Record]) -> Self {
        let figure = |of: &dyn Fn(&Confusion) -> Option<f64>| {
            let value = |record: &&Record| record.mask.as_ref().and_then(|(_, confusion)| of(confusion));
            mean_over(records, &records.iter().map(value).collect::<Vec<_>>())
        };
        Self {
            images: records.len(),
            dice: figure(&Confusion::dice),
            sensitivity: figure(&Confusion::sensitivity),
            specificity: figure(&Confusion::specificity),
            precision: figure(&Confusion::precision),
        }
    }
}

impl InLung {
    fn of(records: &[&Record]) -> Self {
        let (with, empty): (Vec<&Record>, Vec<&Record>) =
            records.iter().copied().partition(|record| record.in_lung.is_some());
        let mut ratios: Vec<f64> = with.iter().filter_map(|record| record.in_lung).collect();
        let above = with.iter().filter(|record| record.in_lung > record.chance).count();
        let mean = mean_over(&with, &with.iter().map(|record| record.in_lung).collect::<Vec<_>>());
        ratios.sort_by(f64::total_cmp);
        let percentile = |share| metrics::percentile(&ratios, share);
        Self {
            images: with.len(),
            empty: empty.len(),
            mean,
            chance_mean: metrics::mean(with.iter().map(|record| record.chance)),
            above_chance: proportion(above as u64, with.len() as u64),
            percentiles: (!ratios.is_empty()).then(|| [0.05, 0.25, 0.5, 0.75, 0.95].map(percentile)),
        }
    }
}

fn groups<'a>(records: &[&'a Record]) -> Vec<&'a str> {
    records.iter().map(|record| record.group.as_str()).collect()
}

fn mean_over(records: &[&Record], values: &[Option<f64>]) -> Measured {
    Measured {
        value: metrics::mean(values.iter().copied()),
        interval: metrics::mean_interval(values, &groups(records), REPLICATES, SEED),
    }
}

fn proportion(part: u64, whole: u64) -> Measured {
    Measured {
        value: (whole > 0).then(|| part as f64 / whole as f64),
        interval: metrics::wilson(part, whole),
    }
}
