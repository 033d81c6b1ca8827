//! The drawings of an evaluation and of a shortcut audit.

use crate::training::audit::{Audit, Region};
use crate::training::evaluation::{Measured, Record, Report, ScoreTable, Subject};

use super::chart::{Chart, Matrix, Series};
use super::drawing::Drawing;

/// ROC curve, precision-recall curve, reliability diagram and confusion matrix of an evaluation at a threshold, each
/// with the name of its file.
pub fn evaluation_drawings(report: &Report, records: &[Record], threshold: f64) -> Vec<(&'static str, Drawing)> {
    let scores: Vec<f64> = records.iter().map(|record| record.score).collect();
    let truth: Vec<bool> = records.iter().map(|record| record.is_covid19).collect();
    let table = ScoreTable::new(&scores, &truth);
    vec![
        ("roc", roc(report, &table, threshold)),
        ("precision_recall", precision_recall(report, &table, threshold)),
        ("reliability", reliability(report)),
        ("confusion_matrix", confusion(report, &table, threshold)),
    ]
}

/// What was evaluated, in a line below a drawing.
fn origin(report: &Report) -> String {
    let overall = &report.evaluation.overall;
    format!(
        "{}: {} images of {} groups, {} COVID-19.",
        what(&report.subject),
        overall.images,
        overall.groups,
        overall.covid19
    )
}

fn what(subject: &Subject) -> String {
    weights_on(
        (
            &subject.classifier,
            &subject.classifier_version,
            &subject.weights_sha256,
        ),
        &subject.split,
    )
}

/// Weights by name, version and SHA-256, and the part of the data that they were run on.
pub(super) fn weights_on((name, version, sha256): (&str, &str, &str), split: &str) -> String {
    let hash = sha256.get(..8).unwrap_or_default();
    format!("{name} {version} ({hash}), split {split}")
}

/// A figure with its interval, in words where it is not defined.
pub(super) fn with_interval(figure: Measured) -> String {
    match (figure.value, figure.interval) {
        (Some(value), Some(interval)) => format!("{value:.3} [{:.3}, {:.3}]", interval.low, interval.high),
        (Some(value), None) => format!("{value:.3}"),
        (None, _) => "undefined".to_owned(),
    }
}

/// A cross where a curve stands at the threshold.
fn mark(x: f64, y: f64) -> Series {
    const ARM: f64 = 0.015;
    Series {
        name: "threshold".to_owned(),
        points: vec![[x - ARM, y], [x + ARM, y], [x, y], [x, y - ARM], [x, y + ARM]],
        reference: false,
    }
}

fn roc(report: &Report, table: &ScoreTable, threshold: f64) -> Drawing {
    let mut chart = Chart::unit("ROC curve", "1 - specificity", "Sensitivity");
    let point = |p: &crate::training::evaluation::RocPoint| [p.false_positive_rate, p.true_positive_rate];
    chart.series.push(Series {
        name: format!("AUC {}", with_interval(report.evaluation.overall.roc_auc)),
        points: table.roc().iter().map(point).collect(),
        reference: false,
    });
    let counts = table.confusion(threshold);
    if let (Some(sensitivity), Some(specificity)) = (counts.sensitivity(), counts.specificity()) {
        chart.series.push(mark(1.0 - specificity, sensitivity));
    }
    chart.series.push(Series {
        name: String::new(),
        points: vec![[0.0, 0.0], [1.0, 1.0]],
        reference: true,
    });
    chart.notes.push(origin(report));
    chart.draw()
}

fn precision_recall(report: &Report, table: &ScoreTable, threshold: f64) -> Drawing {
    let mut chart = Chart::unit("Precision-recall curve", "Recall (sensitivity)", "Precision");
    let overall = &report.evaluation.overall;
    let points = table
        .precision_recall()
        .iter()
        .map(|p| [p.recall, p.precision])
        .collect();
    chart.series.push(Series {
        name: format!("average precision {}", with_interval(overall.average_precision)),
        points,
        reference: false,
    });
    let counts = table.confusion(threshold);
    if let (Some(recall), Some(precision)) = (counts.sensitivity(), counts.precision()) {
        chart.series.push(mark(recall, precision));
    }
    let prevalence = overall.covid19 as f64 / overall.images.max(1) as f64;
    chart.series.push(Series {
        name: String::new(),
        points: vec![[0.0, prevalence], [1.0, prevalence]],
        reference: true,
    });
    chart.notes.push(origin(report));
    chart.draw()
}

fn reliability(report: &Report) -> Drawing {
    let mut chart = Chart::unit(
        "Reliability",
        "Predicted probability of COVID-19",
        "Observed share of COVID-19",
    );
    let reliability = &report.evaluation.reliability;
    let bins = &reliability.bins;
    chart.bars = bins
        .iter()
        .filter_map(|bin| Some([bin.low, bin.high, bin.observed?]))
        .collect();
    chart.series.push(Series {
        name: format!(
            "ECE {}",
            with_interval(Measured {
                value: reliability.ece,
                interval: None
            })
        ),
        points: bins
            .iter()
            .filter_map(|bin| Some([bin.predicted?, bin.observed?]))
            .collect(),
        reference: false,
    });
    chart.series.push(Series {
        name: String::new(),
        points: vec![[0.0, 0.0], [1.0, 1.0]],
        reference: true,
    });
    chart.notes.push(origin(report));
    chart.draw()
}

fn confusion(report: &Report, table: &ScoreTable, threshold: f64) -> Drawing {
    let counts = table.confusion(threshold);
    let names = || vec!["COVID-19".to_owned(), "Control".to_owned()];
    let matrix = Matrix {
        title: format!("Confusion matrix at threshold {threshold:.3}"),
        axes: ["Label".to_owned(), "Decision".to_owned()],
        names: [names(), names()],
        counts: vec![vec![counts.tp, counts.fn_], vec![counts.fp, counts.tn]],
        notes: vec![origin(report)],
    };
    matrix.draw()
}

/// ROC-AUC by region and the distribution of the in-lung activation, each with the name of its file.
pub fn audit_drawings(audit: &Audit) -> Vec<(&'static str, Drawing)> {
    vec![("audit_regions", regions(audit)), ("audit_in_lung", in_lung(audit))]
}

fn audit_origin(audit: &Audit) -> String {
    format!("{}: the light is {}.", what(&audit.subject), audit.light.name())
}

fn regions(audit: &Audit) -> Drawing {
    let mut chart = Chart::unit("ROC-AUC by what the network is shown", "", "ROC-AUC");
    let count = Region::ALL.len() as f64;
    for (i, region) in Region::ALL.into_iter().enumerate() {
        let none = Measured {
            value: None,
            interval: None,
        };
        let figures = audit.regions.get(region.name());
        let figure = figures.map_or(none, |figures| figures.roc_auc);
        let (from, to) = ((i as f64 + 0.15) / count, (i as f64 + 0.85) / count);
        let middle = f64::midpoint(from, to);
        if let Some(value) = figure.value {
            chart.bars.push([from, to, value]);
        }
        if let Some(interval) = figure.interval {
            chart.intervals.push([middle, interval.low, interval.high]);
        }
        chart.slots.push([region.words().to_owned(), with_interval(figure)]);
    }
    chart.series.push(Series {
        name: "chance".to_owned(),
        points: vec![[0.0, 0.5], [1.0, 0.5]],
        reference: true,
    });
    chart.notes = vec!["Lines: 95 % intervals.".to_owned(), audit_origin(audit)];
    chart.draw()
}

fn in_lung(audit: &Audit) -> Drawing {
    let distribution = &audit.in_lung;
    let bins = distribution.histogram.len().max(1) as f64;
    let edges = |i: usize| (i as f64 / bins, (i + 1) as f64 / bins);
    let steps = |counts: &[usize]| -> Vec<[f64; 2]> {
        let step = |(i, &count): (usize, &usize)| {
            let (from, to) = edges(i);
            [[from, count as f64], [to, count as f64]]
        };
        counts.iter().enumerate().flat_map(step).collect()
    };
    let chance = Series {
        name: "chance level (lungs' share of the image)".to_owned(),
        points: steps(&distribution.chance_histogram),
        reference: true,
    };
    let mut chart = Chart::fitted(
        "In-lung activation",
        "Share of the activation in the lungs",
        "Images",
        vec![chance],
    );
    chart.ranges[0] = Some([0.0, 1.0]);
    chart.bars = distribution
        .histogram
        .iter()
        .enumerate()
        .map(|(i, &count)| [edges(i).0, edges(i).1, count as f64])
        .collect();
    chart.notes = vec![
        format!("Median {}.", with_interval(distribution.median)),
        audit_origin(audit),
    ];
    chart.draw()
}
