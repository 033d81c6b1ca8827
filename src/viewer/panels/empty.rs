//! What the window shows before anything is open.

use egui::{Align2, Button, RichText, Ui, Vec2, vec2};

use super::widgets::with_tooltip;
use crate::viewer::command::{Action, Command};
use crate::viewer::state::ViewerState;
use crate::viewer::{TITLE, icon, theme, wording};

/// Draws the invitation in the middle.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let height = 330.0;
    ui.vertical_centered(|ui| {
        ui.add_space(((ui.available_height() - height) / 2.0).max(0.0));
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(72.0), egui::Sense::hover());
        icon::paint(ui.painter(), rect);
        ui.add_space(3.0 * theme::STEP);
        ui.label(RichText::new("Open a chest X-ray").font(theme::score()));
        ui.add_space(theme::STEP);
        ui.weak("DICOM, PNG, JPEG, TIFF, BMP or WebP. Drop one here, or choose:");
        ui.add_space(4.0 * theme::STEP);
        buttons(ui, state, commands);
        ui.add_space(6.0 * theme::STEP);
        ui.weak(format!(
            "{TITLE} finds the lungs, scores the picture for the COVID-19 class of its training data,"
        ));
        ui.weak("and shows where the network responded.");
        ui.add_space(2.0 * theme::STEP);
        ui.colored_label(
            theme::CAUTION,
            format!("{}. Not for clinical decisions.", wording::RESEARCH_ONLY),
        );
        if state.list.listing {
            ui.add_space(2.0 * theme::STEP);
            ui.weak("Looking through the folder");
        }
    });
}

fn buttons(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let actions = [Action::OpenFiles, Action::OpenFolder, Action::OpenSample];
    let (width, gap) = (140.0, 3.0 * theme::STEP);
    let total = actions.len() as f32 * width + (actions.len() as f32 - 1.0) * gap;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        ui.add_space(((ui.available_width() - total) / 2.0).max(0.0));
        for action in actions {
            let info = action.info();
            let button = Button::new(info.text).min_size(vec2(width, 36.0));
            let response = with_tooltip(ui.add_enabled(info.can(state), button), action);
            if response.clicked() {
                commands.push(Command::Do(action));
            }
        }
    });
}

/// Says that a file held over the window can be dropped.
pub fn drop_hint(ui: &Ui) {
    let rect = ui.max_rect();
    let painter = ui.painter();
    painter.rect_filled(rect, 0.0, theme::HALO);
    let font = theme::score();
    painter.text(rect.center(), Align2::CENTER_CENTER, "Drop to open", font, theme::TEXT);
}
