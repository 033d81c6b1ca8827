//! What a file's tags would become: before and after.

use egui::{Grid, ScrollArea, Ui};

use super::super::widgets::{action_button, block, caption, name_value};
use crate::viewer::command::{Action, Command};
use crate::viewer::deidentify::Preview;
use crate::viewer::errands::Pending;
use crate::viewer::state::ViewerState;
use crate::viewer::theme;

/// Height of the table, in ui points.
const HEIGHT: f32 = 320.0;

/// Draws the preview.
pub(super) fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let at_end = |ui: &mut Ui| {
        action_button(ui, state, Action::PreviewDeidentification, commands);
    };
    block(ui, "What changes in this file", at_end, |ui| {
        match &state.deidentify.preview {
            Pending::Nothing | Pending::Cancelled => {
                caption(ui, "Not looked at yet.");
            }
            Pending::Running(_) => {
                ui.spinner();
            }
            Pending::Failed(reason) => {
                let response = ui.colored_label(theme::ALARM, reason);
                name_value(&response, "Preview failed", reason);
            }
            Pending::Done(preview) => table(ui, state, preview),
        }
    });
}

fn table(ui: &mut Ui, state: &ViewerState, preview: &Preview) {
    let is_other = state.list.current_entry().is_none_or(|entry| entry.key != preview.key);
    if is_other {
        caption(
            ui,
            format!("Of {}, which is not on the screen now.", preview.key.label()),
        );
    }
    if preview.options != state.deidentify.form.options {
        caption(ui, "Made with other choices than those above: look again.");
    }
    for warning in &preview.warnings {
        ui.colored_label(theme::CAUTION, warning);
    }
    let count = preview.changes.len();
    let response = caption(ui, format!("{count} elements change; all others stay as they are."));
    name_value(&response, "Changes", &count.to_string());
    ScrollArea::both().id_salt("changes").max_height(HEIGHT).show(ui, |ui| {
        Grid::new("changes").striped(true).spacing([14.0, 4.0]).show(ui, |ui| {
            for change in &preview.changes {
                ui.label(&change.name).on_hover_text(&change.path);
                ui.weak(change.action.word());
                ui.label(change.old.as_deref().unwrap_or_default());
                ui.label(change.new.as_deref().unwrap_or_default());
                ui.end_row();
            }
        });
    });
}
