//! One run: its curves, its settings, and what the user wrote about it.

use egui::{Button, Grid, Label, RichText, TextEdit, Ui, Vec2};
use serde_json::Value;

use crate::training::recipe::BestBy;
use crate::training::runs::Run;
use crate::viewer::command::{Action, Command};
use crate::viewer::panels::chart::{Chart, Corner, Curve};
use crate::viewer::panels::widgets::{action_button, block, name_value, value_row};
use crate::viewer::results::ResultsCommand;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// Width of the settings, in ui points.
const SETTINGS_WIDTH: f32 = 330.0;
/// Height of a chart, in ui points.
const CHART: f32 = 240.0;
/// The curve of what the run was judged by.
const SCORE: &str = "validation_score";
/// Curves that are losses.
const LOSSES: [&str; 2] = ["train_loss", "validation_loss"];
/// Curves that are no scores.
const NO_SCORES: [&str; 8] = [
    "train_loss",
    "validation_loss",
    "rate",
    "size",
    "seconds",
    "images",
    "images_per_second",
    "waited",
];

/// Draws the tab.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let Some(run) = state.results.run() else {
        ui.weak("Choose a run in the table.");
        return;
    };
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(SETTINGS_WIDTH);
            about(ui, state, run, commands);
            settings(ui, run);
        });
        ui.vertical(|ui| curves(ui, run));
    });
}

fn about(ui: &mut Ui, state: &ViewerState, run: &Run, commands: &mut Vec<Command>) {
    block(
        ui,
        &run.name,
        |_| {},
        |ui| {
            if let Some(problem) = &run.problem {
                let text = RichText::new(wording::sentence(problem)).color(theme::ALARM);
                let response = ui.add(Label::new(text).wrap());
                name_value(&response, "Run problem", problem);
            }
            value_row(ui, "State", run.state.name(), run.state.name());
            if let Some(best) = &run.best {
                let score = wording::number(best.score);
                value_row(ui, &format!("Best {}", wording::metric(&best.metric)), &score, &score);
                value_row(ui, "In epoch", &best.epoch.to_string(), &best.epoch.to_string());
            }
            if let Some((version, sha256)) = &run.version {
                value_row(ui, "Version", version, version);
                value_row(ui, "Weights", wording::short_hash(sha256), sha256);
            }
            ui.horizontal(|ui| {
                action_button(ui, state, Action::ResumeRun, commands);
                repeat(ui, state, run, commands);
            });
            ui.add_space(theme::STEP);
            let mut notes = state.results.notes.clone();
            let field = TextEdit::multiline(&mut notes)
                .desired_width(f32::INFINITY)
                .desired_rows(2)
                .hint_text("Notes");
            let field = ui.add(field).accessible_name("Notes");
            if field.changed() {
                commands.push(Command::Results(ResultsCommand::Notes(notes)));
            }
            if field.lost_focus() {
                commands.push(Command::Results(ResultsCommand::KeepNotes));
            }
        },
    );
}

/// The way to the same run once more: not while one is under way, and only where the run kept what it was asked for.
fn repeat(ui: &mut Ui, state: &ViewerState, run: &Run, commands: &mut Vec<Command>) {
    let can = run.data.is_some() && !state.train.session.is_active() && state.results.repeat.running().is_none();
    let response = ui.add_enabled(can, Button::new("Repeat run"));
    let tooltip = "Fill the form of Train with the settings and data of this run, for a new folder beside it";
    if response
        .on_hover_text(tooltip)
        .on_disabled_hover_text(tooltip)
        .clicked()
    {
        commands.push(Command::Results(ResultsCommand::Repeat));
    }
}

fn settings(ui: &mut Ui, run: &Run) {
    block(
        ui,
        "Settings",
        |_| {},
        |ui| {
            Grid::new("settings")
                .num_columns(2)
                .spacing([16.0, 2.0])
                .show(ui, |ui| {
                    for (name, value) in &run.settings {
                        ui.weak(name.replace('_', " "));
                        ui.add(Label::new(value_text(value)).wrap());
                        ui.end_row();
                    }
                });
        },
    );
}

/// A setting's value on a line.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(value_text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name} {}", value_text(value)));
            fields.collect::<Vec<_>>().join(" ")
        }
        Value::Number(number) => number.to_string(),
    }
}

/// Whether a curve says how well a run learned: a loss or a score, and not how it was made.
pub fn says_how_well(name: &str) -> bool {
    LOSSES.contains(&name) || !NO_SCORES.contains(&name)
}

fn curves(ui: &mut Ui, run: &Run) {
    let size = Vec2::new(ui.available_width(), CHART);
    let curve = |place: usize, name: &str| Curve {
        name: wording::metric(name),
        points: run.curves[name].clone(),
        place,
        faint: false,
        marked: true,
    };
    let losses = LOSSES.into_iter().filter(|name| run.curves.contains_key(*name));
    Chart {
        name: "Loss of the run",
        names: Corner::RightTop,
        x: "Epoch",
        log: false,
        include: None,
        curves: losses.enumerate().map(|(place, name)| curve(place, name)).collect(),
    }
    .show(ui, size);
    // Where the loss is what a run was judged by, it is its score as well; it has its own chart.
    let is_loss =
        |name: &str| name == SCORE && run.best.as_ref().is_some_and(|best| best.metric == BestBy::Loss.name());
    let scores = run.curves.keys();
    let scores = scores.filter(|name| !NO_SCORES.contains(&name.as_str()) && !is_loss(name));
    Chart {
        name: "Scores of the run on the validation part",
        names: Corner::RightBottom,
        x: "Epoch",
        log: false,
        include: Some([0.0, 1.0]),
        curves: scores.enumerate().map(|(place, name)| curve(place, name)).collect(),
    }
    .show(ui, size);
}
