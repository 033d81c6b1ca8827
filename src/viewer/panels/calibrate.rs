//! The dialog that asks how long the last ruler is.

use egui::{Id, Key, Modal, TextEdit, Ui};

use crate::viewer::command::Command;
use crate::viewer::ruler::RulerCommand;
use crate::viewer::state::ViewerState;
use crate::viewer::theme;

/// Draws the dialog.
pub fn ui(ui: &Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let Some((shown, line)) = state
        .shown
        .as_ref()
        .and_then(|shown| Some((shown, shown.view.rulers.last()?)))
    else {
        commands.push(Command::Dialog(None));
        return;
    };
    let id = Id::unique("calibrate");
    let modal = Modal::new(id)
        .frame(theme::dialog_frame())
        .backdrop_color(theme::HALO)
        .show(ui.ctx(), |ui| {
            ui.set_width(380.0);
            ui.heading("Calibrate by the last ruler");
            ui.add_space(theme::STEP);
            ui.label(format!(
                "It measures {} now. Draw it over something of known length that lies in the plane of interest.",
                line.words(shown.spacing(), shown.picture.radiograph.pixel_aspect)
            ));
            ui.add_space(theme::STEP);
            form(ui, id, commands);
        });
    if modal.should_close() {
        commands.push(Command::Dialog(None));
    }
}

/// The field of the true length, and what is done with it.
fn form(ui: &mut Ui, id: Id, commands: &mut Vec<Command>) {
    let text_id = id.with("text");
    let mut text: String = ui.data(|data| data.get_temp(text_id)).unwrap_or_default();
    let field = ui
        .horizontal(|ui| {
            let label = ui.label("True length in mm");
            let field = TextEdit::singleline(&mut text).id(id.with("field")).desired_width(90.0);
            ui.add(field).labelled_by(label.id)
        })
        .inner;
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if !field.has_focus() && !entered && text.is_empty() {
        field.request_focus();
    }
    let length = text.trim().replace(',', ".").parse().ok();
    let length = length.filter(|mm: &f64| mm.is_finite() && *mm > 0.0);
    ui.add_space(2.0 * theme::STEP);
    ui.horizontal(|ui| {
        let clicked = ui
            .add_enabled(length.is_some(), egui::Button::new("Calibrate"))
            .clicked();
        if let Some(length) = length.filter(|_| clicked || entered) {
            commands.push(Command::Ruler(RulerCommand::Calibrate(length)));
            commands.push(Command::Dialog(None));
            text.clear();
        }
        if ui.button("Cancel").clicked() {
            commands.push(Command::Dialog(None));
            text.clear();
        }
    });
    ui.data_mut(|data| data.insert_temp(text_id, text));
}
