//! Step 2: network, where it begins, its settings, and what computes it.

use egui::{ComboBox, Label, Response, RichText, TextEdit, Ui};

use crate::training::event::Estimate;
use crate::training::recipe::Recipe;
use crate::training::{BackboneKind, Task};
use crate::viewer::command::{Action, Command};
use crate::viewer::panels::widgets::{action_button, block, caption, name_value, value_row};
use crate::viewer::state::ViewerState;
use crate::viewer::train::form::{Form, Priority, Text};
use crate::viewer::train::{Estimating, TrainCommand, TrainState, asked};
use crate::viewer::{theme, wording};

use super::{setting_rows, start};

/// Phases in the order of the panel, with what they are.
const TASKS: [(Task, &str, &str); 3] = [
    (
        Task::Segmenter,
        "Phase I: lung segmenter",
        "Learns lung masks that were drawn by hand",
    ),
    (
        Task::Recovnet,
        "Phase II: ReCovNet",
        "COVID-19 against control, with the encoder of a trained segmenter",
    ),
    (
        Task::Baseline,
        "Plain baseline",
        "COVID-19 against control without a segmenter's encoder, for comparison",
    ),
];

/// Recipes in the order of the panel, with what they are.
const RECIPES: [(Recipe, &str, &str); 2] = [
    (
        Recipe::Paper,
        "The paper's",
        "Keras's Adam at the paper's rates, 15 epochs; expects an encoder that was trained before",
    ),
    (
        Recipe::Scratch,
        "From scratch",
        "Larger rates with warm-up and cosine decay, small images first; for random initial weights",
    ),
];

/// Draws the step.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let form = &state.train.form;
    let mut wishes = Vec::new();
    ui.add_enabled_ui(!state.train.session.is_active(), |ui| {
        network(ui, form, &mut wishes);
        start::ui(ui, state, &mut wishes, commands);
        segmenter(ui, &state.train, &mut wishes);
        recipe(ui, form, &mut wishes);
        machine(ui, form, &mut wishes);
    });
    commands.extend(wishes.into_iter().map(Command::Train));
    estimate(ui, state, commands);
    problem(ui, state);
}

/// A box of choices (value, text, tooltip) with a name; what was chosen, if it is another.
pub fn choice<T: Copy + PartialEq>(ui: &mut Ui, name: &str, now: T, choices: &[(T, &str, &str)]) -> Option<T> {
    choice_response(ui, name, now, choices).1
}

fn choice_response<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    now: T,
    choices: &[(T, &str, &str)],
) -> (Response, Option<T>) {
    let mut chosen = now;
    let text = choices
        .iter()
        .find(|(value, ..)| *value == now)
        .map_or("", |(_, text, _)| text);
    let combo = ComboBox::from_id_salt(name)
        .selected_text(text)
        .width(ui.available_width());
    let response = combo.show_ui(ui, |ui| {
        for (value, text, tooltip) in choices {
            ui.selectable_value(&mut chosen, *value, *text).on_hover_text(*tooltip);
        }
    });
    let response = response.response.accessible_name(name);
    (response, (chosen != now).then_some(chosen))
}

fn network(ui: &mut Ui, form: &Form, wishes: &mut Vec<TrainCommand>) {
    let config = &form.config;
    block(
        ui,
        "Network",
        |_| {},
        |ui| {
            let task = choice(ui, "Phase", config.task, &TASKS);
            let about = TASKS.iter().find(|(task, ..)| *task == config.task);
            if let Some((_, _, about)) = about {
                caption(ui, format!("{about}."));
            }
            let encoders = BackboneKind::ALL.map(|encoder| (encoder, encoder.name(), ""));
            let encoder = choice(ui, "Encoder", config.encoder, &encoders);
            if task.is_some() || encoder.is_some() {
                let (task, encoder) = (task.unwrap_or(config.task), encoder.unwrap_or(config.encoder));
                wishes.push(TrainCommand::Choose(task, encoder, config.recipe));
            }
        },
    );
}

/// The segmenter that finds the lungs, for classifiers.
fn segmenter(ui: &mut Ui, train: &TrainState, wishes: &mut Vec<TrainCommand>) {
    let form = &train.form;
    if form.config.task == Task::Segmenter {
        return;
    }
    block(
        ui,
        "Segmenter that finds the lungs",
        |_| {},
        |ui| {
            let mut text = form.segmenter.clone();
            if typed(ui, "Weights file of a segmenter", &mut text).changed() {
                wishes.push(TrainCommand::Type(Text::Segmenter, text));
            }
            caption(
                ui,
                "For the in-lung ratio of the watch-list, and where only the lungs are shown.",
            );
            if form.segmenter.trim().is_empty() && form.config.region.is_full() {
                let text = match asked::usual_segmenter(train) {
                    Some(path) => format!("None is named: the watch-list takes {}.", path.display()),
                    None => "None is named or installed: the watch-list has no in-lung ratio.".to_owned(),
                };
                let response = caption(ui, &text);
                name_value(&response, "Segmenter of the watch-list", &text);
            }
        },
    );
}

fn recipe(ui: &mut Ui, form: &Form, wishes: &mut Vec<TrainCommand>) {
    let changed = form.changed();
    let config = &form.config;
    let title = match changed {
        0 => "Recipe".to_owned(),
        1 => "Recipe, 1 setting changed".to_owned(),
        more => format!("Recipe, {more} settings changed"),
    };
    let mut unfold = None;
    let fold = |ui: &mut Ui| {
        let text = if form.unfolded { "Fold settings" } else { "Settings" };
        if ui
            .small_button(text)
            .on_hover_text("Every value of the recipe")
            .clicked()
        {
            unfold = Some(!form.unfolded);
        }
    };
    block(ui, &title, fold, |ui| {
        if let Some(recipe) = choice(ui, "Recipe", config.recipe, &RECIPES) {
            wishes.push(TrainCommand::Choose(config.task, config.encoder, recipe));
        }
        if changed > 0 && ui.button("Back to the recipe").clicked() {
            wishes.push(TrainCommand::Choose(config.task, config.encoder, config.recipe));
        }
        if form.unfolded || !form.wrong.is_empty() {
            setting_rows::ui(ui, form, wishes);
        }
    });
    wishes.extend(unfold.map(TrainCommand::Unfold));
}

fn machine(ui: &mut Ui, form: &Form, wishes: &mut Vec<TrainCommand>) {
    block(
        ui,
        "Machine",
        |_| {},
        |ui| {
            for (name, field, text, hint, problem) in [
                (
                    "Device",
                    Text::Device,
                    &form.device,
                    "auto, cpu or cuda:0",
                    form.device_problem().map(str::to_owned),
                ),
                (
                    "Threads",
                    Text::Threads,
                    &form.threads,
                    "one a core",
                    form.threads_problem(),
                ),
                (
                    "Watched images",
                    Text::Watched,
                    &form.watch,
                    "drawn after every epoch",
                    form.watch_problem(),
                ),
                (
                    "Keep every",
                    Text::KeepEvery,
                    &form.keep_every,
                    "so many epochs, beside the best",
                    form.keep_every_problem(),
                ),
            ] {
                let mut text = text.clone();
                if setting_rows::field(ui, name, hint, hint, &mut text, problem.as_deref()) {
                    wishes.push(TrainCommand::Type(field, text));
                }
            }
            let priorities = [Priority::Low, Priority::Normal].map(|priority| (priority, priority.words(), ""));
            let tooltip = "How the run shares the machine with reading";
            let chosen = setting_rows::named(ui, ("Priority", false), tooltip, |ui| {
                choice_response(ui, "Priority", form.priority, &priorities)
            });
            wishes.extend(chosen.map(TrainCommand::Priority));
        },
    );
}

/// What the run would take, measured by a few steps.
fn estimate(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    block(
        ui,
        "Time and memory",
        |_| {},
        |ui| {
            match &state.train.estimate {
                Estimating::Nothing => {
                    caption(ui, "Measured by a few steps on noise; nothing is written.");
                }
                Estimating::Running(since) => {
                    ui.ctx().request_repaint_after(std::time::Duration::from_secs(1));
                    caption(
                        ui,
                        format!(
                            "Making trial steps, {}",
                            wording::seconds(since.elapsed().as_secs_f64())
                        ),
                    );
                }
                Estimating::Failed(reason) => super::dataset::error(ui, "Estimate problem", reason),
                Estimating::Done(estimate) => estimated(ui, estimate),
            }
            if state.train.estimate.is_active() {
                action_button(ui, state, Action::CancelEstimate, commands);
            } else {
                action_button(ui, state, Action::Estimate, commands);
            }
        },
    );
}

fn estimated(ui: &mut Ui, estimate: &Estimate) {
    let time = wording::seconds(estimate.seconds);
    value_row(ui, "The whole run", &time, &time);
    for stage in &estimate.stages {
        let epoch = format!(
            "{} of {} batches, batch {}",
            wording::seconds(stage.epoch_seconds),
            wording::count(stage.steps_per_epoch),
            stage.micro_batch
        );
        value_row(ui, &format!("An epoch at {} px", stage.size), &epoch, &epoch);
    }
    for (name, memory) in [
        ("Memory at most", estimate.peak_mib),
        ("Memory that is free", estimate.free_mib),
    ] {
        if let Some(memory) = memory {
            let text = wording::memory(memory);
            value_row(ui, name, &text, &text);
        }
    }
    if let (Some(peak), Some(free)) = (estimate.peak_mib, estimate.free_mib)
        && peak > free
    {
        let text = "More than is free now: the batch will be cut smaller, or close other programs.";
        ui.add(Label::new(RichText::new(text).color(theme::CAUTION)).wrap());
    }
    caption(ui, format!("On {}.", estimate.device));
}

/// A named field for a text over the whole width.
pub fn typed(ui: &mut Ui, name: &str, text: &mut String) -> Response {
    let field = TextEdit::singleline(text).desired_width(f32::INFINITY).hint_text(name);
    ui.add(field).accessible_name(name)
}

/// A field for a path.
pub fn path_field(ui: &mut Ui, name: &str, text: &str, field: Text, commands: &mut Vec<Command>) {
    let mut text = text.to_owned();
    if typed(ui, name, &mut text).changed() {
        commands.push(Command::Train(TrainCommand::Type(field, text)));
    }
}

/// What keeps the run from being started, in place.
pub fn problem(ui: &mut Ui, state: &ViewerState) {
    if let Some(problem) = state.train.problem() {
        let response = ui.add(Label::new(RichText::new(&problem).color(theme::CAUTION)).wrap());
        name_value(&response, "Not ready", &problem);
    }
}
