//! The zone of the picture: input first, then, in the same frame, the picture and what lies on it.

use egui::{Align2, CornerRadius, Label, RichText, Role, Sense, Ui, WidgetInfo};

use super::widgets::{action_button, name_value};
use super::{corner_text, deidentify, fidelity_badge};
use crate::viewer::command::{Action, Command};
use crate::viewer::overlays::{colour_bar, rulers};
use crate::viewer::render::Canvas;
use crate::viewer::state::{Annotations, ViewerState};
use crate::viewer::viewport::Screen;
use crate::viewer::{theme, tools};

/// Reads the mouse.
pub fn input(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let rect = ui.available_rect_before_wrap();
    let screen = Screen {
        rect,
        pixels_per_point: ui.pixels_per_point(),
    };
    if screen != state.screen {
        commands.push(Command::Screen(screen));
    }
    let response = ui.allocate_rect(rect, Sense::CLICK | Sense::DRAG);
    let name = state
        .shown
        .as_ref()
        .map_or_else(|| "Picture".to_owned(), |shown| shown.key.label());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    if !deidentify::interact(&response, state, commands) {
        tools::interact(ui, &response, state, commands);
    }
    deidentify::cursor(&response, state);
}

/// Draws the picture and all that lies on it.
pub fn paint(ui: &Ui, state: &ViewerState, canvas: Option<&mut Canvas>) {
    let rect = state.screen.rect;
    let painter = ui.painter_at(rect);
    match canvas {
        Some(canvas) if state.shown.is_some() => canvas.paint(&painter, state),
        _ => {
            painter.rect_filled(rect, CornerRadius::ZERO, theme::VIEWPORT);
        }
    }
    deidentify::paint(&painter, state);
    if let Some(shown) = &state.shown {
        rulers::paint(&painter, state, shown);
    }
    corner_text::paint(&painter, state);
    if state.layout.annotations != Annotations::None
        && state.overlays.map
        && let Some(overlay) = state.visible_overlay()
    {
        colour_bar::paint(&painter, rect, &overlay.findings.activation, state.overlays);
    }
}

/// Says how true the picture is, or why there is none, in its place.
pub fn message(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    if state.shown.is_some() {
        fidelity_badge::ui(ui, state);
        return;
    }
    let rect = state.screen.rect;
    let Some(reason) = state.picture_error() else {
        if state.is_decoding() {
            let font = theme::body();
            ui.painter().text(
                rect.center(),
                Align2::CENTER_CENTER,
                "Reading the picture",
                font,
                theme::MUTED,
            );
        }
        return;
    };
    let width = (rect.width() - 80.0).min(560.0);
    let place = egui::Rect::from_center_size(rect.center(), egui::vec2(width, 160.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| {
        ui.vertical_centered(|ui| {
            ui.label(RichText::new("This picture cannot be shown").font(theme::score()));
            ui.add_space(theme::STEP);
            let response = ui.add(Label::new(RichText::new(reason).color(theme::MUTED)).wrap());
            name_value(&response, "Error", reason);
            ui.add_space(2.0 * theme::STEP);
            if ui.button("Copy message").clicked() {
                commands.push(Command::Copy(reason.to_owned()));
            }
            ui.add_space(theme::STEP);
            action_button(ui, state, Action::ToggleTags, commands);
        });
    });
}
