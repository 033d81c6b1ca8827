//! An evaluation: confusion matrix whose cells open their images, threshold slider, figures with intervals, curves,
//! strata, masks.

use egui::{
    Align2, ComboBox, CornerRadius, Grid, Label, RichText, Role, Sense, Slider, TextEdit, Ui, WidgetInfo, vec2,
};

use crate::training::evaluation::{ClassMetrics, Measured, SegmenterReport};
use crate::training::metrics::{Confusion, wilson};
use crate::training::runs::split_warning;
use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::{action_button, block, caption, name_value, value_row_named};
use crate::viewer::results::evaluated::{Cell, Evaluated, Found};
use crate::viewer::results::threshold::Taken;
use crate::viewer::results::{ResultsCommand, SPLITS, Work};
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

use super::{curves, strata};

/// Width of matrix and figures, in ui points.
const FIGURES_WIDTH: f32 = 400.0;
/// Decimals of the threshold on the screen.
const DECIMALS: usize = 3;
/// Size of a cell of the matrix, in ui points.
const CELL: [f32; 2] = [118.0, 52.0];

/// Draws the tab.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    if state.results.run().is_none() {
        ui.weak("Choose a run in the table.");
        return;
    }
    source(ui, state, true, commands);
    match &state.results.evaluation {
        Pending::Failed(reason) => crate::viewer::panels::train::dataset::error(ui, "Evaluation problem", reason),
        Pending::Running(_) => {
            caption(ui, "Reading the evaluation");
        }
        Pending::Done(found) => match found.as_ref() {
            Found::Classifier(evaluated) => results(ui, state, evaluated, commands),
            Found::Segmenter { report, .. } => segmenter(ui, report),
            Found::Nothing if state.results.is_at(Work::Evaluation) => {
                caption(ui, "Its figures appear here.");
            }
            Found::Nothing => {
                ui.weak("The run was not evaluated on this part. Name the data folder and evaluate it.");
            }
        },
        Pending::Nothing | Pending::Cancelled => {}
    }
}

/// A segmenter alone, by its masks.
fn segmenter(ui: &mut Ui, report: &SegmenterReport) {
    if report.in_training_part > 0 && report.split != "train" {
        let count = wording::count(report.in_training_part);
        ui.colored_label(
            theme::CAUTION,
            format!("{count} of the images are of the training part: no test of these weights."),
        );
    }
    strata::masks(ui, &report.masks);
    caption(
        ui,
        format!(
            "{} {} ({}) on part {}; {} images have no mask to compare with, {} failed.",
            report.segmenter,
            report.segmenter_version,
            wording::short_hash(&report.weights_sha256),
            report.split,
            wording::count(report.without_mask),
            wording::count(report.failures.len())
        ),
    );
}

/// Part of the data, its folder, and the button that computes.
pub fn source(ui: &mut Ui, state: &ViewerState, evaluates: bool, commands: &mut Vec<Command>) {
    let results = &state.results;
    ui.horizontal(|ui| {
        let mut split = results.split;
        let label = ui.weak("Part");
        let combo = ComboBox::from_id_salt("part").selected_text(split).width(72.0);
        let response = combo.show_ui(ui, |ui| {
            for name in SPLITS {
                ui.selectable_value(&mut split, name, name);
            }
        });
        response.response.labelled_by(label.id);
        if split != results.split {
            commands.push(Command::Results(ResultsCommand::Split(split)));
        }
        let label = ui.weak("Data folder");
        let mut folder = results.data.clone();
        let field = TextEdit::singleline(&mut folder)
            .desired_width(320.0)
            .hint_text("Folder of labelled images");
        if ui.add(field).labelled_by(label.id).changed() {
            commands.push(Command::Results(ResultsCommand::Data(folder)));
        }
        if evaluates {
            action_button(ui, state, Action::EvaluateRun, commands);
            action_button(ui, state, Action::ExportEvaluation, commands);
        } else {
            action_button(ui, state, Action::AuditRun, commands);
            action_button(ui, state, Action::ExportAudit, commands);
        }
    });
}

fn results(ui: &mut Ui, state: &ViewerState, evaluated: &Evaluated, commands: &mut Vec<Command>) {
    let threshold = state.results.threshold;
    let counts = evaluated.scores.confusion(threshold);
    warnings(ui, evaluated);
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(FIGURES_WIDTH);
            slider(ui, state, evaluated, commands);
            matrix(ui, &counts, commands);
            live(ui, &counts);
            overall(
                ui,
                &evaluated.report.evaluation.overall,
                evaluated.report.subject.threshold,
            );
        });
        ui.vertical(|ui| {
            curves::ui(ui, evaluated, &counts);
            strata::ui(ui, evaluated);
        });
    });
}

fn warnings(ui: &mut Ui, evaluated: &Evaluated) {
    let report = &evaluated.report;
    let mut sentences = Vec::new();
    if report.subject.in_training_part > 0 && report.subject.split != "train" {
        sentences.push(format!(
            "{} of the images are of the training part: no test of these weights.",
            wording::count(report.subject.in_training_part)
        ));
    }
    sentences.extend(split_warning(&report.origin).map(str::to_owned));
    if !report.failures.is_empty() {
        sentences.push(format!(
            "{} files could not be evaluated, the first is {}: {}",
            report.failures.len(),
            report.failures[0].file,
            report.failures[0].error
        ));
    }
    for sentence in sentences {
        ui.colored_label(theme::CAUTION, sentence);
    }
}

fn slider(ui: &mut Ui, state: &ViewerState, evaluated: &Evaluated, commands: &mut Vec<Command>) {
    let card = evaluated.report.subject.threshold;
    block(
        ui,
        "Threshold on the probability of COVID-19",
        |_| {},
        |ui| {
            let mut threshold = state.results.threshold;
            ui.horizontal(|ui| {
                ui.spacing_mut().slider_width = FIGURES_WIDTH - 130.0;
                let mut shown = threshold;
                let slider = Slider::new(&mut shown, 0.0..=1.0).fixed_decimals(DECIMALS);
                ui.add(slider).accessible_name("Threshold");
                // The slider rounds what it shows: the card's threshold must not become another by being looked at.
                if (shown - threshold).abs() > 0.51 * 0.1_f64.powi(DECIMALS as i32) {
                    threshold = shown;
                }
            });
            ui.horizontal(|ui| {
                let rules = evaluated.report.evaluation.thresholds;
                for (text, value) in [("The card's", Some(card)), ("Youden", rules.youden), ("F2", rules.f2)] {
                    let Some(value) = value else { continue };
                    if ui.small_button(text).on_hover_text(wording::number(value)).clicked() {
                        threshold = value;
                    }
                }
            });
            if threshold != state.results.threshold {
                commands.push(Command::Results(ResultsCommand::Threshold(threshold)));
            }
            threshold_to_install(ui, state);
        },
    );
}

/// What a promotion makes of the slider's threshold, where it is not the card's.
pub fn threshold_to_install(ui: &mut Ui, state: &ViewerState) {
    let taken = state.results.taken();
    let Some(sentence) = taken.sentence() else { return };
    let colour = match taken {
        Taken::Refused { .. } => theme::CAUTION,
        Taken::Card | Taken::Slider { .. } => theme::TEXT,
    };
    let response = ui.add(Label::new(RichText::new(&sentence).color(colour)).wrap());
    name_value(&response, "Threshold to install", &sentence);
}

fn matrix(ui: &mut Ui, counts: &Confusion, commands: &mut Vec<Command>) {
    block(
        ui,
        "Confusion matrix: a cell opens its images",
        |_| {},
        |ui| {
            Grid::new("confusion matrix")
                .num_columns(3)
                .spacing([4.0, 4.0])
                .show(ui, |ui| {
                    ui.label("");
                    ui.weak("Decided COVID-19");
                    ui.weak("Decided control");
                    ui.end_row();
                    for (row, truth) in Cell::ALL.chunks(2).zip(["COVID-19", "Control"]) {
                        ui.weak(truth);
                        for cell in row {
                            matrix_cell(ui, *cell, counts, commands);
                        }
                        ui.end_row();
                    }
                });
        },
    );
}

fn matrix_cell(ui: &mut Ui, cell: Cell, counts: &Confusion, commands: &mut Vec<Command>) {
    let count = cell.count(counts);
    let row = Cell::ALL.iter().filter(|other| other.covid19 == cell.covid19);
    let of_row: u64 = row.map(|other| other.count(counts)).sum();
    let share = count as f64 / of_row.max(1) as f64;
    let (rect, response) = ui.allocate_exact_size(CELL.into(), Sense::click());
    let painter = ui.painter();
    let right = cell.covid19 == cell.positive;
    let colour = if right { theme::GOOD } else { theme::ALARM };
    painter.rect_filled(rect, CornerRadius::same(theme::RADIUS), theme::HOVERED);
    let height = rect.height() * share as f32;
    let bar = egui::Rect::from_min_max(egui::pos2(rect.min.x, rect.max.y - height), rect.max);
    painter.rect_filled(bar, CornerRadius::same(theme::RADIUS), theme::faint(colour));
    if response.hovered() || response.has_focus() {
        let stroke = ui.visuals().selection.stroke;
        painter.rect_stroke(
            rect,
            CornerRadius::same(theme::RADIUS),
            stroke,
            egui::StrokeKind::Inside,
        );
    }
    let text = wording::count(count as usize);
    painter.text(
        rect.center() - vec2(0.0, 8.0),
        Align2::CENTER_CENTER,
        text,
        theme::body(),
        theme::TEXT,
    );
    let below = format!("{}, {}", cell.name().to_lowercase(), wording::percent(share));
    painter.text(
        rect.center() + vec2(0.0, 12.0),
        Align2::CENTER_CENTER,
        &below,
        theme::caption(),
        theme::TEXT,
    );
    name_value(&response, cell.name(), &count.to_string());
    let enabled = count > 0;
    response.widget_info(|| WidgetInfo {
        current_text_value: Some(count.to_string()),
        ..WidgetInfo::labeled(Role::Button, enabled, cell.name())
    });
    if response
        .on_hover_text("Open these images in Read, the most certain first")
        .clicked()
        && enabled
    {
        commands.push(Command::Results(ResultsCommand::OpenCell(cell)));
    }
}

/// Figures at the slider's threshold.
fn live(ui: &mut Ui, counts: &Confusion) {
    block(
        ui,
        "At this threshold",
        |_| {},
        |ui| {
            let Confusion { tn, fp, fn_, tp } = *counts;
            let rows = [
                ("Sensitivity", counts.sensitivity(), wilson(tp, tp + fn_)),
                ("Specificity", counts.specificity(), wilson(tn, tn + fp)),
                ("Precision", counts.precision(), wilson(tp, tp + fp)),
                ("F1", counts.f_score(1.0), None),
                ("F2", counts.f_score(2.0), None),
            ];
            for (name, value, interval) in rows {
                let interval = interval.map(|interval| (interval.low, interval.high));
                let text = wording::with_interval(value, interval);
                let plain = wording::number_or_unknown(value);
                value_row_named(ui, name, &format!("{name} at the threshold"), &text, &plain);
            }
            caption(ui, "Intervals: Wilson, 95 %.");
        },
    );
}

fn overall(ui: &mut Ui, metrics: &ClassMetrics, threshold: f64) {
    let title = format!("At the card's threshold {}", wording::number(threshold));
    block(
        ui,
        &title,
        |_| {},
        |ui| {
            for (name, figure) in [
                ("ROC AUC", metrics.roc_auc),
                ("Average precision", metrics.average_precision),
                ("Sensitivity", metrics.sensitivity),
                ("Specificity", metrics.specificity),
                ("F1", metrics.f1),
                ("F2", metrics.f2),
                ("Accuracy", metrics.accuracy),
            ] {
                let plain = wording::number_or_unknown(figure.value);
                value_row_named(ui, name, &format!("{name} of the card"), &measured(figure), &plain);
            }
            caption(
                ui,
                format!(
                    "{} images of {} patients or groups, {} of COVID-19. AUC and F: bootstrap over groups, 95 %.",
                    wording::count(metrics.images),
                    wording::count(metrics.groups),
                    wording::count(metrics.covid19)
                ),
            );
        },
    );
}

/// A figure with its interval.
pub fn measured(figure: Measured) -> String {
    let interval = figure.interval.map(|interval| (interval.low, interval.high));
    wording::with_interval(figure.value, interval)
}
