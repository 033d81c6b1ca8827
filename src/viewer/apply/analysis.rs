//! Predictions of the picture on the screen, and of no other.

use std::sync::Arc;
use std::time::Instant;

use super::{Services, results};
use crate::findings::Findings;
use crate::imaging::Scope;
use crate::inference::engine::{Event, RequestId};
use crate::viewer::analysis::{Analysis, EngineStatus, belong_to};
use crate::viewer::command::Action;
use crate::viewer::overlays::OverlayPixels;
use crate::viewer::state::ViewerState;

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::ToggleMask => state.overlays.mask = !state.overlays.mask,
        Action::ToggleMap => state.overlays.map = !state.overlays.map,
        Action::Analyse => begin(state, services),
        Action::CancelAnalysis => {
            // The final event, Cancelled or Done, says how it ended.
            if let Some(id) = state.analysis.running() {
                services.analyser.cancel(id);
            }
        }
        _ => {}
    }
}

/// Has the picture on the screen predicted, if it is one for these networks.
pub(super) fn begin(state: &mut ViewerState, services: &mut Services) {
    abandon(state, services);
    let Some(shown) = &state.shown else { return };
    let radiograph = &shown.picture.radiograph;
    state.analysis = match &radiograph.scope {
        Scope::OutOfScope(reason) => Analysis::OutOfScope(reason.clone()),
        Scope::InScope if !radiograph.is_grey_enough() => {
            Analysis::OutOfScope("Colour pictures are shown, not predicted.".to_owned())
        }
        Scope::InScope => {
            let id = services.analyser.submit(Arc::clone(radiograph));
            Analysis::Running {
                id,
                stage: None,
                since: Instant::now(),
            }
        }
    };
}

/// Stops what is under way; its later events find nobody.
pub(super) fn abandon(state: &mut ViewerState, services: &mut Services) {
    if let Some(id) = state.analysis.running() {
        services.analyser.cancel(id);
    }
    state.analysis = Analysis::None;
}

pub(super) fn event(state: &mut ViewerState, services: &mut Services, event: Event) {
    let is_current = |state: &ViewerState, id: RequestId| state.analysis.running() == Some(id);
    match event {
        Event::Loaded(loaded) => {
            state.engine = EngineStatus::Ready(loaded);
            results::look_at_models(state, services);
        }
        Event::LoadFailed(reason) => state.engine = EngineStatus::Failed(reason),
        Event::SwitchFailed(reason) => state.notice = Some(reason),
        Event::Progress(id, at) if is_current(state, id) => {
            if let Analysis::Running { stage, .. } = &mut state.analysis {
                *stage = Some(at);
            }
        }
        Event::Done(id, findings) if is_current(state, id) => done(state, services, findings),
        Event::Failed(id, reason) if is_current(state, id) => state.analysis = Analysis::Failed(reason),
        Event::Cancelled(id) if is_current(state, id) => state.analysis = Analysis::Cancelled,
        // A stale result is nobody's.
        Event::Progress(..) | Event::Done(..) | Event::Failed(..) | Event::Cancelled(_) => {}
    }
}

fn done(state: &mut ViewerState, services: &mut Services, findings: Arc<Findings>) {
    let Some(shown) = &mut state.shown else { return };
    if !belong_to(&findings, &shown.picture.radiograph) {
        state.analysis = Analysis::Failed("The result belongs to another picture and was dropped.".to_owned());
        return;
    }
    services.loader.prepare_overlay(Arc::clone(&findings));
    state.last_total = Some(findings.timings.total);
    shown.findings = Some(findings);
    state.analysis = Analysis::Done;
}

pub(super) fn overlay(state: &mut ViewerState, overlay: Arc<OverlayPixels>) {
    if let Some(shown) = &mut state.shown
        && belong_to(&overlay.findings, &shown.picture.radiograph)
    {
        shown.overlay = Some(overlay);
    }
}
