//! How the picture lies, lengths on it, and its calibration.

use std::path::Path;

use super::Services;
use crate::viewer::command::Action;
use crate::viewer::errands::{Errand, Pending, Report};
use crate::viewer::ruler::RulerCommand;
use crate::viewer::ruler::calibrations::Calibrations;
use crate::viewer::state::{Dialog, ViewerState};

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::Calibrate => state.dialog = Some(Dialog::Calibrate),
        Action::ForgetCalibration => calibrate(state, services, None),
        _ => {}
    }
    let Some(shown) = &mut state.shown else { return };
    let turn = &mut shown.view.turn;
    match action {
        Action::TurnRight => *turn = turn.right(),
        Action::TurnLeft => *turn = turn.left(),
        Action::FlipAcross => *turn = turn.flipped_across(),
        Action::FlipDown => *turn = turn.flipped_down(),
        Action::RemoveRulers => shown.view.rulers.clear(),
        _ => {}
    }
}

pub(super) fn command(state: &mut ViewerState, services: &mut Services, command: RulerCommand) {
    match command {
        RulerCommand::Draw(line) => state.ruler.drawing = Some(line),
        RulerCommand::Finish => {
            if let (Some(line), Some(shown)) = (state.ruler.drawing.take(), &mut state.shown)
                && line.is_meant()
            {
                shown.view.rulers.push(line);
            }
        }
        RulerCommand::Calibrate(millimetres) => calibrate(state, services, Some(millimetres)),
    }
}

/// Sets the spacing by the last ruler, or goes back to the file's, and keeps that.
fn calibrate(state: &mut ViewerState, services: &mut Services, millimetres: Option<f64>) {
    let Some(shown) = &mut state.shown else { return };
    let radiograph = &shown.picture.radiograph;
    let line = shown.view.rulers.last();
    let calibrated = |length| line.and_then(|line| line.calibrated(length, radiograph.pixel_aspect));
    let spacing = millimetres.and_then(calibrated);
    // Without a line to go by, the spacing stays.
    if spacing.is_none() && millimetres.is_some() {
        return;
    }
    shown.calibration = spacing;
    let key = &shown.picture.calibration_key;
    state.ruler.calibrations.set(key, shown.calibration);
    if state.ruler.keeping.running().is_none() {
        keep(state, services);
    }
}

fn keep(state: &mut ViewerState, services: &mut Services) {
    let Some(path) = services.kept.calibrations.clone() else {
        return;
    };
    let kept = state.ruler.calibrations.clone();
    let work = move |_: &Errand<'_>| write(kept, &path);
    state.ruler.keeping = Pending::Running(services.errands.send("calibrations", work));
}

/// What is on the disk then, or a sentence if it cannot be kept.
fn write(kept: Calibrations, path: &Path) -> Result<Calibrations, String> {
    let written = kept.write(path);
    written.map_err(|error| format!("{}: the calibration cannot be kept: {error}", path.display()))
}

pub(super) fn errand(state: &mut ViewerState, services: &mut Services, report: &Report) -> bool {
    if !state.ruler.keeping.hear(report) {
        return false;
    }
    match &state.ruler.keeping {
        Pending::Failed(reason) => state.notice = Some(reason.clone()),
        // Calibrated once more in the meantime.
        Pending::Done(written) if state.ruler.calibrations.written(written) => keep(state, services),
        _ => {}
    }
    true
}
