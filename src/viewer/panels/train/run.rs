//! Step 3: start, pause and stop, and how far the run is.

use egui::{Label, RichText, Ui};

use crate::training::event::Stop;
use crate::viewer::command::{Action, Command};
use crate::viewer::panels::widgets::{action_button, block, caption, name_value, tick_bar, value_row};
use crate::viewer::state::ViewerState;
use crate::viewer::train::TrainCommand;
use crate::viewer::train::form::Text;
use crate::viewer::train::session::{Asked, Left, Session, Standing};
use crate::viewer::{theme, wording};

use super::model::{path_field, problem};

/// Draws the step.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let session = &state.train.session;
    if !session.is_active() {
        prepare(ui, state, commands);
    }
    standing(ui, state, commands);
    if session.steps().is_some() {
        progress(ui, session);
        speed(ui, session);
        best(ui, session);
    }
    notes(ui, session, commands);
}

/// Where the run is kept, and whether it goes on from there.
fn prepare(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let form = &state.train.form;
    block(
        ui,
        "Run folder",
        |_| {},
        |ui| {
            path_field(ui, "Folder of the run", &form.run_folder, Text::RunFolder, commands);
            caption(ui, "Settings, curves, checkpoints and the best weights are kept there.");
            let mut resume = form.resume;
            let response = ui.checkbox(&mut resume, "Go on with the run in this folder");
            if response.changed() {
                commands.push(Command::Train(TrainCommand::Resume(resume)));
            }
            response.on_hover_text("The run's own settings are used, and its curves are shown again");
        },
    );
}

/// The run's state in a sentence.
pub fn sentence(session: &Session) -> String {
    let of = |done: usize, total: usize| format!("{} of {}", wording::count(done), wording::count(total));
    match &session.standing {
        Standing::None => "No run yet.".to_owned(),
        Standing::Starting => "Starting the training process.".to_owned(),
        Standing::Checking { stage, done, total } => {
            format!(
                "Checking the data for copies in two parts, {stage}: {}.",
                of(*done, *total)
            )
        }
        Standing::Loading { done, total, size } => format!("Reading images at {size} px: {}.", of(*done, *total)),
        Standing::Training => "Training.".to_owned(),
        Standing::Validating { done, total } => format!("Evaluating the validation part: {}.", of(*done, *total)),
        Standing::Paused => "Paused. A checkpoint is on disk.".to_owned(),
        Standing::Finished(weights) => format!("Finished. The best weights are {}.", weights.display()),
        Standing::Stopped(place) => format!(
            "Stopped after {} epochs and {} batches. It can be resumed.",
            place.epochs, place.steps
        ),
        Standing::Failed(reason, kept) => {
            let kept = match kept {
                Some(place) => format!(" Kept until epoch {}, batch {}.", place.epochs + 1, place.steps),
                None => String::new(),
            };
            format!("{}{kept}", wording::sentence(reason))
        }
    }
}

/// The state in a word or two, for lists and the status bar.
pub fn short(session: &Session) -> &'static str {
    match &session.standing {
        Standing::None => "none",
        Standing::Starting => "starting",
        Standing::Checking { .. } => "checking the data",
        Standing::Loading { .. } => "reading images",
        Standing::Training => "training",
        Standing::Validating { .. } => "validating",
        Standing::Paused => "paused",
        Standing::Finished(_) => "finished",
        Standing::Stopped(_) => "stopped",
        Standing::Failed(..) => "failed",
    }
}

fn standing(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let session = &state.train.session;
    let title = session
        .started
        .as_ref()
        .map_or_else(|| "Run".to_owned(), |started| format!("Run: {}", started.name));
    let state_word = |ui: &mut Ui| {
        let response = ui.label(short(session));
        name_value(&response, "Run state", short(session));
    };
    block(ui, &title, state_word, |ui| {
        let text = sentence(session);
        let colour = match session.standing {
            Standing::Failed(..) => theme::ALARM,
            Standing::Finished(_) => theme::GOOD,
            _ => theme::TEXT,
        };
        ui.add(Label::new(RichText::new(&text).color(colour)).wrap());
        stage(ui, session);
        if let Some(asked) = session.asked {
            caption(ui, asked_words(asked));
        }
        if matches!(session.standing, Standing::Finished(_)) {
            caption(ui, "Results evaluates and audits it, and installs it (F4).");
        }
        if let Standing::Failed(reason, _) = &session.standing
            && ui.button("Copy").on_hover_text("Copy this message").clicked()
        {
            commands.push(Command::Copy(reason.clone()));
        }
        buttons(ui, state, commands);
        if !session.is_active() {
            problem(ui, state);
        }
    });
}

/// How far the checking, the reading or the evaluating is.
fn stage(ui: &mut Ui, session: &Session) {
    let Some((done, total)) = session.stage().filter(|(_, total)| *total > 0) else {
        return;
    };
    let response = tick_bar(ui, done as f64 / total as f64, None, theme::ACCENT);
    name_value(&response, "Progress of the stage", &format!("{done} of {total}"));
    if let Some(left) = session.left_of_stage() {
        caption(ui, wording::time_left(left, left));
    }
}

fn asked_words(asked: Asked) -> &'static str {
    match asked {
        Asked::Pause => "It will pause after the batch under way.",
        Asked::Resume => "It will go on.",
        Asked::Stop(Stop::AfterBatch) => "It will stop after the batch under way.",
        Asked::Stop(Stop::AfterEpoch) => "It will stop after this epoch. Continue takes that back.",
    }
}

fn buttons(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.add_space(theme::STEP);
    if !state.train.session.is_active() {
        action_button(ui, state, Action::StartRun, commands);
        return;
    }
    ui.horizontal(|ui| {
        for action in [Action::PauseRun, Action::ContinueRun] {
            action_button(ui, state, action, commands);
        }
    });
    ui.horizontal(|ui| {
        for action in [Action::StopAfterBatch, Action::StopAfterEpoch] {
            action_button(ui, state, action, commands);
        }
    });
}

fn progress(ui: &mut Ui, session: &Session) {
    block(
        ui,
        "Progress",
        |_| {},
        |ui| {
            if let Some((done, total)) = session.steps() {
                let title = format!("Run: batch {} of {}", wording::count(done), wording::count(total));
                let left = session.left().filter(|_| session.is_active());
                bar(ui, "Progress of the run", &title, (done, total), left);
            }
            if let (Some((epoch, done, steps)), Some(started)) = (session.epoch_steps(), &session.started) {
                let title = format!("Epoch {epoch} of {}: batch {done} of {steps}", started.epochs);
                let left = session.left_of_epoch().filter(|_| session.is_active());
                bar(ui, "Progress of the epoch", &title, (done, steps), left);
            }
        },
    );
}

fn bar(ui: &mut Ui, name: &str, title: &str, (done, total): (usize, usize), left: Option<Left>) {
    let share = done as f64 / total.max(1) as f64;
    let left = left.map(|left| wording::time_left(left.least, left.most));
    ui.horizontal(|ui| {
        ui.label(title);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.weak(left.clone().unwrap_or_default());
        });
    });
    let response = tick_bar(ui, share, None, theme::ACCENT);
    name_value(&response, name, &format!("{done} of {total}"));
}

fn speed(ui: &mut Ui, session: &Session) {
    block(
        ui,
        "Speed and memory",
        |_| {},
        |ui| {
            if let Some(step) = &session.step {
                let speed = format!("{:.1}", step.images_per_second);
                value_row(ui, "Images per second", &speed, &speed);
                let waited = wording::percent(step.waited);
                value_row(ui, "Time waited for data", &waited, &waited);
                let memory = step
                    .memory_mib
                    .map_or_else(|| wording::UNKNOWN.to_owned(), wording::memory);
                value_row(ui, "Memory of the process", &memory, &memory);
                if let Some(gpu) = step.gpu_mib {
                    let gpu = wording::memory(gpu);
                    value_row(ui, "Memory of the GPU", &gpu, &gpu);
                }
            }
            if let Some(started) = &session.started {
                value_row(ui, "Device", &started.device, &started.device);
                for part in &started.parts {
                    let text = format!(
                        "{} images, {} groups",
                        wording::count(part.images),
                        wording::count(part.groups)
                    );
                    let name = match part.part.as_str() {
                        "train" => "Training part",
                        "val" => "Validation part",
                        "test" => "Test part",
                        other => other,
                    };
                    value_row(ui, name, &text, &text);
                }
            }
        },
    );
}

fn best(ui: &mut Ui, session: &Session) {
    let Some(best) = session.epochs.iter().rev().find(|record| record.best) else {
        return;
    };
    block(
        ui,
        "Best epoch so far",
        |_| {},
        |ui| {
            let score = wording::number(best.validation_score);
            value_row(ui, "Epoch", &best.epoch.to_string(), &best.epoch.to_string());
            value_row(
                ui,
                &format!("Validation {}", wording::metric(&best.metric)),
                &score,
                &score,
            );
        },
    );
}

fn notes(ui: &mut Ui, session: &Session, commands: &mut Vec<Command>) {
    if session.notes.is_empty() {
        return;
    }
    let copy = |ui: &mut Ui| {
        if ui.small_button("Copy").on_hover_text("Copy the notes").clicked() {
            commands.push(Command::Copy(session.notes.join("\n")));
        }
    };
    block(ui, "Notes", copy, |ui| {
        for note in &session.notes {
            let text = RichText::new(wording::sentence(note)).color(theme::CAUTION);
            ui.add(Label::new(text).wrap());
        }
    });
}
