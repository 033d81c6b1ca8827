//! The table of actions that belong to the panel 'De-identify'.

use egui::Key;

use super::conditions::{with_list, with_picture};
use super::table::{PLAIN, ctrl_shift};
use super::{Action, ActionInfo, Menu};
use crate::viewer::deidentify::{has_files, problem};
use crate::viewer::state::{ViewerState, Workspace};

fn can_open(state: &ViewerState) -> bool {
    state.workspace == Workspace::Read && with_list(state)
}

fn is_open(state: &ViewerState) -> bool {
    can_open(state) && state.deidentify.open
}

fn can_preview(state: &ViewerState) -> bool {
    is_open(state) && state.list.current_file().is_some() && state.deidentify.preview.running().is_none()
}

fn can_add(state: &ViewerState) -> bool {
    is_open(state) && with_picture(state)
}

fn can_start(state: &ViewerState) -> bool {
    let rests = state.deidentify.batch.running().is_none();
    is_open(state) && rests && problem(state).is_none() && has_files(state)
}

fn is_running(state: &ViewerState) -> bool {
    state.deidentify.batch.running().is_some()
}

/// Group of the menu 'File'.
const GROUP: u8 = 5;

/// Every such action, in the order of the menu.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::Deidentify,
        menu: (Menu::File, GROUP),
        text: "De-identify…",
        tooltip: "Write DICOM files without who is on them, by the profile of PS3.15",
        shortcuts: &[ctrl_shift(Key::I)],
        enabled: can_open,
        checked: Some(is_open),
        ..PLAIN
    },
    ActionInfo {
        action: Action::PreviewDeidentification,
        menu: (Menu::File, GROUP),
        text: "Preview",
        tooltip: "Show what this file's tags would become, and look for text in its pixels; nothing is written",
        shortcuts: &[ctrl_shift(Key::L)],
        enabled: can_preview,
        ..PLAIN
    },
    ActionInfo {
        action: Action::AddMask,
        menu: (Menu::File, GROUP),
        text: "Draw a rectangle",
        tooltip: "The next drag on the picture makes a rectangle that is masked",
        shortcuts: &[ctrl_shift(Key::X)],
        enabled: can_add,
        checked: Some(|state| state.deidentify.adding),
        ..PLAIN
    },
    ActionInfo {
        action: Action::ChooseDeidentifiedFolder,
        menu: (Menu::File, GROUP),
        text: "Choose…",
        tooltip: "Choose the folder that is written into",
        enabled: is_open,
        ..PLAIN
    },
    ActionInfo {
        action: Action::StartDeidentification,
        menu: (Menu::File, GROUP),
        text: "Write files",
        tooltip: "De-identify the files and write them into the folder; the originals are not touched",
        shortcuts: &[ctrl_shift(Key::W)],
        enabled: can_start,
        ..PLAIN
    },
    ActionInfo {
        action: Action::CancelDeidentification,
        menu: (Menu::File, GROUP),
        text: "Cancel de-identification",
        tooltip: "End after the files under way; what was written stays",
        enabled: is_running,
        ..PLAIN
    },
];
