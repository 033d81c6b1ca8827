//! What becomes of a run when the window is closed: asked, because work could be lost.

use egui::{Id, Modal, Ui};

use crate::viewer::command::Command;
use crate::viewer::state::ViewerState;
use crate::viewer::theme;
use crate::viewer::train::{OnClose, TrainCommand};

/// Draws the dialog.
pub fn ui(ui: &Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let mut answer = None;
    let modal = Modal::new(Id::unique("close during run"))
        .frame(theme::dialog_frame())
        .backdrop_color(theme::HALO)
        .show(ui.ctx(), |ui| {
            ui.set_width(460.0);
            ui.heading("A run is under way");
            ui.add_space(theme::STEP);
            if state.train.closing {
                ui.label("It stops after the batch under way and writes a checkpoint. Then the window closes.");
            } else {
                ui.label("It trains in a process of its own and can go on without the window.");
            }
            ui.add_space(3.0 * theme::STEP);
            ui.horizontal(|ui| {
                let choices = [
                    (
                        OnClose::Stop,
                        "Stop and keep",
                        "It writes a checkpoint after the batch under way and ends; it can be resumed",
                    ),
                    (OnClose::Leave, "Let it run", "It goes on; its folder has the curves"),
                    (OnClose::Stay, "Cancel", "The window stays open"),
                ];
                for (choice, text, tooltip) in choices {
                    let stops_already = choice == OnClose::Stop && state.train.closing;
                    if !stops_already && ui.button(text).on_hover_text(tooltip).clicked() {
                        answer = Some(choice);
                    }
                }
            });
        });
    if modal.should_close() {
        answer = answer.or(Some(OnClose::Stay));
    }
    if let Some(answer) = answer {
        commands.push(Command::Train(TrainCommand::Close(answer)));
    }
}
