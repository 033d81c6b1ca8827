//! Records of single images to figures with 95 % intervals: overall, by stratum, by source, of masks and of in-lung
//! activation. Reads no files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::training::metrics::{self, Confusion, Interval};

use super::{MaskRecord, Record, Reliability, ScoreTable};

/// Percentiles (in 0..=1) of sorted values, linear between neighbours; `None` without any.
pub fn percentiles<const N: usize>(sorted: &[f64], shares: [f64; N]) -> Option<[f64; N]> {
    (!sorted.is_empty()).then(|| shares.map(|share| metrics::percentile(sorted, share)))
}

/// Bootstrap replicates.
const REPLICATES: usize = 1000;
/// Seed of the bootstrap: the same data give the same intervals.
const SEED: u64 = 1;

/// A figure with its 95 % interval; null where it is not defined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The figure.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// Class metrics of some images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Average precision: the area under the precision-recall curve, in steps.
    pub average_precision: Measured,
}

/// Thresholds that a rule would choose on the evaluated images: to be read on the validation part, for a threshold
/// that was chosen on the test part makes its figures too good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Largest sensitivity + specificity.
    pub youden: Option<f64>,
    /// Largest F2-score.
    pub f2: Option<f64>,
}

/// Mask metrics of the images whose masks follow one convention: means over images, in image pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Intersection over union.
    pub iou: Measured,
    /// 95th percentile of the outlines' distance (Hausdorff), in pixels, over the images where both masks hold
    /// something.
    pub hd95_px: Measured,
    /// The same in millimetres, over the images with a spacing.
    pub hd95_mm: Measured,
    /// Images whose predicted or true mask is empty: they have no distance.
    pub empty: usize,
}

/// Distribution of the in-lung activation ratio over some images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// All images.
    pub overall: ClassMetrics,
    /// Without children.
    pub adults: ClassMetrics,
    /// Children only.
    pub children: ClassMetrics,
    /// Early COVID-19 images with all control images; null where no image is said to be early.
    pub early_covid19: Option<ClassMetrics>,
    /// By the manifest's source.
    pub by_source: BTreeMap<String, ClassMetrics>,
    /// By the masks' convention: style and origin.
    pub masks: BTreeMap<String, MaskMetrics>,
    /// In-lung activation of class COVID-19: of all, COVID-19 and control images.
    pub in_lung_activation: BTreeMap<String, InLung>,
    /// Predicted against observed frequency, of all images.
    pub reliability: Reliability,
    /// What a rule would choose here.
    pub thresholds: Thresholds,
}

impl Evaluation {
    /// Measures records; `threshold` is on the COVID-19 probability.
    pub fn of(records: &[Record], threshold: f64) -> Self {
        let pick = |condition: &dyn Fn(&Record) -> bool| -> Vec<&Record> {
            records.iter().filter(|record| condition(record)).collect()
        };
        let mut by_source: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
        for record in records {
            by_source.entry(record.source.clone()).or_default().push(record);
        }
        by_source.remove("");
        let class = |records: &[&Record]| ClassMetrics::of(records, threshold);
        let early = pick(&|record| record.is_early || !record.is_covid19);
        let scores: Vec<f64> = records.iter().map(|record| record.score).collect();
        let truth: Vec<bool> = records.iter().map(|record| record.is_covid19).collect();
        let table = ScoreTable::new(&scores, &truth);
        Self {
            overall: class(&pick(&|_| true)),
            adults: class(&pick(&|record| !record.is_child)),
            children: class(&pick(&|record| record.is_child)),
            early_covid19: early.iter().any(|record| record.is_early).then(|| class(&early)),
            by_source: by_source
                .iter()
                .map(|(name, records)| (name.clone(), class(records)))
                .collect(),
            masks: MaskMetrics::by_convention(
                records
                    .iter()
                    .filter_map(|record| Some((record.group.as_str(), record.mask.as_ref()?))),
            ),
            in_lung_activation: BTreeMap::from([
                ("all".to_owned(), InLung::of(&pick(&|_| true))),
                ("covid19".to_owned(), InLung::of(&pick(&|record| record.is_covid19))),
                ("control".to_owned(), InLung::of(&pick(&|record| !record.is_covid19))),
            ]),
            reliability: Reliability::of(&scores, &truth, Reliability::BINS),
            thresholds: Thresholds {
                youden: table.youden_threshold(),
                f2: table.f_threshold(2.0),
            },
        }
    }
}

impl ClassMetrics {
    /// Measures some records.
    pub fn of(records: &[&Record], threshold: f64) -> Self {
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
            average_precision: average_precision(&scores, &truth, &groups),
        }
    }
}

fn average_precision(scores: &[f64], truth: &[bool], groups: &[&str]) -> Measured {
    let interval = metrics::group_bootstrap(groups, REPLICATES, SEED, |indices| {
        let (scores, truth): (Vec<f64>, Vec<bool>) = indices.iter().map(|&i| (scores[i], truth[i])).unzip();
        ScoreTable::new(&scores, &truth).average_precision()
    });
    Measured {
        value: ScoreTable::new(scores, truth).average_precision(),
        interval,
    }
}

impl MaskMetrics {
    /// Measures masks, each with its image's group.
    pub fn of(masks: &[(&str, &MaskRecord)]) -> Self {
        let groups: Vec<&str> = masks.iter().map(|(group, _)| *group).collect();
        let mean = |of: &dyn Fn(&MaskRecord) -> Option<f64>| {
            mean_over(&groups, &masks.iter().map(|(_, mask)| of(mask)).collect::<Vec<_>>())
        };
        let figure = |of: &dyn Fn(&Confusion) -> Option<f64>| mean(&|mask| of(&mask.confusion));
        Self {
            images: masks.len(),
            dice: figure(&Confusion::dice),
            sensitivity: figure(&Confusion::sensitivity),
            specificity: figure(&Confusion::specificity),
            precision: figure(&Confusion::precision),
            iou: figure(&Confusion::iou),
            hd95_px: mean(&|mask| mask.hd95_px),
            hd95_mm: mean(&|mask| mask.hd95_mm),
            empty: masks.iter().filter(|(_, mask)| mask.hd95_px.is_none()).count(),
        }
    }

    /// Measures masks apart by the convention of the true ones.
    pub fn by_convention<'a>(masks: impl IntoIterator<Item = (&'a str, &'a MaskRecord)>) -> BTreeMap<String, Self> {
        let mut apart: BTreeMap<&str, Vec<(&str, &MaskRecord)>> = BTreeMap::new();
        for (group, mask) in masks {
            apart.entry(&mask.convention).or_default().push((group, mask));
        }
        let measured = apart.into_iter();
        measured
            .map(|(convention, masks)| (convention.to_owned(), Self::of(&masks)))
            .collect()
    }
}

impl InLung {
    /// Measures the in-lung activation of some records.
    pub fn of(records: &[&Record]) -> Self {
        let (with, empty): (Vec<&Record>, Vec<&Record>) =
            records.iter().copied().partition(|record| record.in_lung.is_some());
        let mut ratios: Vec<f64> = with.iter().filter_map(|record| record.in_lung).collect();
        let above = with.iter().filter(|record| record.in_lung > record.chance).count();
        let mean = mean_over(
            &groups(&with),
            &with.iter().map(|record| record.in_lung).collect::<Vec<_>>(),
        );
        ratios.sort_by(f64::total_cmp);
        Self {
            images: with.len(),
            empty: empty.len(),
            mean,
            chance_mean: metrics::mean(with.iter().map(|record| record.chance)),
            above_chance: proportion(above as u64, with.len() as u64),
            percentiles: percentiles(&ratios, [0.05, 0.25, 0.5, 0.75, 0.95]),
        }
    }
}

fn groups<'a>(records: &[&'a Record]) -> Vec<&'a str> {
    records.iter().map(|record| record.group.as_str()).collect()
}

fn mean_over(groups: &[&str], values: &[Option<f64>]) -> Measured {
    Measured {
        value: metrics::mean(values.iter().copied()),
        interval: metrics::mean_interval(values, groups, REPLICATES, SEED),
    }
}

fn proportion(part: u64, whole: u64) -> Measured {
    Measured {
        value: (whole > 0).then(|| part as f64 / whole as f64),
        interval: metrics::wilson(part, whole),
    }
}
