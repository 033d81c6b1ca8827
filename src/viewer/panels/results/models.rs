//! The models that the viewer offers: what is in use, what lies in the user's list, the way back, and how a missing one
//! is made.

use egui::{Label, RichText, Ui};

use crate::findings::ModelId;
use crate::inference::installed::State;
use crate::viewer::command::Command;
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::{block, caption, name_value};
use crate::viewer::results::ResultsCommand;
use crate::viewer::results::models::Model;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// Draws the tab.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let list = match &state.results.models {
        Pending::Done(list) => list,
        Pending::Failed(reason) => return crate::viewer::panels::train::dataset::error(ui, "Models problem", reason),
        _ => {
            caption(ui, "Looking at the models");
            return;
        }
    };
    for model in &list.models {
        one(ui, model, state.engine.in_use(&model.installed.name), commands);
    }
}

fn one(ui: &mut Ui, model: &Model, in_use: Option<&ModelId>, commands: &mut Vec<Command>) {
    let installed = &model.installed;
    let is_found =
        |used: &ModelId| matches!(&installed.state, State::Ready { sha256, .. } if *sha256 == used.weights_sha256);
    let title = match in_use {
        Some(_) => format!("{} (in use)", installed.name),
        None => installed.name.clone(),
    };
    let button = |ui: &mut Ui| {
        let ready = matches!(installed.state, State::Ready { .. });
        let is_other = !in_use.is_some_and(is_found);
        if let Some(classifier) = installed.classifier.filter(|_| ready && is_other) {
            let response = ui.small_button("Use").on_hover_text("Predict with it in Read");
            if response.clicked() {
                commands.push(Command::Results(ResultsCommand::Use(classifier)));
            }
        }
    };
    let mut back = None;
    block(ui, &title, button, |ui| {
        found(ui, model);
        if let Some(used) = in_use.filter(|used| !is_found(used)) {
            let hash = wording::short_hash(&used.weights_sha256);
            caution(
                ui,
                &format!("In use is version {} ({hash}), which was loaded before.", used.version),
            );
        }
        back = versions(ui, model);
    });
    if let Some(sha256) = back {
        commands.push(Command::Results(ResultsCommand::RollBack(
            installed.name.clone(),
            Some(sha256),
        )));
    }
}

/// What a prediction with this name uses, and where it lies.
fn found(ui: &mut Ui, model: &Model) {
    let installed = &model.installed;
    let colour = match installed.state {
        State::Ready { .. } => theme::TEXT,
        State::Broken { .. } => theme::ALARM,
        State::Missing { .. } => theme::MUTED,
    };
    let words = wording::sentence(&model.words());
    let response = ui.add(Label::new(RichText::new(&words).color(colour)).wrap());
    name_value(&response, &format!("Model {}", installed.name), &words);
    if let State::Ready { weights, .. } = &installed.state {
        caption(ui, weights.display().to_string());
    }
    if let Some((words, light)) = model.audit_words() {
        let response = ui.add(Label::new(RichText::new(&words).color(theme::light(light))).wrap());
        name_value(&response, &format!("Audit of {}", installed.name), &words);
    }
    if let (Some(first), Some(listed)) = (model.hides_list(), model.listed()) {
        let text = format!(
            "Version {} of your model list is not used: {} is searched first.",
            listed.version,
            first.parent().unwrap_or(first).display()
        );
        let response = caution(ui, &text);
        name_value(&response, &format!("Not used of {}", installed.name), &text);
    }
}

fn caution(ui: &mut Ui, text: &str) -> egui::Response {
    ui.add(Label::new(RichText::new(text).color(theme::CAUTION)).wrap())
}

/// The versions in the user's list; the hash of the one that is to be gone back to.
fn versions(ui: &mut Ui, model: &Model) -> Option<String> {
    if model.versions.is_empty() {
        return None;
    }
    caption(ui, "In your model list, oldest first:");
    let mut back = None;
    for version in &model.versions {
        ui.horizontal(|ui| {
            let hash = wording::short_hash(&version.sha256);
            let chosen = if version.active { ", chosen" } else { "" };
            let text = format!(
                "{} ({hash}), threshold {}{chosen}",
                version.version,
                wording::number(version.threshold)
            );
            let response = ui.label(&text);
            name_value(&response, &format!("Version {hash} of {}", model.installed.name), &text);
            if !version.active {
                let response = ui.small_button("Go back to it");
                if response.on_hover_text("The version there now is kept").clicked() {
                    back = Some(version.sha256.clone());
                }
            }
        });
    }
    back
}
