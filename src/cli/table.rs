//! The results of `recovnet evaluate` as text for a reader.

use std::fmt::Write;

use super::evaluate::Results;
use super::evaluation::{ClassMetrics, InLung, MaskMetrics, Measured};

/// Everything in [`Results`], line by line.
pub fn of(results: &Results) -> String {
    let mut text = String::new();
    let evaluation = &results.evaluation;
    let hash = results.weights_sha256.get(..8).unwrap_or_default();
    let head = format!(
        "{} {} ({hash}), threshold {:.3}, on {}\n{}, split {}: {} images, {} laterals left out, {} failed\n",
        results.classifier,
        results.classifier_version,
        results.threshold,
        results.device,
        results.data,
        results.split,
        evaluation.overall.images,
        results.laterals_left_out,
        results.failures.len()
    );
    text.push_str(&head);
    if results.in_training_part > 0 {
        text.push_str("Images of the training part are among them: no test of weights trained on these data.\n");
    }
    let leakage = results.groups_in_test_and_other_parts;
    if !leakage.is_none() {
        let sentence = format!(
            "{} patients or groups are both in the test part (with {} images) and outside it: no independent test.\n",
            leakage.groups, leakage.test_images
        );
        text.push_str(&sentence);
    }
    class_block(&mut text, "All", &evaluation.overall);
    if evaluation.children.images > 0 {
        class_block(&mut text, "Adults", &evaluation.adults);
        class_block(&mut text, "Children", &evaluation.children);
    }
    for (source, metrics) in &evaluation.by_source {
        class_block(&mut text, &format!("Source {source}"), metrics);
    }
    for (convention, metrics) in &evaluation.masks {
        mask_block(&mut text, convention, metrics);
    }
    for (class, metrics) in &evaluation.in_lung_activation {
        in_lung_block(&mut text, class, metrics);
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
        let _ = writeln!(text, "  {name:<14}{value}{interval}");
    }
}
