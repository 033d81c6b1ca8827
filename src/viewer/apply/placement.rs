//! Zoom and position of the picture on the screen.

use egui::{Pos2, Vec2, vec2};

use crate::viewer::command::{Action, Direction};
use crate::viewer::state::ViewerState;
use crate::viewer::viewport::{self, Placement};

/// Zoom of one key press.
const KEY_ZOOM: f64 = 1.25;
/// Movement of one key press, in ui points.
const KEY_PAN: f32 = 40.0;

pub(super) fn act(state: &mut ViewerState, action: Action) {
    let anchor = state.pointer.unwrap_or(state.screen.rect.center());
    match action {
        Action::ZoomIn => zoom(state, KEY_ZOOM, anchor),
        Action::ZoomOut => zoom(state, 1.0 / KEY_ZOOM, anchor),
        Action::Pan(Direction::Left) => pan(state, vec2(-KEY_PAN, 0.0)),
        Action::Pan(Direction::Right) => pan(state, vec2(KEY_PAN, 0.0)),
        Action::Pan(Direction::Up) => pan(state, vec2(0.0, -KEY_PAN)),
        Action::Pan(Direction::Down) => pan(state, vec2(0.0, KEY_PAN)),
        Action::Fit => place(state, |_, _| Placement::Fit),
        Action::OneToOne => place(state, viewport::one_to_one),
        _ => {}
    }
}

fn place(state: &mut ViewerState, placed: impl Fn(Placement, viewport::PictureShape) -> Placement) {
    if let Some(shown) = &mut state.shown {
        shown.view.placement = placed(shown.view.placement, shown.shape());
    }
}

pub(super) fn zoom(state: &mut ViewerState, factor: f64, anchor: Pos2) {
    let screen = state.screen;
    place(state, |placement, shape| {
        viewport::zoomed_about(placement, shape, screen, factor, anchor)
    });
}

pub(super) fn pan(state: &mut ViewerState, delta: Vec2) {
    let screen = state.screen;
    place(state, |placement, shape| {
        viewport::panned(placement, shape, screen, delta)
    });
}
