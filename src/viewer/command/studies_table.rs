//! The table of actions that belong to the studies panel.

use egui::Key;

use super::table::{PLAIN, ctrl, ctrl_shift, key};
use super::{Action, ActionInfo, Menu};
use crate::viewer::state::{ViewerState, Workspace};

fn in_read(state: &ViewerState) -> bool {
    state.workspace == Workspace::Read
}

fn is_idle(state: &ViewerState) -> bool {
    state.studies.indexing.running().is_none()
}

fn can_rescan(state: &ViewerState) -> bool {
    is_idle(state) && state.studies.root.is_some()
}

fn is_indexing(state: &ViewerState) -> bool {
    !is_idle(state)
}

/// Every such action, in the order of the menu.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::OpenStudies,
        menu: (Menu::File, 2),
        text: "Open folder of studies…",
        tooltip: "Index a folder by patient, study and series; only headers are read",
        shortcuts: &[ctrl_shift(Key::S)],
        enabled: is_idle,
        ..PLAIN
    },
    ActionInfo {
        action: Action::OpenDirectory,
        menu: (Menu::File, 2),
        text: "Open DICOMDIR…",
        tooltip: "Index the files that the directory of a CD or folder lists",
        shortcuts: &[ctrl(Key::D)],
        enabled: is_idle,
        ..PLAIN
    },
    ActionInfo {
        action: Action::RescanStudies,
        menu: (Menu::File, 2),
        text: "Look through the folder again",
        tooltip: "Read what is new or changed in the folder or DICOMDIR that is listed",
        shortcuts: &[ctrl(Key::R)],
        enabled: can_rescan,
        ..PLAIN
    },
    ActionInfo {
        action: Action::CancelIndex,
        menu: (Menu::File, 2),
        text: "Cancel indexing",
        tooltip: "Stop looking through files; what was read so far is kept",
        shortcuts: &[ctrl_shift(Key::Period)],
        enabled: is_indexing,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ForgetStudies,
        menu: (Menu::File, 2),
        text: "Forget this folder",
        tooltip: "Take the listed folder out of the index; its files stay",
        enabled: can_rescan,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ToggleStudies,
        menu: (Menu::View, 3),
        text: "Studies",
        tooltip: "Show studies by patient in place of the list of pictures, or fold them",
        shortcuts: &[key(Key::S)],
        checked: Some(|state| state.studies.shown),
        ..PLAIN
    },
    ActionInfo {
        action: Action::FilterStudies,
        menu: (Menu::View, 3),
        text: "Find a study",
        tooltip: "Type words that patient, study or series must hold",
        shortcuts: &[ctrl_shift(Key::F)],
        enabled: in_read,
        ..PLAIN
    },
];
