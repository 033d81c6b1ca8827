//! Figures by stratum and source, and of the lung masks.

use std::collections::BTreeMap;

use egui::Ui;

use crate::training::evaluation::{ClassMetrics, MaskMetrics, Measured};
use crate::viewer::panels::widgets::table;
use crate::viewer::results::evaluated::Evaluated;
use crate::viewer::wording;

use super::evaluation::measured;

/// Draws both tables.
pub fn ui(ui: &mut Ui, evaluated: &Evaluated) {
    classes(ui, evaluated);
    masks(ui, &evaluated.report.evaluation.masks);
    in_lung(ui, evaluated);
}

fn classes(ui: &mut Ui, evaluated: &Evaluated) {
    let evaluation = &evaluated.report.evaluation;
    let mut rows: Vec<(String, &ClassMetrics)> = vec![
        ("All".to_owned(), &evaluation.overall),
        ("Adults".to_owned(), &evaluation.adults),
        ("Children".to_owned(), &evaluation.children),
    ];
    rows.extend(
        evaluation
            .early_covid19
            .iter()
            .map(|metrics| ("Early COVID-19".to_owned(), metrics)),
    );
    let sources = evaluation.by_source.iter();
    rows.extend(sources.map(|(source, metrics)| (format!("Source {source}"), metrics)));
    rows.retain(|(_, metrics)| metrics.images > 0);
    table(
        ui,
        "Strata, at the card's threshold",
        "strata",
        &["", "Images", "COVID-19", "ROC AUC", "Sensitivity", "Specificity"],
        |ui| {
            for (name, metrics) in &rows {
                ui.label(name);
                ui.label(wording::count(metrics.images));
                ui.label(wording::count(metrics.covid19));
                for figure in [metrics.roc_auc, metrics.sensitivity, metrics.specificity] {
                    ui.label(measured(figure));
                }
                ui.end_row();
            }
        },
    );
}

/// Figures of lung masks by their convention.
pub fn masks(ui: &mut Ui, masks: &BTreeMap<String, MaskMetrics>) {
    if masks.is_empty() {
        return;
    }
    let heads = [
        "Lung masks",
        "Images",
        "Dice",
        "IoU",
        "Sensitivity",
        "Specificity",
        "HD95, pixels",
        "HD95, mm",
    ];
    table(ui, "Segmentation", "masks", &heads, |ui| {
        for (convention, metrics) in masks {
            ui.label(convention);
            ui.label(wording::count(metrics.images));
            let figures: [Measured; 6] = [
                metrics.dice,
                metrics.iou,
                metrics.sensitivity,
                metrics.specificity,
                metrics.hd95_px,
                metrics.hd95_mm,
            ];
            for figure in figures {
                ui.label(measured(figure));
            }
            ui.end_row();
        }
    });
}

fn in_lung(ui: &mut Ui, evaluated: &Evaluated) {
    let heads = ["In-lung activation", "Images", "Mean", "Chance", "Above chance"];
    table(ui, "Where the network responded", "in lung", &heads, |ui| {
        for (name, figures) in &evaluated.report.evaluation.in_lung_activation {
            ui.label(name);
            ui.label(wording::count(figures.images));
            ui.label(measured(figures.mean));
            ui.label(wording::number_or_unknown(figures.chance_mean));
            ui.label(measured(figures.above_chance));
            ui.end_row();
        }
    });
}
