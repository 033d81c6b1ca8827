//! What the mouse does in the viewport. Reads the state and sends commands; draws nothing.

pub mod window_level;

use egui::{CursorIcon, Event, MouseWheelUnit, PointerButton, Response, Ui};

use super::command::{Action, Command};
use super::ruler::{Line, RulerCommand};
use super::state::ViewerState;

/// What a left drag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tool {
    /// Contrast and brightness.
    #[default]
    WindowLevel,
    /// Zoom about the place where the drag began.
    Zoom,
    /// Move the picture.
    Pan,
    /// Measure a length.
    Ruler,
}

impl Tool {
    /// Cursor over the picture.
    pub fn cursor(self) -> CursorIcon {
        match self {
            Self::WindowLevel => CursorIcon::Crosshair,
            Self::Zoom => CursorIcon::ZoomIn,
            Self::Pan => CursorIcon::Grab,
            Self::Ruler => CursorIcon::Cell,
        }
    }
}

/// Zoom per ui point of a drag.
const ZOOM_PER_POINT: f64 = 1.01;
/// Zoom per notch of the wheel.
const ZOOM_PER_NOTCH: f64 = 1.15;
/// Wheel movement that counts as one notch where the system reports points.
const POINTS_PER_NOTCH: f32 = 50.0;

/// Turns mouse input over the viewport into commands.
pub fn interact(ui: &Ui, response: &Response, state: &ViewerState, commands: &mut Vec<Command>) {
    let pointer = response.hover_pos();
    if pointer != state.pointer {
        commands.push(Command::Pointer(pointer));
    }
    // The list can be stepped through where there is no picture, too.
    if response.contains_pointer() {
        wheel(ui, response, commands);
    }
    if state.shown.is_none() {
        return;
    }
    drag(response, state, commands);
    if response.double_clicked() {
        commands.push(Command::Do(Action::Fit));
    }
    if pointer.is_some() || response.dragged() {
        let tool = dragged_with(response).map_or(state.tool, |button| tool_of(button, state));
        let cursor = if tool == Tool::Pan && response.dragged() {
            CursorIcon::Grabbing
        } else {
            tool.cursor()
        };
        ui.ctx().set_cursor_icon(cursor);
    }
}

fn dragged_with(response: &Response) -> Option<PointerButton> {
    [PointerButton::Primary, PointerButton::Middle, PointerButton::Secondary]
        .into_iter()
        .find(|&button| response.dragged_by(button))
}

/// Left is the active tool, middle always moves, right always zooms.
fn tool_of(button: PointerButton, state: &ViewerState) -> Tool {
    match button {
        PointerButton::Middle => Tool::Pan,
        PointerButton::Secondary => Tool::Zoom,
        _ => state.tool,
    }
}

fn drag(response: &Response, state: &ViewerState, commands: &mut Vec<Command>) {
    if state.ruler.drawing.is_some() && response.drag_stopped() {
        commands.push(Command::Ruler(RulerCommand::Finish));
        return;
    }
    let Some(button) = dragged_with(response) else { return };
    let delta = response.drag_delta();
    if delta == egui::Vec2::ZERO {
        return;
    }
    match tool_of(button, state) {
        Tool::WindowLevel => commands.push(Command::DragWindow(delta)),
        Tool::Pan => commands.push(Command::DragPicture(delta)),
        Tool::Ruler => measure(response, state, commands),
        Tool::Zoom => {
            let origin = response.ctx.input(|input| input.pointer.press_origin());
            let anchor = origin.unwrap_or(state.screen.rect.center());
            let factor = ZOOM_PER_POINT.powf(f64::from(-delta.y));
            commands.push(Command::Zoom { factor, anchor });
        }
    }
}

/// From where the button was pressed to where the cursor is.
fn measure(response: &Response, state: &ViewerState, commands: &mut Vec<Command>) {
    let origin = response.ctx.input(|input| input.pointer.press_origin());
    let (Some(from), Some(to), Some(shown)) = (origin, response.interact_pointer_pos(), &state.shown) else {
        return;
    };
    let transform = shown.transform(state.screen);
    let [from, to] = [from, to].map(|at| transform.image_from_ui(at));
    commands.push(Command::Ruler(RulerCommand::Draw(Line { from, to })));
}

/// Plain: next and previous image. With Ctrl: zoom about the cursor.
fn wheel(ui: &Ui, response: &Response, commands: &mut Vec<Command>) {
    let anchor = response.hover_pos().unwrap_or(response.rect.center());
    let notches = |unit: MouseWheelUnit, y: f32| match unit {
        MouseWheelUnit::Point => y / POINTS_PER_NOTCH,
        MouseWheelUnit::Line | MouseWheelUnit::Page => y,
    };
    let mut images = 0.0_f32;
    ui.input(|input| {
        for event in &input.events {
            let Event::MouseWheel {
                unit, delta, modifiers, ..
            } = event
            else {
                continue;
            };
            let turned = notches(*unit, delta.y);
            if modifiers.command {
                let factor = ZOOM_PER_NOTCH.powf(f64::from(turned));
                commands.push(Command::Zoom { factor, anchor });
            } else {
                images -= turned;
            }
        }
    });
    if images != 0.0 {
        // A touchpad sends many small steps: they add up until they make a notch.
        let id = response.id.with("wheel");
        let sum = ui.data(|data| data.get_temp::<f32>(id).unwrap_or(0.0)) + images;
        let whole = sum.trunc();
        ui.data_mut(|data| data.insert_temp(id, sum - whole));
        if whole != 0.0 {
            commands.push(Command::Step(whole as isize));
        }
    }
}
