//! Something the user should know, in words, until it is dismissed: never in the way of the picture.

use egui::{Align, Label, Layout, RichText, Ui};

use super::widgets::name_value;
use crate::viewer::command::Command;
use crate::viewer::theme;

/// Draws the bar.
pub fn ui(ui: &mut Ui, notice: &str, commands: &mut Vec<Command>) {
    ui.add_space(theme::STEP);
    ui.with_layout(Layout::right_to_left(Align::TOP), |ui| {
        if ui.button("Dismiss").clicked() {
            commands.push(Command::DismissNotice);
        }
        if ui.button("Copy").on_hover_text("Copy this message").clicked() {
            commands.push(Command::Copy(notice.to_owned()));
        }
        ui.with_layout(Layout::left_to_right(Align::TOP), |ui| {
            let response = ui.add(Label::new(RichText::new(notice).color(theme::CAUTION)).wrap());
            name_value(&response, "Notice", notice);
        });
    });
    ui.add_space(theme::STEP);
}
