//! The workspace 'Train': three steps on the left, and on the right what the open step is about.

pub mod charts;
pub mod close;
pub mod dataset;
pub mod lower;
pub mod model;
pub mod report;
pub mod run;
pub mod setting_rows;
pub mod start;
pub mod table_one;

use egui::{Button, CentralPanel, Panel, RichText, ScrollArea, Ui, vec2};

use crate::viewer::command::Command;
use crate::viewer::state::ViewerState;
use crate::viewer::theme;
use crate::viewer::train::{Step, TrainCommand};

/// Draws the workspace.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let panel = Panel::left("steps").frame(theme::panel_frame()).resizable(false);
    panel
        .exact_size(theme::STEPS_WIDTH)
        .show(ui, |ui| steps(ui, state, commands));
    CentralPanel::no_frame()
        .frame(theme::zone_frame())
        .show(ui, |ui| match state.train.step {
            Step::Data => dataset::right(ui, state),
            Step::Model => lower::batch(ui, state, commands),
            Step::Run => live(ui, state, commands),
        });
}

fn steps(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        let gap = ui.spacing().item_spacing.x;
        let width = (ui.available_width() - 2.0 * gap) / 3.0;
        for step in Step::ALL {
            let button = Button::new(RichText::new(step.title()).strong())
                .min_size(vec2(width, 34.0))
                .selected(state.train.step == step);
            if ui.add(button).clicked() {
                commands.push(Command::Train(TrainCommand::Open(step)));
            }
        }
    });
    ui.add_space(2.0 * theme::STEP);
    ui.spacing_mut().item_spacing.y = 2.0 * theme::STEP;
    ScrollArea::vertical()
        .id_salt(state.train.step)
        .auto_shrink(false)
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            match state.train.step {
                Step::Data => dataset::ui(ui, state, commands),
                Step::Model => model::ui(ui, state, commands),
                Step::Run => run::ui(ui, state, commands),
            }
        });
}

/// Charts above, the watch-list or the next batch below.
fn live(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let height = ui.available_height();
    charts::ui(ui, state, height * 0.52, commands);
    ui.add_space(theme::STEP);
    lower::ui(ui, state, commands);
}
