//! Rectangles to be masked: on the picture, and as a list.

use egui::{Align2, CornerRadius, CursorIcon, Painter, PointerButton, Rect, Response, Stroke, StrokeKind, Ui};

use crate::deidentify::Region;
use crate::viewer::command::Command;
use crate::viewer::deidentify::{DeidentifyCommand, Marked, TextInPixels};
use crate::viewer::state::{Shown, ViewerState};
use crate::viewer::theme;

/// Lets a left drag draw a rectangle, where that is wanted; `true` if the mouse is taken by it. Wheel and other buttons
/// are left to the tools.
pub fn interact(response: &Response, state: &ViewerState, commands: &mut Vec<Command>) -> bool {
    let (true, Some(shown)) = (state.deidentify.adding, &state.shown) else {
        return false;
    };
    let transform = shown.transform(state.screen);
    let origin = response.ctx.input(|input| input.pointer.press_origin());
    if let (true, Some(from), Some(to)) = (
        response.dragged_by(PointerButton::Primary),
        origin,
        response.interact_pointer_pos(),
    ) {
        let corners = [from, to].map(|corner| transform.image_from_ui(corner));
        commands.push(Command::Deidentify(DeidentifyCommand::Draw(corners)));
    }
    let is_drawn = response.drag_stopped_by(PointerButton::Primary);
    if is_drawn {
        commands.push(Command::Deidentify(DeidentifyCommand::Drawn));
    }
    is_drawn || response.dragged_by(PointerButton::Primary) || response.double_clicked()
}

/// The cursor over the picture while the next drag makes a rectangle.
pub fn cursor(response: &Response, state: &ViewerState) {
    if state.deidentify.adding && state.shown.is_some() && response.contains_pointer() {
        response.ctx.set_cursor_icon(CursorIcon::Crosshair);
    }
}

/// Draws the rectangles of the picture on the screen: what is masked is filled, what is not is an outline.
pub fn paint(painter: &Painter, state: &ViewerState) {
    let (true, Some(shown)) = (state.deidentify.open, &state.shown) else {
        return;
    };
    if state.deidentify.is_marked(&shown.key) && !state.bare {
        for (number, marked) in state.deidentify.marked.iter().enumerate() {
            let rect = on_screen(shown, state, corners(marked.region));
            let masked = is_masked(marked, state);
            let colour = if masked { theme::CAUTION } else { theme::MUTED };
            if masked {
                painter.rect_filled(rect, CornerRadius::ZERO, theme::HALO);
            }
            painter.rect_stroke(rect, CornerRadius::ZERO, Stroke::new(1.5, colour), StrokeKind::Outside);
            painter.text(
                rect.left_top(),
                Align2::LEFT_BOTTOM,
                (number + 1).to_string(),
                theme::caption(),
                colour,
            );
        }
    }
    if let Some(corners) = state.deidentify.drawing {
        let rect = on_screen(shown, state, corners);
        painter.rect_stroke(
            rect,
            CornerRadius::ZERO,
            Stroke::new(1.5, theme::ACCENT),
            StrokeKind::Outside,
        );
    }
}

/// Whether a rectangle is made black by what the form says.
fn is_masked(marked: &Marked, state: &ViewerState) -> bool {
    match state.deidentify.form.text {
        TextInPixels::Stays => false,
        TextInPixels::Found => marked.confidence.is_some(),
        TextInPixels::Rectangles => marked.on,
    }
}

fn corners(region: Region) -> [[f64; 2]; 2] {
    let (x, y) = (f64::from(region.x), f64::from(region.y));
    [[x, y], [x + f64::from(region.width), y + f64::from(region.height)]]
}

fn on_screen(shown: &Shown, state: &ViewerState, corners: [[f64; 2]; 2]) -> Rect {
    let transform = shown.transform(state.screen);
    let [from, to] = corners.map(|corner| transform.ui_from_image(corner));
    Rect::from_two_pos(from, to)
}

/// The rectangles of the picture on the screen as a list.
pub(super) fn list(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let panel = &state.deidentify;
    let is_here = state.shown.as_ref().is_some_and(|shown| panel.is_marked(&shown.key));
    if !is_here && !panel.marked.is_empty() {
        ui.weak(format!("{} rectangles of another picture", panel.marked.len()));
    }
    for (index, marked) in panel.marked.iter().enumerate() {
        ui.horizontal(|ui| {
            let mut on = marked.on;
            let number = index + 1;
            if ui.checkbox(&mut on, words(number, marked)).changed() {
                commands.push(Command::Deidentify(DeidentifyCommand::Mark(index, on)));
            }
            let remove = ui
                .small_button("Remove")
                .on_hover_text(format!("Take rectangle {number} away"));
            if remove.clicked() {
                commands.push(Command::Deidentify(DeidentifyCommand::Unmark(index)));
            }
        });
    }
}

fn words(number: usize, marked: &Marked) -> String {
    let Region { x, y, width, height } = marked.region;
    let found = match marked.confidence {
        Some(confidence) => format!("found, {:.0} %", 100.0 * confidence),
        None => "drawn".to_owned(),
    };
    format!("{number}: {width} × {height} at {x}, {y} ({found})")
}
