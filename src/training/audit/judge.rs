//! Records of single images to an audit: the figures, the light, and the reasons in sentences. Reads no files.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::training::evaluation::{ClassMetrics, Failed, Measured, Record, Subject};
use crate::training::metrics;

use super::features::{Sample, predict_source};
use super::{Audit, AuditRecord, InLungDistribution, Light, Region, SourcePrediction};

/// Above this lower 95 % limit of the area with the lungs removed the network does not need them.
const REMOVED_LIMIT: f64 = 0.75;
/// Above this area the features tell the source.
const SOURCE_LIMIT: f64 = 0.9;
/// Bins of the in-lung activation's histogram.
const BINS: usize = 20;
/// Bootstrap replicates and seed of the median's interval.
const REPLICATES: usize = 1000;
const SEED: u64 = 1;

impl Audit {
    /// Audits records. Images in which no lung was found have no figures but on the whole image.
    pub fn of(subject: Subject, records: &[AuditRecord], failures: Vec<Failed>) -> Self {
        let with_lungs: Vec<&AuditRecord> = records
            .iter()
            .filter(|record| record.scores.iter().all(Option::is_some))
            .collect();
        let all: Vec<&AuditRecord> = records.iter().collect();
        let threshold = subject.threshold;
        let figures = |records: &[&AuditRecord], region: usize| {
            let records: Vec<Record> = records.iter().filter_map(|record| as_record(record, region)).collect();
            ClassMetrics::of(&records.iter().collect::<Vec<_>>(), threshold)
        };
        let regions: BTreeMap<String, ClassMetrics> = Region::ALL
            .into_iter()
            .enumerate()
            .map(|(i, region)| {
                let records = if region == Region::Full { &all } else { &with_lungs };
                (region.name().to_owned(), figures(records, i))
            })
            .collect();
        let mut sources: BTreeMap<&str, Vec<&AuditRecord>> = BTreeMap::new();
        for record in records.iter().filter(|record| !record.source.is_empty()) {
            sources.entry(&record.source).or_default().push(record);
        }
        let by_source = sources
            .into_iter()
            .map(|(source, records)| (source.to_owned(), figures(&records, 0)))
            .collect();
        let samples: Vec<Sample<'_>> = records
            .iter()
            .map(|record| Sample {
                group: &record.group,
                source: &record.source,
                features: &record.features,
            })
            .collect();
        let source = predict_source(&samples);
        let in_lung = InLungDistribution::of(records);
        let without_lungs = records.len() - with_lungs.len();
        let (light, reasons) = judge(&regions, source.as_ref(), &in_lung, (without_lungs, records.len()));
        Self {
            light,
            reasons,
            subject,
            without_lungs,
            regions,
            by_source,
            source,
            in_lung,
            failures,
        }
    }

    /// What a model card keeps of it: the light, the reasons and the figures behind them.
    pub fn for_card(&self) -> Value {
        let areas: serde_json::Map<String, Value> = self
            .regions
            .iter()
            .map(|(name, figures)| (name.clone(), json!(figures.roc_auc)))
            .collect();
        json!({
            "light": self.light,
            "reasons": self.reasons,
            "split": self.subject.split,
            "images": self.regions.get(Region::Full.name()).map(|figures| figures.images),
            "roc_auc": areas,
            "source_roc_auc": self.source.as_ref().map(|source| source.roc_auc),
            "in_lung_median": self.in_lung.median,
            "in_lung_chance_median": self.in_lung.chance_median,
            "weights_sha256": self.subject.weights_sha256,
            "segmenter_sha256": self.subject.segmenter_sha256,
        })
    }
}

/// An image's score on a region as a record of an evaluation.
fn as_record(record: &AuditRecord, region: usize) -> Option<Record> {
    Some(Record {
        file: String::new(),
        group: record.group.clone(),
        source: record.source.clone(),
        label: String::new(),
        part: String::new(),
        is_child: false,
        is_early: false,
        is_covid19: record.is_covid19,
        score: record.scores[region]?,
        margin: 0.0,
        mask: None,
        in_lung: record.in_lung,
        chance: record.chance,
    })
}

impl InLungDistribution {
    fn of(records: &[AuditRecord]) -> Self {
        let with: Vec<(&AuditRecord, f64, f64)> = records
            .iter()
            .filter_map(|record| Some((record, record.in_lung?, record.chance?)))
            .collect();
        let ratios: Vec<f64> = with.iter().map(|(_, ratio, _)| *ratio).collect();
        let chances: Vec<f64> = with.iter().map(|(_, _, chance)| *chance).collect();
        let groups: Vec<&str> = with.iter().map(|(record, _, _)| record.group.as_str()).collect();
        let above = with.iter().filter(|(_, ratio, chance)| ratio > chance).count() as u64;
        let images = with.len() as u64;
        Self {
            images: with.len(),
            empty: records.len() - with.len(),
            median: Measured {
                value: median(ratios.iter().copied()),
                interval: metrics::group_bootstrap(&groups, REPLICATES, SEED, |indices| {
                    median(indices.iter().map(|&i| ratios[i]))
                }),
            },
            chance_median: median(chances.iter().copied()),
            above_chance: Measured {
                value: (images > 0).then(|| above as f64 / images as f64),
                interval: metrics::wilson(above, images),
            },
            histogram: histogram(&ratios),
            chance_histogram: histogram(&chances),
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| metrics::percentile(&values, 0.5))
}

/// Counts of values in 0..=1.
fn histogram(values: &[f64]) -> Vec<usize> {
    let mut counts = vec![0; BINS];
    for value in values {
        counts[((value * BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    counts
}

/// The light and its reasons. What cannot be measured cannot clear a model: that is red, too.
fn judge(
    regions: &BTreeMap<String, ClassMetrics>,
    source: Option<&SourcePrediction>,
    in_lung: &InLungDistribution,
    (without_lungs, images): (usize, usize),
) -> (Light, Vec<String>) {
    let findings = [
        judge_removed(regions.get(Region::LungsRemoved.name()), (without_lungs, images)),
        judge_in_lung(in_lung),
        judge_source(source),
    ];
    let light = findings.iter().map(|(light, _)| *light).max().unwrap_or(Light::Red);
    // The worst first: that is what has to be answered.
    let mut findings = findings.to_vec();
    findings.sort_by_key(|(light, _)| std::cmp::Reverse(*light));
    (light, findings.into_iter().map(|(_, reason)| reason).collect())
}

fn judge_removed(figures: Option<&ClassMetrics>, (without_lungs, images): (usize, usize)) -> (Light, String) {
    let area = figures.map(|figures| figures.roc_auc);
    let Some((value, interval)) = area.and_then(|area| Some((area.value?, area.interval?))) else {
        let reason = format!(
            "With the lungs removed there is no ROC-AUC: the split needs images of both classes in which the segmenter \
             finds lungs (it found none in {without_lungs} of {images})."
        );
        return (Light::Red, reason);
    };
    let figure = format!("{value:.3} [{:.3}, {:.3}]", interval.low, interval.high);
    if interval.low > REMOVED_LIMIT {
        let reason = format!(
            "With the lungs removed the ROC-AUC still is {figure}: its lower 95 % limit is above {REMOVED_LIMIT}, so \
             the network does not need the lungs."
        );
        return (Light::Red, reason);
    }
    let reason = format!(
        "With the lungs removed the ROC-AUC falls to {figure}: its lower 95 % limit is not above {REMOVED_LIMIT}."
    );
    (Light::Green, reason)
}

fn judge_in_lung(in_lung: &InLungDistribution) -> (Light, String) {
    let Some((median, chance)) = in_lung.median.value.zip(in_lung.chance_median) else {
        let reason = "No image has an in-lung activation ratio: map or lung mask is empty everywhere.".to_owned();
        return (Light::Red, reason);
    };
    let (percent, by_chance) = (100.0 * median, 100.0 * chance);
    if median > chance {
        let reason =
            format!("The median in-lung activation is {percent:.1} %, above the chance level of {by_chance:.1} %.");
        return (Light::Green, reason);
    }
    let reason = format!(
        "The median in-lung activation is {percent:.1} %, not above the chance level of {by_chance:.1} %: the network \
         responds elsewhere as much as in the lungs."
    );
    (Light::Red, reason)
}

fn judge_source(source: Option<&SourcePrediction>) -> (Light, String) {
    let Some(area) = source.and_then(|source| source.roc_auc.value) else {
        let reason = "Whether the features tell the source cannot be said: there are not two sources with five \
                      patients each."
            .to_owned();
        return (Light::Green, reason);
    };
    if area > SOURCE_LIMIT {
        let reason = format!(
            "The features tell where an image comes from (ROC-AUC {area:.3}, above {SOURCE_LIMIT}): where sources \
             differ in their share of COVID-19, the network can use that."
        );
        return (Light::Amber, reason);
    }
    let reason = format!("The features hardly tell the source (ROC-AUC {area:.3}, not above {SOURCE_LIMIT}).");
    (Light::Green, reason)
}
