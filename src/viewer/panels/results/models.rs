//! The models that the viewer offers: versions, thresholds, the way back, and how a missing one is made.

use egui::{Label, RichText, Ui};

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
        one(ui, state, model, commands);
    }
}

fn one(ui: &mut Ui, state: &ViewerState, model: &Model, commands: &mut Vec<Command>) {
    let installed = &model.installed;
    let in_use = state.engine.classifier() == Some(installed.name.as_str());
    let title = if in_use {
        format!("{} (in use)", installed.name)
    } else {
        installed.name.clone()
    };
    let button = |ui: &mut Ui| {
        let ready = matches!(installed.state, State::Ready { .. });
        if let Some(classifier) = installed.classifier.filter(|_| ready && !in_use) {
            let response = ui.small_button("Use").on_hover_text("Predict with it in Read");
            if response.clicked() {
                commands.push(Command::Results(ResultsCommand::Use(classifier)));
            }
        }
    };
    let mut back = None;
    block(ui, &title, button, |ui| {
        let colour = match installed.state {
            State::Ready { .. } => theme::TEXT,
            State::Broken { .. } => theme::ALARM,
            State::Missing { .. } => theme::MUTED,
        };
        let words = wording::sentence(&model.words());
        let response = ui.add(Label::new(RichText::new(&words).color(colour)).wrap());
        name_value(&response, &format!("Model {}", installed.name), &words);
        if model.has_former() {
            caption(ui, "Versions in your list, oldest first:");
        }
        for version in model.versions.iter().filter(|_| model.has_former()) {
            ui.horizontal(|ui| {
                let hash = wording::short_hash(&version.sha256);
                let active = if version.active { ", active" } else { "" };
                ui.label(format!(
                    "{} ({hash}), threshold {}{active}",
                    version.version,
                    wording::number(version.threshold)
                ));
                if !version.active {
                    let response = ui.small_button("Go back to it");
                    if response.on_hover_text("The version there now is kept").clicked() {
                        back = Some(version.sha256.clone());
                    }
                }
            });
        }
    });
    if let Some(sha256) = back {
        commands.push(Command::Results(ResultsCommand::RollBack(
            installed.name.clone(),
            Some(sha256),
        )));
    }
}
