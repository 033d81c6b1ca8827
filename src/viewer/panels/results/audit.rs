//! The shortcut audit with its traffic light, in words and shape as well as colour, and the way into the model list.

use egui::{Label, RichText, TextEdit, Ui};
use egui_plot::{Bar, BarChart, Legend, Plot};

use crate::training::Task;
use crate::training::audit::{Audit, InLungDistribution, Light, Region};
use crate::training::runs::promotion::Standing;
use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::{Sign, action_button, block, caption, name_value, sign, table};
use crate::viewer::results::rows::light_words;
use crate::viewer::results::{ResultsCommand, Work};
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

use super::evaluation::{measured, source, threshold_to_install};

/// Width of the light and its reasons, in ui points.
const LIGHT_WIDTH: f32 = 380.0;
/// Height of the distribution, in ui points.
const DISTRIBUTION: f32 = 190.0;

/// Draws the tab.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let Some(run) = state.results.run() else {
        ui.weak("Choose a run in the table.");
        return;
    };
    if run.task() == Some(Task::Segmenter) {
        return segmenter(ui, state, commands);
    }
    source(ui, state, false, commands);
    let audit = match &state.results.audit {
        Pending::Failed(reason) => return crate::viewer::panels::train::dataset::error(ui, "Audit problem", reason),
        Pending::Done(audit) => audit.as_ref().as_ref(),
        _ => None,
    };
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(LIGHT_WIDTH);
            match audit {
                Some(audit) => light(ui, audit),
                None if state.results.is_at(Work::Audit) => {
                    caption(ui, "Its light appears here.");
                }
                None => {
                    caption(ui, "The run was not audited. Name the data folder and audit it.");
                }
            }
            promotion(ui, state, commands);
        });
        if let Some(audit) = audit {
            ui.vertical(|ui| figures(ui, audit));
        }
    });
}

/// A segmenter has no classes and so no shortcut to one; it can be installed as it is.
fn segmenter(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let text = "A segmenter has no shortcut audit: the audit asks whether a classifier needs the lungs, and a segmenter \
                decides on no class. Its masks are measured under Evaluation.";
    let response = ui.add(Label::new(text).wrap());
    name_value(&response, "No audit", text);
    ui.vertical(|ui| {
        ui.set_width(LIGHT_WIDTH);
        promotion(ui, state, commands);
    });
}

fn light(ui: &mut Ui, audit: &Audit) {
    block(
        ui,
        "Does it need the lungs?",
        |_| {},
        |ui| {
            ui.horizontal(|ui| {
                let light = match audit.light {
                    Light::Green => Sign::Good,
                    Light::Amber => Sign::Caution,
                    Light::Red => Sign::Alarm,
                };
                let response = sign(ui, light);
                name_value(&response, "Audit light", audit.light.name());
                let words = light_words(audit.light);
                ui.label(RichText::new(words).strong());
            });
            for reason in &audit.reasons {
                ui.add(Label::new(wording::sentence(reason)).wrap());
            }
            caption(
                ui,
                format!(
                    "{} {} ({}) on part {}.",
                    audit.subject.classifier,
                    audit.subject.classifier_version,
                    wording::short_hash(&audit.subject.weights_sha256),
                    audit.subject.split
                ),
            );
        },
    );
}

fn promotion(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    block(
        ui,
        "Into the viewer's model list",
        |_| {},
        |ui| {
            match &state.results.standing {
                Pending::Done(standing) => match standing.as_ref() {
                    Standing::Ready => {
                        caption(ui, "The weights go with their card; the version there now is kept.");
                    }
                    Standing::NoAudit(reason) => {
                        let text = format!("{} Audit it first.", wording::sentence(reason));
                        ui.add(Label::new(RichText::new(text).color(theme::CAUTION)).wrap());
                    }
                    Standing::NeedsReason(_) => needs_reason(ui, state, commands),
                },
                Pending::Failed(reason) => {
                    ui.add(Label::new(RichText::new(wording::sentence(reason)).color(theme::CAUTION)).wrap());
                }
                _ => {}
            }
            threshold_to_install(ui, state);
            action_button(ui, state, Action::PromoteRun, commands);
        },
    );
}

fn needs_reason(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let text = "The audit is red. It can be installed all the same with a reason, which its card keeps.";
    ui.add(Label::new(RichText::new(text).color(theme::ALARM)).wrap());
    let mut reason = state.results.reason.clone();
    let field = TextEdit::multiline(&mut reason)
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .hint_text("Reason, at least ten characters");
    if ui.add(field).accessible_name("Reason for promoting it").changed() {
        commands.push(Command::Results(ResultsCommand::Reason(reason)));
    }
}

fn figures(ui: &mut Ui, audit: &Audit) {
    let heads = ["What the network is shown", "Images", "ROC AUC"];
    table(ui, "With and without the lungs", "regions", &heads, |ui| {
        for region in Region::ALL {
            let Some(metrics) = audit.regions.get(region.name()) else {
                continue;
            };
            ui.label(region.words());
            ui.label(wording::count(metrics.images));
            let response = ui.label(measured(metrics.roc_auc));
            let plain = wording::number_or_unknown(metrics.roc_auc.value);
            name_value(&response, &format!("AUC, {}", region.words()), &plain);
            ui.end_row();
        }
    });
    table(
        ui,
        "By source, whole images",
        "audit sources",
        &["Source", "Images", "ROC AUC"],
        |ui| {
            for (source, metrics) in &audit.by_source {
                ui.label(source);
                ui.label(wording::count(metrics.images));
                ui.label(measured(metrics.roc_auc));
                ui.end_row();
            }
        },
    );
    if audit.without_lungs > 0 {
        let count = wording::count(audit.without_lungs);
        caption(
            ui,
            format!("The segmenter found no lung in {count} images; they count in the figures of whole images only."),
        );
    }
    let told = audit.source.as_ref().map(|source| measured(source.roc_auc));
    let told = told.map_or_else(
        || "There are not two sources with enough patients to tell apart.".to_owned(),
        |auc| format!("Source told by its features: ROC AUC {auc}."),
    );
    ui.label(told);
    in_lung(ui, &audit.in_lung);
}

fn in_lung(ui: &mut Ui, distribution: &InLungDistribution) {
    ui.label(format!(
        "In-lung activation: median {}, chance {}; above chance in {} of {} images.",
        measured(distribution.median),
        wording::number_or_unknown(distribution.chance_median),
        distribution
            .above_chance
            .value
            .map_or_else(|| wording::UNKNOWN.to_owned(), wording::percent),
        wording::count(distribution.images)
    ));
    let bars = |counts: &[usize], shift: f64| -> Vec<Bar> {
        let width = 1.0 / counts.len().max(1) as f64;
        let bar = |(index, count): (usize, &usize)| {
            Bar::new((index as f64 + 0.3 + shift) * width, *count as f64).width(width * 0.38)
        };
        counts.iter().enumerate().map(bar).collect()
    };
    let plot = Plot::new("in-lung distribution")
        .height(DISTRIBUTION)
        .width(ui.available_width())
        .include_x(0.0)
        .include_x(1.0)
        .x_axis_label("In-lung activation ratio")
        .y_axis_label("Images")
        .legend(Legend::default())
        .show_background(false)
        .grid_color(theme::MUTED)
        .allow_scroll(false);
    let shown = plot.show(ui, |plot| {
        plot.bar_chart(BarChart::new("Ratio", bars(&distribution.histogram, 0.0)).color(theme::ACCENT));
        plot.bar_chart(BarChart::new("Chance level", bars(&distribution.chance_histogram, 0.4)).color(theme::MUTED));
    });
    shown
        .response
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Figure, true, "Distribution of the in-lung activation"));
}
