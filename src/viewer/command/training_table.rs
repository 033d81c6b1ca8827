//! The table of actions that belong to training: data, estimate, the run.

use egui::Key;

use super::table::{PLAIN, ctrl_shift};
use super::{Action, ActionInfo, Menu};
use crate::training::start_weights::StartWeights;
use crate::viewer::state::ViewerState;
use crate::viewer::train::session::{Asked, Standing};

fn can_import(state: &ViewerState) -> bool {
    let train = &state.train;
    let is_foreign = train.start.done().is_some_and(|found| **found == StartWeights::Foreign);
    is_foreign && train.import.running().is_none()
}

fn can_check(state: &ViewerState) -> bool {
    let data = &state.train.data;
    data.overview.done().is_some() && data.check.running().is_none()
}

fn is_checking(state: &ViewerState) -> bool {
    state.train.data.check.running().is_some()
}

fn can_save(state: &ViewerState) -> bool {
    let data = &state.train.data;
    data.check.done().is_some() && !data.report_file.trim().is_empty() && data.saving.running().is_none()
}

fn can_estimate(state: &ViewerState) -> bool {
    state.train.problem().is_none() && !state.train.form.resume && !state.train.estimate.is_active()
}

fn is_estimating(state: &ViewerState) -> bool {
    state.train.estimate.is_active()
}

fn can_preview(state: &ViewerState) -> bool {
    let train = &state.train;
    train.data.source().is_some() && train.form.wrong.is_empty() && train.preview.running().is_none()
}

fn is_idle(state: &ViewerState) -> bool {
    !state.train.session.is_active()
}

fn can_start(state: &ViewerState) -> bool {
    is_idle(state) && state.train.problem().is_none()
}

fn start_text(state: &ViewerState) -> Option<&'static str> {
    state.train.form.resume.then_some("Resume training")
}

fn can_pause(state: &ViewerState) -> bool {
    let session = &state.train.session;
    session.is_active() && session.standing != Standing::Paused && session.asked.is_none()
}

fn can_continue(state: &ViewerState) -> bool {
    let session = &state.train.session;
    session.is_active()
        && (session.standing == Standing::Paused || matches!(session.asked, Some(Asked::Stop(_) | Asked::Pause)))
}

fn is_active(state: &ViewerState) -> bool {
    state.train.session.is_active()
}

/// Every such action, in the order of the menu.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::ChooseData,
        menu: (Menu::Training, 0),
        text: "Choose data folder…",
        tooltip: "Choose a folder of labelled chest X-rays to train on",
        shortcuts: &[ctrl_shift(Key::D)],
        ..PLAIN
    },
    ActionInfo {
        action: Action::ImportEncoder,
        menu: (Menu::Training, 1),
        text: "Import the encoder",
        tooltip: "Make a file of torchvision, timm or Keras weights that a run can begin with; it lies beside it",
        enabled: can_import,
        ..PLAIN
    },
    ActionInfo {
        action: Action::CheckData,
        menu: (Menu::Training, 0),
        text: "Check data",
        tooltip: "Read every image: counts, duplicates and patients across parts, unreadable files",
        shortcuts: &[ctrl_shift(Key::K)],
        enabled: can_check,
        ..PLAIN
    },
    ActionInfo {
        action: Action::CancelCheck,
        menu: (Menu::Training, 0),
        text: "Cancel check",
        tooltip: "End the check of the data",
        enabled: is_checking,
        ..PLAIN
    },
    ActionInfo {
        action: Action::SaveCheck,
        menu: (Menu::Training, 0),
        text: "Save report",
        tooltip: "Write the report of the check to a file",
        enabled: can_save,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Estimate,
        menu: (Menu::Training, 1),
        text: "Estimate time and memory",
        tooltip: "Make a few steps with these settings and measure them; nothing is kept",
        shortcuts: &[ctrl_shift(Key::M)],
        enabled: can_estimate,
        ..PLAIN
    },
    ActionInfo {
        action: Action::CancelEstimate,
        menu: (Menu::Training, 1),
        text: "Cancel estimate",
        tooltip: "End the trial steps",
        enabled: is_estimating,
        ..PLAIN
    },
    ActionInfo {
        action: Action::PreviewBatch,
        menu: (Menu::Training, 1),
        text: "Show the next batch",
        tooltip: "Draw the next batch as the network will see it, augmented by the run's own random numbers",
        shortcuts: &[ctrl_shift(Key::N)],
        enabled: can_preview,
        ..PLAIN
    },
    ActionInfo {
        action: Action::StartRun,
        menu: (Menu::Training, 2),
        text: "Start training",
        text_now: Some(start_text),
        tooltip: "Train in a process of its own; reading goes on beside it",
        shortcuts: &[ctrl_shift(Key::T)],
        enabled: can_start,
        ..PLAIN
    },
    ActionInfo {
        action: Action::PauseRun,
        menu: (Menu::Training, 2),
        text: "Pause",
        tooltip: "Write a checkpoint after the batch under way and wait",
        shortcuts: &[ctrl_shift(Key::P)],
        enabled: can_pause,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ContinueRun,
        menu: (Menu::Training, 2),
        text: "Continue",
        tooltip: "Go on after a pause, or take back a stop that was not made yet",
        shortcuts: &[ctrl_shift(Key::C)],
        enabled: can_continue,
        ..PLAIN
    },
    ActionInfo {
        action: Action::StopAfterBatch,
        menu: (Menu::Training, 2),
        text: "Stop after this batch",
        tooltip: "Write a checkpoint after the batch under way and end; the run can be resumed",
        shortcuts: &[ctrl_shift(Key::B)],
        enabled: is_active,
        ..PLAIN
    },
    ActionInfo {
        action: Action::StopAfterEpoch,
        menu: (Menu::Training, 2),
        text: "Stop after this epoch",
        tooltip: "End after the epoch under way; the run can be resumed",
        shortcuts: &[ctrl_shift(Key::E)],
        enabled: is_active,
        ..PLAIN
    },
];
