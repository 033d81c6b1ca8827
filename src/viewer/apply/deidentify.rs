//! The panel 'De-identify': its form, rectangles, preview and batch.

use std::path::Path;

use super::Services;
use crate::deidentify::Region;
use crate::viewer::command::Action;
use crate::viewer::deidentify::{self, DeidentifyCommand, DeidentifyState, Marked, TextInPixels};
use crate::viewer::dialogs::{Choice, Chosen, Purpose};
use crate::viewer::errands::{Errand, Pending, Report};
use crate::viewer::picture::PictureKey;
use crate::viewer::state::ViewerState;

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::Deidentify => {
            let panel = &mut state.deidentify;
            panel.open = !panel.open;
            panel.adding = false;
            panel.drawing = None;
        }
        Action::PreviewDeidentification => preview(state, services),
        Action::AddMask => state.deidentify.adding = !state.deidentify.adding,
        Action::ChooseDeidentifiedFolder => services.dialogs.show(Choice::Folder, Purpose::Deidentified),
        Action::StartDeidentification => {
            let asked = deidentify::asked(state);
            let work = move |errand: &Errand<'_>| deidentify::run(asked, errand);
            state.deidentify.batch = Pending::Running(services.errands.send("deidentify", work));
        }
        Action::CancelDeidentification => {
            if let Some(sent) = state.deidentify.batch.running() {
                sent.cancel();
            }
        }
        _ => {}
    }
}

fn preview(state: &mut ViewerState, services: &mut Services) {
    let Some(key) = state.list.current_entry().map(|entry| entry.key.clone()) else {
        return;
    };
    let Some(path) = key.path().map(Path::to_owned) else {
        return;
    };
    state.deidentify.looked_at = Some(key.clone());
    let form = state.deidentify.form.clone();
    let work = move |_: &Errand<'_>| deidentify::preview(key, &path, &form);
    state.deidentify.preview = Pending::Running(services.errands.send("deidentify-preview", work));
}

/// Looks for text on the picture that is shown now, while all that is found is to be masked: nobody should have to ask
/// for what will be black.
pub(super) fn follow(state: &mut ViewerState, services: &mut Services) {
    let panel = &state.deidentify;
    if !panel.open || panel.form.text != TextInPixels::Found || panel.preview.running().is_some() {
        return;
    }
    // A preview is of the whole file: another frame of it says nothing new.
    let looked_at = panel.looked_at.as_ref().and_then(PictureKey::path);
    let is_new = state.list.current_file().is_some_and(|file| looked_at != Some(file));
    // Rectangles that the user drew on another picture are not thrown away unasked.
    let has_drawn = panel.marked.iter().any(|marked| marked.confidence.is_none());
    if is_new && !has_drawn {
        preview(state, services);
    }
}

pub(super) fn command(state: &mut ViewerState, command: DeidentifyCommand) {
    match command {
        DeidentifyCommand::Form(form) => state.deidentify.form = *form,
        DeidentifyCommand::Mark(index, on) => {
            if let Some(marked) = state.deidentify.marked.get_mut(index) {
                marked.on = on;
            }
        }
        DeidentifyCommand::Unmark(index) => {
            if index < state.deidentify.marked.len() {
                state.deidentify.marked.remove(index);
            }
        }
        DeidentifyCommand::Draw(corners) => state.deidentify.drawing = Some(corners),
        DeidentifyCommand::Drawn => drawn(state),
    }
}

/// Adds the rectangle that was drawn to those of the picture on the screen; those of another picture go.
fn drawn(state: &mut ViewerState) {
    let panel = &mut state.deidentify;
    panel.adding = false;
    let (Some(corners), Some(shown)) = (panel.drawing.take(), &state.shown) else {
        return;
    };
    let Some(region) = between(corners, shown.shape().size) else {
        return;
    };
    if !panel.is_marked(&shown.key) {
        panel.marked.clear();
        panel.marked_on = Some(shown.key.clone());
    }
    panel.marked.push(Marked {
        region,
        confidence: None,
        on: true,
    });
    panel.form.text = TextInPixels::Rectangles;
}

/// The whole pixels between two corners; `None` if there are none inside the picture.
fn between([one, two]: [[f64; 2]; 2], [width, height]: [u32; 2]) -> Option<Region> {
    let sides = [width, height].map(f64::from);
    let low = [0, 1].map(|axis| one[axis].min(two[axis]).floor().clamp(0.0, sides[axis]) as u32);
    let high = [0, 1].map(|axis| one[axis].max(two[axis]).ceil().clamp(0.0, sides[axis]) as u32);
    (high[0] > low[0] && high[1] > low[1]).then(|| Region {
        x: low[0],
        y: low[1],
        width: high[0] - low[0],
        height: high[1] - low[1],
    })
}

/// Takes a folder that was chosen.
pub(super) fn chosen(state: &mut ViewerState, chosen: Chosen) {
    match chosen {
        Chosen::Paths(paths) => {
            if let Some(path) = paths.first() {
                state.deidentify.form.out = path.display().to_string();
            }
        }
        Chosen::Unavailable => {
            let reason = "This system offers no file dialog. Type or paste the folder into its field.";
            state.notice = Some(reason.to_owned());
        }
    }
}

/// Takes a report of one of these errands; `true` if it was one.
pub(super) fn errand(state: &mut ViewerState, report: &Report) -> bool {
    if state.deidentify.preview.hear(report) {
        let current = state.list.current_entry().map(|entry| &entry.key);
        propose(&mut state.deidentify, current);
        return true;
    }
    state.deidentify.batch.hear(report)
}

/// The rectangles of a preview of the picture on the screen, beside those that the user drew on it; what the user
/// said of a rectangle that is found again stays said.
fn propose(panel: &mut DeidentifyState, current: Option<&PictureKey>) {
    let Some(preview) = panel.preview.done() else { return };
    if current != Some(&preview.key) {
        return;
    }
    let before = if panel.is_marked(&preview.key) {
        std::mem::take(&mut panel.marked)
    } else {
        Vec::new()
    };
    let is_off = |region: Region| before.iter().any(|marked| marked.region == region && !marked.on);
    let found = preview.detections.iter().map(|detection| Marked {
        region: detection.region,
        confidence: Some(detection.confidence),
        on: !is_off(detection.region),
    });
    let drawn = before.iter().filter(|marked| marked.confidence.is_none()).copied();
    let marked = found.chain(drawn).collect();
    panel.marked_on = Some(preview.key.clone());
    panel.marked = marked;
}
