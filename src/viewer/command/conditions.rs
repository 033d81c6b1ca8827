//! When an action can be done: predicates of the state that the table of actions names.

use crate::viewer::picture::PictureKey;
use crate::viewer::state::ViewerState;

pub(super) fn always(_: &ViewerState) -> bool {
    true
}

pub(super) fn with_list(state: &ViewerState) -> bool {
    !state.list.entries.is_empty()
}

pub(super) fn with_picture(state: &ViewerState) -> bool {
    state.shown.is_some()
}

pub(super) fn with_grey(state: &ViewerState) -> bool {
    state.shown.as_ref().is_some_and(crate::viewer::state::Shown::is_grey)
}

pub(super) fn with_findings(state: &ViewerState) -> bool {
    state.shown.as_ref().is_some_and(|shown| shown.findings.is_some())
}

pub(super) fn has_previous(state: &ViewerState) -> bool {
    state.list.current.is_some_and(|current| current > 0)
}

pub(super) fn has_next(state: &ViewerState) -> bool {
    state
        .list
        .current
        .is_some_and(|current| current + 1 < state.list.entries.len())
}

pub(super) fn frame_of(state: &ViewerState) -> Option<(u32, u32)> {
    state
        .shown
        .as_ref()
        .map(|shown| (shown.picture.radiograph.frame, shown.picture.radiograph.frames))
}

pub(super) fn has_previous_frame(state: &ViewerState) -> bool {
    match frame_of(state) {
        Some((frame, _)) => frame > 1,
        // A frame that cannot be shown must not be a dead end.
        None => state
            .list
            .current_entry()
            .is_some_and(|entry| matches!(entry.key, PictureKey::File { frame, .. } if frame > 1)),
    }
}

pub(super) fn has_next_frame(state: &ViewerState) -> bool {
    frame_of(state).is_some_and(|(frame, frames)| frame < frames)
}

pub(super) fn has_preset<const N: usize>(state: &ViewerState) -> bool {
    state
        .shown
        .as_ref()
        .is_some_and(|shown| N < shown.picture.presets.len())
}

pub(super) fn can_analyse(state: &ViewerState) -> bool {
    use crate::viewer::analysis::Analysis::{Cancelled, Failed};
    with_picture(state) && matches!(state.analysis, Cancelled | Failed(_))
}

pub(super) fn is_analysing(state: &ViewerState) -> bool {
    state.analysis.running().is_some()
}
