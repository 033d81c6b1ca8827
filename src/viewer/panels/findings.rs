//! What was found on the picture, top to bottom: score, in-lung activation, lungs, map, model, times. Every block
//! keeps its place while it is computed.

use std::time::Instant;

use egui::{Button, ComboBox, Label, RichText, ScrollArea, Slider, Ui};

use super::widgets::{block, caption, coloured_row, name_value, tick_bar, triangle, value_row, with_tooltip};
use super::{card, model_choice};
use crate::findings::{Decision, Findings, Lungs};
use crate::imaging::Radiograph;
use crate::inference::pipeline::Stage;
use crate::training::audit::{Light, reasons_of_card};
use crate::viewer::analysis::{Analysis, EngineStatus, STAGES, stage_words};
use crate::viewer::command::{Action, Command};
use crate::viewer::overlays::{Colormap, OverlaySettings};
use crate::viewer::state::{Shown, ViewerState};
use crate::viewer::{theme, wording};

/// Name of the row with the light of the shortcut audit.
const AUDIT: &str = "Shortcut audit";

/// Draws the panel.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 2.0 * theme::STEP;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let Some(shown) = &state.shown else {
            if state.is_decoding() {
                pending_blocks(ui, state, commands);
            }
            return;
        };
        let findings = shown.findings.as_deref();
        match (findings, &state.analysis) {
            (Some(findings), _) => results(ui, state, shown, findings, commands),
            (None, Analysis::Failed(reason)) => message(ui, "No prediction", reason, true, commands),
            (None, Analysis::OutOfScope(reason)) => message(ui, "Not predicted", reason, false, commands),
            (None, Analysis::Cancelled) => message(ui, "Cancelled", "The prediction was cancelled.", true, commands),
            (None, Analysis::Running { .. } | Analysis::None | Analysis::Done) => pending_blocks(ui, state, commands),
        }
        warnings(ui, &shown.picture.radiograph, findings);
        model(ui, state, findings, commands);
        if let Some(findings) = findings {
            times(ui, shown, findings);
        }
    });
}

/// The blocks in their places and sizes, while there is nothing to put into them yet.
fn pending_blocks(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let running = match state.analysis {
        Analysis::Running { stage, since, .. } => Some((stage, since)),
        _ => None,
    };
    let cancel = |ui: &mut Ui| {
        let response = running.map(|_| with_tooltip(ui.add(Button::new("Cancel").small()), Action::CancelAnalysis));
        if response.is_some_and(|response| response.clicked()) {
            commands.push(Command::Do(Action::CancelAnalysis));
        }
    };
    block(ui, "Prediction", cancel, |ui| {
        reserve(ui, "Prediction", 96.0, |ui| {
            if let Some((stage, since)) = running {
                progress(ui, state, stage, since);
            }
        });
    });
    let at = running.and_then(|(stage, _)| stage);
    for (title, stage, height) in [
        ("Activation in the lungs", Stage::Explain, 70.0),
        ("Lungs", Stage::Segment, 78.0),
        ("Activation map", Stage::Explain, 132.0),
    ] {
        block(
            ui,
            title,
            |_| {},
            |ui| {
                reserve(ui, title, height, |ui| {
                    if at == Some(stage) {
                        caption(ui, "Computing");
                    }
                });
            },
        );
    }
}

/// Contents in a space as high as the block was when it last had results, or of a usual height: nothing jumps when
/// they come.
fn reserve(ui: &mut Ui, title: &'static str, usual: f32, contents: impl FnOnce(&mut Ui)) {
    let height = ui.data(|data| data.get_temp(height_id(title))).unwrap_or(usual);
    ui.allocate_ui(egui::vec2(ui.available_width(), height), |ui| {
        ui.set_min_height(height);
        contents(ui);
    });
}

/// A block with results; its height is kept for [`reserve`].
fn result_block(ui: &mut Ui, title: &'static str, at_end: impl FnOnce(&mut Ui), contents: impl FnOnce(&mut Ui)) {
    block(ui, title, at_end, |ui| {
        let top = ui.cursor().min.y;
        contents(ui);
        let height = ui.min_rect().max.y - top;
        ui.data_mut(|data| data.insert_temp(height_id(title), height));
    });
}

fn height_id(title: &'static str) -> egui::Id {
    egui::Id::unique(("height of block", title))
}

fn progress(ui: &mut Ui, state: &ViewerState, stage: Option<Stage>, since: Instant) {
    // The elapsed time is printed four times a second; a spinner would keep the processor busy instead.
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(250));
    let elapsed = since.elapsed();
    let done = stage
        .and_then(|stage| STAGES.iter().position(|&other| other == stage))
        .unwrap_or(0);
    let share = match state.last_total {
        Some(total) => (elapsed.as_secs_f32() / total.as_secs_f32().max(0.001)).min(0.97),
        None => done as f32 / STAGES.len() as f32,
    };
    ui.add_space(2.0 * theme::STEP);
    let bar = tick_bar(ui, f64::from(share.max(0.02)), None, theme::ACCENT);
    name_value(&bar, "Progress", stage_words(stage));
    let left = state.last_total.and_then(|total| total.checked_sub(elapsed));
    let left = left
        .filter(|left| left.as_secs() >= 1)
        .map(|left| format!(", about {} s left", left.as_secs() + 1));
    caption(ui, format!("{}{}", stage_words(stage), left.unwrap_or_default()));
}

fn message(ui: &mut Ui, title: &str, reason: &str, again: bool, commands: &mut Vec<Command>) {
    block(
        ui,
        title,
        |_| {},
        |ui| {
            let response = ui.add(Label::new(wording::sentence(reason)).wrap());
            name_value(&response, "Reason", reason);
            ui.horizontal(|ui| {
                if again && with_tooltip(ui.button("Predict again"), Action::Analyse).clicked() {
                    commands.push(Command::Do(Action::Analyse));
                }
                if again && ui.button("Copy").on_hover_text("Copy this message").clicked() {
                    commands.push(Command::Copy(reason.to_owned()));
                }
            });
        },
    );
}

fn results(ui: &mut Ui, state: &ViewerState, shown: &Shown, findings: &Findings, commands: &mut Vec<Command>) {
    score(ui, findings);
    in_lung(ui, findings);
    lungs(ui, state, shown, findings, commands);
    map(ui, state, findings, commands);
}

fn score(ui: &mut Ui, findings: &Findings) {
    let value = findings.probabilities.covid19;
    let above = findings.decision == Decision::Covid19;
    let colour = if above { theme::ALARM } else { theme::GOOD };
    result_block(
        ui,
        "Prediction",
        |_| {},
        |ui| {
            ui.horizontal(|ui| {
                let number = wording::number(value);
                let shown = ui.label(RichText::new(&number).font(theme::score()).color(theme::TEXT));
                name_value(&shown, "Score", &number);
                let (mark, _) = ui.allocate_exact_size(egui::Vec2::splat(9.0), egui::Sense::hover());
                triangle(ui.painter(), mark.center(), 9.0, above, colour);
                let class = ui.label(RichText::new(wording::class(findings.decision)).color(colour).strong());
                name_value(&class, "Decision", findings.decision.name());
            });
            tick_bar(ui, value, Some(findings.threshold), colour);
            caption(ui, wording::decision_sentence(findings.decision));
            let [threshold, margin] = [findings.threshold, findings.margin].map(wording::number);
            value_row(ui, "Threshold", &threshold, &threshold);
            value_row(ui, "Margin", &margin, &margin);
        },
    );
}

fn in_lung(ui: &mut Ui, findings: &Findings) {
    result_block(
        ui,
        "Activation in the lungs",
        |_| {},
        |ui| {
            if let Some(ratio) = findings.in_lung.ratio {
                in_lung_ratio(ui, ratio, findings.in_lung.chance);
            } else {
                let response = caption(ui, "Not defined: the lung mask or the activation map is empty.");
                name_value(&response, "In-lung activation", wording::UNKNOWN);
            }
        },
    );
}

fn in_lung_ratio(ui: &mut Ui, ratio: f64, chance: Option<f64>) {
    let below = chance.is_some_and(|chance| ratio < chance);
    let bar = tick_bar(ui, ratio, chance, if below { theme::CAUTION } else { theme::GOOD });
    bar.on_hover_text("The tick is what a map without any preference would score");
    caption(ui, wording::in_lung_sentence(ratio, chance));
    let [ratio, chance] = [Some(ratio), chance].map(wording::number_or_unknown);
    value_row(ui, "In-lung activation", &ratio, &ratio);
    value_row(ui, "In-lung chance", &chance, &chance);
}

fn toggle(ui: &mut Ui, on: bool, action: Action, commands: &mut Vec<Command>) {
    let mut checked = on;
    let name = action.info().text;
    let response = ui
        .checkbox(&mut checked, "Show")
        .accessible_name(format!("Show {}", name.to_lowercase()));
    if with_tooltip(response, action).clicked() {
        commands.push(Command::Do(action));
    }
}

fn lungs(ui: &mut Ui, state: &ViewerState, shown: &Shown, findings: &Findings, commands: &mut Vec<Command>) {
    let toggle = |ui: &mut Ui| toggle(ui, state.overlays.mask, Action::ToggleMask, commands);
    result_block(ui, "Lungs", toggle, |ui| {
        let picture = shown.picture.radiograph.pixel_count() as u64;
        let area = |pixels| wording::area(pixels, picture, shown.spacing());
        let fraction = wording::number(findings.lung_area_fraction);
        match &findings.lungs {
            Lungs::None => {
                caption(ui, "No lung was found.");
            }
            Lungs::Merged(lung) => {
                let text = area(lung.area_px);
                coloured_row(ui, theme::MERGED_LUNG, "Lung area", &text, &text);
                caption(
                    ui,
                    "One component: one lung, or both merged. Right and left are not told apart.",
                );
            }
            Lungs::Pair { right, left } => {
                let [right_text, left_text] = [right, left].map(|lung| area(lung.area_px));
                coloured_row(ui, theme::RIGHT_LUNG, "Right lung", &right_text, &right_text);
                coloured_row(ui, theme::LEFT_LUNG, "Left lung", &left_text, &left_text);
                let ratio = wording::number(right.area_px as f64 / left.area_px.max(1) as f64);
                value_row(ui, "Right / left", &ratio, &ratio);
            }
        }
        value_row(ui, "Lung area fraction", &fraction, &fraction);
        if let Some(spacing) = shown.spacing() {
            caption(ui, format!("Areas: {}.", spacing.label().to_lowercase()));
        }
    });
}

fn map(ui: &mut Ui, state: &ViewerState, findings: &Findings, commands: &mut Vec<Command>) {
    let mut settings = state.overlays;
    let toggle = |ui: &mut Ui| toggle(ui, state.overlays.map, Action::ToggleMap, commands);
    result_block(ui, "Activation map", toggle, |ui| {
        caption(ui, "Where the network responded, not where a disease is.");
        ui.add_enabled_ui(settings.map, |ui| controls(ui, &mut settings));
        let maximum = format!("{:.4}", findings.activation.max);
        value_row(ui, "Map maximum", &maximum, &maximum);
        caption(ui, "Grad-CAM of the COVID-19 logit, last feature map");
    });
    if settings != state.overlays {
        commands.push(Command::Overlays(settings));
    }
}

fn controls(ui: &mut Ui, settings: &mut OverlaySettings) {
    egui::Grid::new("map controls")
        .num_columns(2)
        .spacing([12.0, 2.0])
        .show(ui, |ui| {
            ui.spacing_mut().slider_width = 118.0;
            ui.spacing_mut().interact_size.y = 22.0;
            let percent = |value: f64, _: std::ops::RangeInclusive<usize>| format!("{:.0} %", value * 100.0);
            for (name, value) in [
                ("Opacity", &mut settings.opacity),
                ("Hide below", &mut settings.threshold),
            ] {
                let label = ui.weak(name);
                let slider = Slider::new(value, 0.0..=1.0)
                    .step_by(0.01)
                    .custom_formatter(percent)
                    .custom_parser(parse_percent);
                ui.add(slider).labelled_by(label.id);
                ui.end_row();
            }
            let label = ui.weak("Colours");
            let combo = ComboBox::from_id_salt("colours")
                .selected_text(settings.colours.name())
                .width(118.0);
            let response = combo.show_ui(ui, |ui| {
                for map in Colormap::ALL {
                    ui.selectable_value(&mut settings.colours, map, map.name());
                }
            });
            response.response.labelled_by(label.id);
            ui.end_row();
        });
}

fn parse_percent(text: &str) -> Option<f64> {
    text.trim()
        .trim_end_matches('%')
        .trim()
        .parse::<f64>()
        .ok()
        .map(|percent| percent / 100.0)
}

fn warnings(ui: &mut Ui, radiograph: &Radiograph, findings: Option<&Findings>) {
    let of_findings = findings.map_or(&[][..], |findings| &findings.warnings);
    let mut sentences: Vec<&String> = radiograph.warnings.iter().chain(of_findings).collect();
    sentences.dedup();
    if sentences.is_empty() {
        return;
    }
    block(
        ui,
        "Note",
        |_| {},
        |ui| {
            for sentence in sentences {
                let sentence = RichText::new(wording::sentence(sentence)).color(theme::CAUTION);
                ui.add(Label::new(sentence).wrap());
            }
        },
    );
}

fn model(ui: &mut Ui, state: &ViewerState, findings: Option<&Findings>, commands: &mut Vec<Command>) {
    let loaded = match &state.engine {
        EngineStatus::Ready(loaded) => Some(loaded),
        _ => None,
    };
    let id = findings
        .map(|findings| &findings.classifier)
        .or(loaded.map(|loaded| &loaded.classifier));
    let Some(id) = id else { return };
    let fold = |ui: &mut Ui| {
        if loaded.is_some() {
            let text = if state.layout.card { "Fold card" } else { "Card" };
            if ui
                .add(Button::new(text).small())
                .on_hover_text("The model card: data, metrics, limits")
                .clicked()
            {
                commands.push(Command::ToggleCard);
            }
        }
    };
    let mut chosen = Vec::new();
    block(ui, "Model", fold, |ui| {
        model_choice::ui(ui, state, &id.name, &mut chosen);
        value_row(ui, "Classifier", &id.name, &id.name);
        value_row(ui, "Version", &id.version, &id.version);
        value_row(
            ui,
            "Weights",
            wording::short_hash(&id.weights_sha256),
            &id.weights_sha256,
        );
        if let Some(loaded) = loaded.filter(|loaded| loaded.classifier == *id) {
            audit(ui, &loaded.card);
        }
        if let Some(findings) = findings {
            let segmenter = &findings.segmenter;
            let name = segmenter.name.trim_start_matches("segmenter-");
            let text = format!("{name} {}", segmenter.version);
            value_row(ui, "Segmenter", &text, &text);
        }
        let device = findings
            .map(|findings| &findings.device)
            .or(loaded.map(|loaded| &loaded.device));
        if let Some(device) = device {
            value_row(ui, "Computed on", device, device);
        }
    });
    commands.append(&mut chosen);
    if let Some(loaded) = loaded.filter(|_| state.layout.card) {
        card::ui(ui, &loaded.card, commands);
    }
}

/// What the shortcut audit in the card said, with its reasons on hover.
fn audit(ui: &mut Ui, card: &serde_json::Value) {
    let light = Light::of_card(card);
    let words = light.map_or("not kept in its card", Light::name);
    let reasons = reasons_of_card(card).join("\n");
    let row = |ui: &mut Ui| coloured_row(ui, theme::light(light), AUDIT, words, words);
    let response = ui.scope(row).response;
    if !reasons.is_empty() {
        response.on_hover_text(reasons);
    }
}

fn times(ui: &mut Ui, shown: &Shown, findings: &Findings) {
    block(
        ui,
        "Times",
        |_| {},
        |ui| {
            let times = findings.timings;
            let rows = [
                ("Open", shown.picture.decode),
                ("Prepare", times.preprocess),
                ("Lungs", times.segment),
                ("Score", times.classify),
                ("Map", times.explain),
                ("Prediction", times.total),
            ];
            for (name, time) in rows {
                let text = wording::duration(time);
                value_row(ui, &format!("Time: {}", name.to_lowercase()), &text, &text);
            }
        },
    );
}
