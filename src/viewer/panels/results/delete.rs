//! Asks before a run goes to the trash: work could be lost.

use egui::{Id, Modal, Ui};

use crate::viewer::command::Command;
use crate::viewer::results::ResultsCommand;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// Draws the dialog.
pub fn ui(ui: &Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let modal = Modal::new(Id::unique("delete run"))
        .frame(theme::dialog_frame())
        .backdrop_color(theme::HALO)
        .show(ui.ctx(), |ui| {
            ui.set_width(460.0);
            ui.heading("Move this run to the trash?");
            ui.add_space(theme::STEP);
            if let Some(run) = state.results.run() {
                let size = wording::memory(run.bytes as f64 / f64::from(1 << 20));
                ui.label(format!("{}, {size}.", run.folder.display()));
                ui.label("Weights, checkpoints, curves, evaluations and notes go with it. It can be taken back from the system's trash.");
            }
            ui.add_space(3.0 * theme::STEP);
            ui.horizontal(|ui| {
                if ui.button("Move to the trash").clicked() {
                    commands.push(Command::Results(ResultsCommand::Delete));
                }
                if ui.button("Cancel").clicked() {
                    commands.push(Command::Dialog(None));
                }
            });
        });
    if modal.should_close() {
        commands.push(Command::Dialog(None));
    }
}
