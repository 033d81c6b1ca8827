//! Window, level and polarity of the picture on the screen.

use egui::Vec2;

use crate::imaging::{Polarity, VoiTransform};
use crate::viewer::command::Action;
use crate::viewer::state::{Shown, ViewSettings, ViewerState};
use crate::viewer::tools::window_level;

pub(super) fn act(state: &mut ViewerState, action: Action) {
    // Escape first ends what was begun.
    if action == Action::Reset && state.deidentify.adding {
        state.deidentify.adding = false;
        state.deidentify.drawing = None;
        return;
    }
    let Some(shown) = &mut state.shown else { return };
    match action {
        Action::Invert => shown.view.inverted = !shown.view.inverted,
        Action::Reset => shown.view = ViewSettings::opening(&shown.picture),
        Action::Preset(number) => {
            let index = usize::from(number);
            if let Some(preset) = shown.picture.presets.get(index) {
                shown.view.voi = Some(preset.transform.clone());
                shown.view.preset = Some(index);
            }
        }
        Action::Window(step) => {
            if let Some(voi) = &shown.view.voi {
                let window = window_level::stepped(window_level::window_of(voi), polarity(shown), step);
                shown.view.voi = Some(VoiTransform::Window(window));
                shown.view.preset = None;
            }
        }
        _ => {}
    }
}

pub(super) fn drag(state: &mut ViewerState, delta: Vec2) {
    let Some(shown) = &mut state.shown else { return };
    let (Some(voi), Some(auto)) = (&shown.view.voi, shown.picture.presets.first()) else {
        return;
    };
    let range = window_level::window_of(&auto.transform).width;
    let window = window_level::dragged(window_level::window_of(voi), range, polarity(shown), delta);
    shown.view.voi = Some(VoiTransform::Window(window));
    shown.view.preset = None;
}

/// What black and white mean on the screen now.
fn polarity(shown: &Shown) -> Polarity {
    match (shown.picture.radiograph.polarity, shown.view.inverted) {
        (Polarity::Normal, false) | (Polarity::Inverse, true) => Polarity::Normal,
        _ => Polarity::Inverse,
    }
}
