//! The table of actions for what a file itself draws on its picture.

use egui::Key;

use super::table::{PLAIN, key, shift};
use super::{Action, ActionInfo, Menu};
use crate::viewer::overlays::file_graphics::FileGraphics;
use crate::viewer::state::ViewerState;

fn graphics(state: &ViewerState) -> Option<&FileGraphics> {
    state.shown.as_ref().and_then(|shown| shown.picture.graphics.as_ref())
}

fn with_planes(state: &ViewerState) -> bool {
    graphics(state).is_some_and(|graphics| graphics.has_planes)
}

fn with_shutter(state: &ViewerState) -> bool {
    graphics(state).is_some_and(|graphics| graphics.shutter.is_some())
}

/// Every such action, in the order of the menu.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::ToggleOverlayPlanes,
        menu: (Menu::View, 3),
        text: "Overlay planes",
        tooltip: "Show what the file draws on its picture; hold X for the picture without them",
        shortcuts: &[key(Key::G)],
        enabled: with_planes,
        checked: Some(|state| state.graphics.planes),
        ..PLAIN
    },
    ActionInfo {
        action: Action::ToggleShutter,
        menu: (Menu::View, 3),
        text: "Shutter",
        tooltip: "Hide what the file says is not to be seen, also while X is held; the networks see all of the picture",
        shortcuts: &[shift(Key::G)],
        enabled: with_shutter,
        checked: Some(|state| state.graphics.shutter),
        ..PLAIN
    },
];
