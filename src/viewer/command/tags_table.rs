//! The table of actions of the tag viewer.

use egui::Key;

use super::table::{PLAIN, alt, ctrl};
use super::{Action, ActionInfo, Menu};
use crate::viewer::state::ViewerState;

fn with_file(state: &ViewerState) -> bool {
    state.tags.open || state.list.current_file().is_some()
}

fn can_compare(state: &ViewerState) -> bool {
    state.tags.pinned.is_some() || state.list.current_file().is_some()
}

/// Every such action, in the order of the menu.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::ToggleTags,
        menu: (Menu::Image, 6),
        text: "Show tags",
        text_now: Some(|state| state.tags.open.then_some("Hide tags")),
        tooltip: "List every tag of the file, and which of them display and networks used",
        shortcuts: &[ctrl(Key::T)],
        enabled: with_file,
        checked: Some(|state| state.tags.open),
        ..PLAIN
    },
    ActionInfo {
        action: Action::CompareTags,
        menu: (Menu::Image, 6),
        text: "Compare tags with this file",
        text_now: Some(|state| state.tags.pinned.is_some().then_some("Stop comparing tags")),
        tooltip: "Keep the tags of this file beside those of the pictures that are chosen next",
        shortcuts: &[alt(Key::T)],
        enabled: can_compare,
        checked: Some(|state| state.tags.pinned.is_some()),
        ..PLAIN
    },
];
