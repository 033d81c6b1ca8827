//! The table of actions that belong to the results of runs.

use egui::Key;

use super::table::{PLAIN, ctrl_shift};
use super::{Action, ActionInfo, Menu};
use crate::training::Task;
use crate::training::runs::promotion::{Standing, says_why};
use crate::training::runs::{Run, RunState};
use crate::viewer::state::{ViewerState, Workspace};

fn in_results(state: &ViewerState) -> bool {
    state.workspace == Workspace::Results
}

fn with_run(state: &ViewerState) -> bool {
    in_results(state) && state.results.run().is_some()
}

fn is_resting(state: &ViewerState) -> bool {
    state.results.change.running().is_none() && state.results.working.running().is_none()
}

fn can_compute(state: &ViewerState) -> bool {
    let has_weights = state.results.run().is_some_and(|run| run.version.is_some());
    with_run(state) && has_weights && !state.results.data.trim().is_empty() && is_resting(state)
}

/// A segmenter cannot fall for a shortcut to a class: there is nothing to audit.
fn can_audit(state: &ViewerState) -> bool {
    let task = state.results.run().and_then(Run::task);
    can_compute(state) && task != Some(Task::Segmenter)
}

fn is_working(state: &ViewerState) -> bool {
    state.results.working.running().is_some()
}

fn with_evaluation(state: &ViewerState) -> bool {
    in_results(state) && state.results.has_figures() && is_resting(state)
}

fn with_audit(state: &ViewerState) -> bool {
    in_results(state) && state.results.audit.done().is_some_and(|audit| audit.is_some()) && is_resting(state)
}

fn can_promote(state: &ViewerState) -> bool {
    let allowed = match state.results.standing.done().map(AsRef::as_ref) {
        Some(Standing::Ready) => true,
        Some(Standing::NeedsReason(_)) => says_why(&state.results.reason),
        Some(Standing::NoAudit(_)) | None => false,
    };
    with_run(state) && allowed && is_resting(state)
}

fn can_resume(state: &ViewerState) -> bool {
    let resumable = |run: &Run| matches!(run.state, RunState::Interrupted | RunState::Failed);
    in_results(state) && state.results.run().is_some_and(resumable) && !state.train.session.is_active()
}

fn can_delete(state: &ViewerState) -> bool {
    let rests = |run: &Run| run.state != RunState::Running;
    in_results(state) && state.results.run().is_some_and(rests) && is_resting(state)
}

/// Every such action, in the order of the menu.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::ReadRuns,
        menu: (Menu::Training, 3),
        text: "Read the runs again",
        tooltip: "Look through the folder of runs once more",
        shortcuts: &[ctrl_shift(Key::R)],
        enabled: in_results,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ResumeRun,
        menu: (Menu::Training, 3),
        text: "Go on with this run",
        tooltip: "Resume the chosen run after its last checkpoint",
        enabled: can_resume,
        ..PLAIN
    },
    ActionInfo {
        action: Action::EvaluateRun,
        menu: (Menu::Training, 3),
        text: "Evaluate",
        tooltip: "Measure the chosen run's best weights on this part of the data; the result is kept in its folder",
        shortcuts: &[ctrl_shift(Key::V)],
        enabled: can_compute,
        ..PLAIN
    },
    ActionInfo {
        action: Action::AuditRun,
        menu: (Menu::Training, 3),
        text: "Audit",
        tooltip: "Find out whether the chosen run's best weights need the lungs; the result is kept in its folder",
        shortcuts: &[ctrl_shift(Key::A)],
        enabled: can_audit,
        ..PLAIN
    },
    ActionInfo {
        action: Action::CancelWork,
        menu: (Menu::Training, 3),
        text: "Cancel",
        tooltip: "End the evaluation or audit; nothing is changed",
        enabled: is_working,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ExportEvaluation,
        menu: (Menu::Training, 4),
        text: "Export figures",
        tooltip: "Write the curves and the confusion matrix, or a segmenter's distributions, as PNG and SVG beside the \
                  tables (CSV) of the evaluation",
        enabled: with_evaluation,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ExportAudit,
        menu: (Menu::Training, 4),
        text: "Export audit figures",
        tooltip: "Write the audit's figures as PNG and SVG beside audit.json",
        enabled: with_audit,
        ..PLAIN
    },
    ActionInfo {
        action: Action::PromoteRun,
        menu: (Menu::Training, 4),
        text: "Install in the viewer",
        tooltip: "Put the chosen run's best weights into the viewer's model list, with the slider's threshold if that \
                  was chosen on the validation part; the version there now is kept",
        enabled: can_promote,
        ..PLAIN
    },
    ActionInfo {
        action: Action::DeleteRun,
        menu: (Menu::Training, 4),
        text: "Delete run…",
        tooltip: "Move the chosen run's folder to the system's trash",
        enabled: can_delete,
        ..PLAIN
    },
];
