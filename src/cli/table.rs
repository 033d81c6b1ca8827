//! The results of `recovnet evaluate` as text for a reader.

use std::fmt::Write;

use crate::training::evaluation::{ClassMetrics, InLung, MaskMetrics, Measured, Report, SegmenterReport};

/// Everything in a [`Report`], line by line.
pub fn of(results: &Report) -> String {
    let mut text = String::new();
    let evaluation = &results.evaluation;
    let hash = results.subject.weights_sha256.get(..8).unwrap_or_default();
    let head = format!(
        "{} {} ({hash}), threshold {:.3}, on {}\n{}, split {}: {} images, {} laterals left out, {} failed\n",
        results.subject.classifier,
        results.subject.classifier_version,
        results.subject.threshold,
        results.device,
        results.subject.data,
        results.subject.split,
        evaluation.overall.images,
        results.laterals_left_out,
        results.failures.len()
    );
    text.push_str(&head);
    if results.subject.in_training_part > 0 {
        text.push_str("Images of the training part are among them: no test of weights trained on these data.\n");
    }
    class_block(&mut text, "All", &evaluation.overall);
    if evaluation.children.images > 0 {
        class_block(&mut text, "Adults", &evaluation.adults);
        class_block(&mut text, "Children", &evaluation.children);
    }
    if let Some(early) = &evaluation.early_covid19 {
        class_block(&mut text, "Early COVID-19 against all control images", early);
    }
    for (source, metrics) in &evaluation.by_source {
        class_block(&mut text, &format!("Source {source}"), metrics);
    }
    for (convention, metrics) in &evaluation.masks {
        mask_block(&mut text, convention, metrics);
    }
    for class in ["all", "control", "covid19"] {
        if let Some(metrics) = evaluation.in_lung_activation.get(class) {
            in_lung_block(&mut text, class, metrics);
        }
    }
    let alone = |value| Measured { value, interval: None };
    text.push_str("\nCalibration and thresholds\n");
    let figures = [
        ("ECE", alone(evaluation.reliability.ece)),
        ("Brier score", alone(evaluation.reliability.brier)),
        ("Youden", alone(evaluation.thresholds.youden)),
        ("best F2", alone(evaluation.thresholds.f2)),
    ];
    rows(&mut text, &figures);
    text
}

/// Everything in a [`SegmenterReport`], line by line.
pub fn of_segmenter(results: &SegmenterReport) -> String {
    let hash = results.weights_sha256.get(..8).unwrap_or_default();
    let mut text = format!(
        "{} {} ({hash}), threshold {:.3}, on {}\n{}, split {}: {} images without a mask left out, {} failed\n",
        results.segmenter,
        results.segmenter_version,
        results.threshold,
        results.device,
        results.data,
        results.split,
        results.without_mask,
        results.failures.len()
    );
    if results.in_training_part > 0 {
        text.push_str("Images of the training part are among them: no test of weights trained on these data.\n");
    }
    for (convention, metrics) in &results.masks {
        mask_block(&mut text, convention, metrics);
    }
    text
}

fn class_block(text: &mut String, title: &str, metrics: &ClassMetrics) {
    let counts = metrics.confusion;
    let title = format!(
        "\n{title}: {} images of {} groups, {} COVID-19, {} control; TP {} FP {} TN {} FN {}\n",
        metrics.images, metrics.groups, metrics.covid19, metrics.control, counts.tp, counts.fp, counts.tn, counts.fn_
    );
    text.push_str(&title);
    let figures = [
        ("ROC-AUC", metrics.roc_auc),
        ("sensitivity", metrics.sensitivity),
        ("specificity", metrics.specificity),
        ("precision", metrics.precision),
        ("accuracy", metrics.accuracy),
        ("F1", metrics.f1),
        ("F2", metrics.f2),
        ("avg. precision", metrics.average_precision),
    ];
    rows(text, &figures);
}

fn mask_block(text: &mut String, convention: &str, metrics: &MaskMetrics) {
    let title = format!(
        "\nLung masks, {convention}: {} images, means over images\n",
        metrics.images
    );
    text.push_str(&title);
    let figures = [
        ("Dice", metrics.dice),
        ("IoU", metrics.iou),
        ("HD95, pixels", metrics.hd95_px),
        ("HD95, mm", metrics.hd95_mm),
        ("sensitivity", metrics.sensitivity),
        ("specificity", metrics.specificity),
        ("precision", metrics.precision),
    ];
    rows(text, &figures);
}

fn in_lung_block(text: &mut String, class: &str, metrics: &InLung) {
    let title = format!(
        "\nIn-lung activation, {class}: {} images, {} with an empty map or mask\n",
        metrics.images, metrics.empty
    );
    text.push_str(&title);
    let chance = Measured {
        value: metrics.chance_mean,
        interval: None,
    };
    rows(
        text,
        &[
            ("mean", metrics.mean),
            ("chance, mean", chance),
            ("above chance", metrics.above_chance),
        ],
    );
    if let Some(percentiles) = metrics.percentiles {
        let [p5, p25, p50, p75, p95] = percentiles.map(|value| format!("{value:.3}"));
        let line = format!("  5 / 25 / 50 / 75 / 95 %  {p5} / {p25} / {p50} / {p75} / {p95}\n");
        text.push_str(&line);
    }
}

fn rows(text: &mut String, figures: &[(&str, Measured)]) {
    for (name, figure) in figures {
        let value = figure.value.map_or("-".to_owned(), |value| format!("{value:.4}"));
        let interval = figure
            .interval
            .map_or(String::new(), |i| format!("  [{:.4}, {:.4}]", i.low, i.high));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<16}{value}{interval}");
    }
}
