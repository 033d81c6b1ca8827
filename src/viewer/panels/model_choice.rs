//! The classifiers that pictures can be predicted with: installed ones are chosen here, missing ones say how they are
//! made.

use egui::{Button, ComboBox, Ui};

use crate::inference::installed::{Installed, State};
use crate::viewer::command::Command;
use crate::viewer::results::ResultsCommand;
use crate::viewer::state::ViewerState;
use crate::viewer::wording;

/// Draws the choice with the name of the classifier in use.
pub fn ui(ui: &mut Ui, state: &ViewerState, name: &str, commands: &mut Vec<Command>) {
    let Some(list) = state.results.models.done() else {
        return;
    };
    let label = ui.weak("Predict with");
    let combo = ComboBox::from_id_salt("classifier")
        .selected_text(name)
        .width(ui.available_width());
    let response = combo.show_ui(ui, |ui| {
        for model in &list.models {
            choice(ui, &model.installed, name, commands);
        }
    });
    response.response.labelled_by(label.id);
}

fn choice(ui: &mut Ui, installed: &Installed, in_use: &str, commands: &mut Vec<Command>) {
    let Some(classifier) = installed.classifier else { return };
    let (ready, hover) = match &installed.state {
        State::Ready { version, threshold, .. } => (true, format!("Version {version}, threshold {threshold:.3}")),
        State::Broken { problem } => (false, problem.clone()),
        State::Missing { .. } => (false, wording::not_installed(Some(classifier))),
    };
    let hover = wording::sentence(&hover);
    let button = Button::new(&installed.name)
        .selected(installed.name == in_use)
        .frame(false);
    let response = ui.add_enabled(ready, button);
    let response = response.on_hover_text(&hover).on_disabled_hover_text(&hover);
    if response.clicked() && installed.name != in_use {
        commands.push(Command::Results(ResultsCommand::Use(classifier)));
    }
}
