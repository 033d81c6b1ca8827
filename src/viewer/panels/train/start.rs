//! Where a run begins: random weights, a run's or a file's, what the file is, and the report of an import.

use egui::{Label, RichText, ScrollArea, Ui};

use crate::training::Task;
use crate::training::request::may_begin_with;
use crate::training::start_weights::{ImportedEncoder, StartWeights};
use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::{action_button, block, caption, name_value, value_row};
use crate::viewer::state::ViewerState;
use crate::viewer::train::TrainCommand;
use crate::viewer::train::form::{Form, Initial, Text};
use crate::viewer::{theme, wording};

use super::model::{choice, typed};

/// Draws the block.
pub fn ui(ui: &mut Ui, state: &ViewerState, wishes: &mut Vec<TrainCommand>, commands: &mut Vec<Command>) {
    let form = &state.train.form;
    block(
        ui,
        "Initial weights",
        |_| {},
        |ui| {
            let choices = Initial::ALL.map(|initial| (initial, initial.words(), ""));
            if let Some(initial) = choice(ui, "Where the run begins", form.initial, &choices) {
                wishes.push(TrainCommand::Begin(initial));
            }
            if form.initial == Initial::Random {
                return;
            }
            let mut text = form.initial_path.clone();
            let name = match form.initial {
                Initial::Run => "Folder of the run to begin with",
                _ => "Weights file to begin with",
            };
            let field = typed(ui, name, &mut text);
            if field.changed() {
                wishes.push(TrainCommand::Type(Text::Initial, text));
            }
            if field.lost_focus() {
                wishes.push(TrainCommand::LookAtStart);
            }
            found(ui, state, form, commands);
            report(ui, state);
        },
    );
}

/// What the file is, and whether it fits.
fn found(ui: &mut Ui, state: &ViewerState, form: &Form, commands: &mut Vec<Command>) {
    let config = &form.config;
    match &state.train.start {
        Pending::Failed(reason) => super::dataset::error(ui, "Initial weights problem", reason),
        Pending::Done(found) => match found.as_ref() {
            StartWeights::Network {
                name,
                task,
                encoder,
                graph,
            } => {
                let what = match task {
                    Task::Segmenter => "segmenter",
                    Task::Recovnet => "ReCovNet",
                    Task::Baseline => "plain baseline",
                };
                let text = format!("{name}: {what}, {encoder}, {graph} graph");
                it_is(ui, &text);
                if (*encoder, *graph) != (config.encoder, config.graph) {
                    wrong(ui, "It is of another encoder than is chosen above.");
                } else if !may_begin_with(config.task, *task) {
                    wrong(ui, begins_with(config.task));
                }
            }
            StartWeights::Encoder { encoder, graph } => {
                let text = format!("an imported encoder: {encoder}, {graph} graph");
                it_is(ui, &text);
                if (*encoder, *graph) != (config.encoder, config.graph) {
                    wrong(ui, "It is of another encoder or graph than is chosen.");
                } else if config.task == Task::Recovnet {
                    wrong(ui, "ReCovNet begins with a segmenter; train one from it first.");
                }
            }
            StartWeights::Foreign => {
                caption(
                    ui,
                    format!("Trained elsewhere; it can be imported as {}.", config.encoder),
                );
                action_button(ui, state, Action::ImportEncoder, commands);
            }
        },
        Pending::Running(_) => {
            caption(ui, "Looking at the file");
        }
        Pending::Nothing | Pending::Cancelled => {}
    }
}

/// Which networks a run of a task goes on from, in a sentence.
fn begins_with(task: Task) -> &'static str {
    match task {
        Task::Segmenter => "A segmenter begins with an earlier segmenter.",
        Task::Recovnet => "ReCovNet begins with a segmenter, or with an earlier ReCovNet.",
        Task::Baseline => "A plain baseline begins with an earlier one.",
    }
}

/// What a file is, which may take more than a line.
fn it_is(ui: &mut Ui, text: &str) {
    let response = ui.add(Label::new(text).wrap());
    name_value(&response, "It is", text);
}

fn wrong(ui: &mut Ui, text: &str) {
    let response = ui.add(Label::new(RichText::new(text).color(theme::CAUTION)).wrap());
    name_value(&response, "Initial weights do not fit", text);
}

/// What became of every tensor.
fn report(ui: &mut Ui, state: &ViewerState) {
    match &state.train.import {
        Pending::Running(_) => {
            caption(ui, "Importing");
        }
        Pending::Failed(reason) => super::dataset::error(ui, "Import problem", reason),
        Pending::Done(imported) => imported_report(ui, imported),
        Pending::Nothing | Pending::Cancelled => {}
    }
}

fn imported_report(ui: &mut Ui, imported: &ImportedEncoder) {
    ui.add_space(theme::STEP);
    ui.add(Label::new(&imported.title).wrap());
    for (name, count) in &imported.counts {
        let text = wording::count(*count);
        value_row(ui, &format!("Tensors {name}"), &text, &text);
    }
    if imported.remarkable.is_empty() {
        return;
    }
    let area = ScrollArea::vertical().id_salt("import report").max_height(120.0);
    area.show(ui, |ui| {
        for line in &imported.remarkable {
            caption(ui, line.as_str());
        }
    });
}
