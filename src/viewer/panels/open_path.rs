//! A field for a typed path: for those who prefer it, and where the system has no file dialog.

use std::path::PathBuf;

use egui::{Id, Key, Modal, TextEdit, Ui};

use crate::viewer::command::Command;
use crate::viewer::theme;

/// Draws the dialog.
pub fn ui(ui: &Ui, reason: Option<&str>, commands: &mut Vec<Command>) {
    let id = Id::unique("open path");
    let modal = Modal::new(id)
        .frame(theme::dialog_frame())
        .backdrop_color(theme::HALO)
        .show(ui.ctx(), |ui| {
            ui.set_width(520.0);
            ui.heading("Open a path");
            ui.add_space(theme::STEP);
            if let Some(reason) = reason {
                ui.colored_label(theme::CAUTION, reason);
                ui.add_space(theme::STEP);
            }
            let text_id = id.with("text");
            let mut text: String = ui.data(|data| data.get_temp(text_id)).unwrap_or_default();
            let label = ui.label("File or folder");
            let field = TextEdit::singleline(&mut text)
                .id(id.with("field"))
                .desired_width(f32::INFINITY);
            let field = ui.add(field).labelled_by(label.id);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            if !field.has_focus() && !entered && ui.data(|data| data.get_temp::<bool>(id).is_none()) {
                field.request_focus();
                ui.data_mut(|data| data.insert_temp(id, true));
            }
            ui.add_space(2.0 * theme::STEP);
            ui.horizontal(|ui| {
                let open = ui
                    .add_enabled(!text.trim().is_empty(), egui::Button::new("Open"))
                    .clicked();
                if (open || entered) && !text.trim().is_empty() {
                    commands.push(Command::Open(vec![PathBuf::from(unquoted(text.trim()))]));
                    commands.push(Command::Dialog(None));
                }
                if ui.button("Cancel").clicked() {
                    commands.push(Command::Dialog(None));
                }
            });
            ui.data_mut(|data| data.insert_temp(text_id, text));
        });
    if modal.should_close() {
        commands.push(Command::Dialog(None));
    }
}

/// Forgets that the field had the focus, so that it gets it the next time.
pub fn closed(ui: &Ui) {
    ui.data_mut(|data| data.remove::<bool>(Id::unique("open path")));
}

/// Paths are often pasted with the quotation marks of a shell or a file manager, or as a URI.
fn unquoted(text: &str) -> &str {
    let text = text.strip_prefix("file://").unwrap_or(text);
    let bare = |mark| text.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    bare('"').or_else(|| bare('\'')).unwrap_or(text)
}
