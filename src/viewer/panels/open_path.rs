//! A field for a typed path: for those who prefer it, and where the system has no file dialog.

use std::path::PathBuf;

use egui::{Id, Key, Modal, TextEdit, Ui};

use crate::viewer::command::Command;
use crate::viewer::studies::StudiesCommand;
use crate::viewer::theme;

/// Draws the dialog that opens pictures.
pub fn ui(ui: &Ui, reason: Option<&str>, commands: &mut Vec<Command>) {
    ask(ui, ("Open a path", "File or folder"), reason, commands, |path| {
        Command::Open(vec![path])
    });
}

/// Draws the dialog that indexes studies.
pub fn studies_ui(ui: &Ui, reason: &str, commands: &mut Vec<Command>) {
    ask(
        ui,
        ("Open studies", "Folder or DICOMDIR"),
        Some(reason),
        commands,
        |path| Command::Studies(StudiesCommand::Index(path)),
    );
}

fn ask(
    ui: &Ui,
    (title, label): (&str, &str),
    reason: Option<&str>,
    commands: &mut Vec<Command>,
    open: impl FnOnce(PathBuf) -> Command,
) {
    let id = Id::unique("open path");
    let modal = Modal::new(id)
        .frame(theme::dialog_frame())
        .backdrop_color(theme::HALO)
        .show(ui.ctx(), |ui| {
            ui.set_width(520.0);
            ui.heading(title);
            ui.add_space(theme::STEP);
            if let Some(reason) = reason {
                ui.colored_label(theme::CAUTION, reason);
                ui.add_space(theme::STEP);
            }
            let text_id = id.with("text");
            let mut text: String = ui.data(|data| data.get_temp(text_id)).unwrap_or_default();
            let label = ui.label(label);
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
                let clicked = ui
                    .add_enabled(!text.trim().is_empty(), egui::Button::new("Open"))
                    .clicked();
                if (clicked || entered) && !text.trim().is_empty() {
                    commands.push(open(PathBuf::from(unquoted(text.trim()))));
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
