//! The table of actions for how the picture lies, and for lengths on it.

use egui::Key;

use super::conditions::with_picture;
use super::table::{PLAIN, alt, ctrl_shift, key, shift};
use super::{Action, ActionInfo, Menu};
use crate::viewer::state::ViewerState;

fn with_ruler(state: &ViewerState) -> bool {
    state.shown.as_ref().is_some_and(|shown| !shown.view.rulers.is_empty())
}

fn is_calibrated(state: &ViewerState) -> bool {
    state.shown.as_ref().is_some_and(|shown| shown.calibration.is_some())
}

/// Every such action, in the order of the menu.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::TurnRight,
        menu: (Menu::View, 5),
        text: "Turn right",
        tooltip: "Turn the picture a quarter clockwise; orientation letters turn with it",
        shortcuts: &[alt(Key::R)],
        enabled: with_picture,
        ..PLAIN
    },
    ActionInfo {
        action: Action::TurnLeft,
        menu: (Menu::View, 5),
        text: "Turn left",
        tooltip: "Turn the picture a quarter counter-clockwise",
        shortcuts: &[alt(Key::L)],
        enabled: with_picture,
        ..PLAIN
    },
    ActionInfo {
        action: Action::FlipAcross,
        menu: (Menu::View, 5),
        text: "Flip left and right",
        tooltip: "Exchange left and right of the screen; orientation letters go along",
        shortcuts: &[alt(Key::F)],
        enabled: with_picture,
        ..PLAIN
    },
    ActionInfo {
        action: Action::FlipDown,
        menu: (Menu::View, 5),
        text: "Flip top and bottom",
        tooltip: "Exchange top and bottom of the screen",
        shortcuts: &[alt(Key::V)],
        enabled: with_picture,
        ..PLAIN
    },
    ActionInfo {
        action: Action::RemoveRulers,
        menu: (Menu::Image, 5),
        text: "Remove rulers",
        tooltip: "Take all lengths off this picture",
        shortcuts: &[key(Key::Delete)],
        enabled: with_ruler,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Calibrate,
        menu: (Menu::Image, 5),
        text: "Calibrate by the last ruler…",
        tooltip: "Say how long the last ruler is; the picture keeps this spacing",
        shortcuts: &[shift(Key::D)],
        enabled: with_ruler,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ForgetCalibration,
        menu: (Menu::Image, 5),
        text: "Forget the calibration",
        tooltip: "Go back to the spacing of the file",
        shortcuts: &[ctrl_shift(Key::Delete)],
        enabled: is_calibrated,
        ..PLAIN
    },
];
