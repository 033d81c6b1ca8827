//! What this program is, and what it is not for.

use egui::{Id, Modal, RichText, Ui};

use crate::viewer::command::Command;
use crate::viewer::{TITLE, theme, wording};

/// Draws the dialog.
pub fn ui(ui: &Ui, commands: &mut Vec<Command>) {
    let modal = Modal::new(Id::unique("about")).frame(theme::dialog_frame()).backdrop_color(theme::HALO).show(
        ui.ctx(),
        |ui| {
            ui.set_width(460.0);
            ui.heading(TITLE);
            ui.weak(format!("Version {}", env!("CARGO_PKG_VERSION")));
            ui.add_space(2.0 * theme::STEP);
            ui.label(RichText::new(format!("{}.", wording::RESEARCH_ONLY)).color(theme::CAUTION).strong());
            ui.add_space(theme::STEP);
            ui.label(
                "It shows chest X-rays with the lung mask and the activation map of ReCovNet, a COVID-19 detector whose \
                 encoder was trained to find the lungs. The map shows where the network responded, not where a disease \
                 is. The score depends on the sources of the training data; the model card says how strongly.",
            );
            ui.add_space(theme::STEP);
            ui.label("Everything runs on this computer: nothing is sent or downloaded.");
            ui.add_space(theme::STEP);
            ui.weak("Program: MIT or Apache-2.0. The weights have their own terms, see their folder.");
            ui.add_space(3.0 * theme::STEP);
            if ui.button("Close").clicked() {
                commands.push(Command::Dialog(None));
            }
        },
    );
    if modal.should_close() {
        commands.push(Command::Dialog(None));
    }
}
