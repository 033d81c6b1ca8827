//! The badge on the picture: how true it is, in a word with its colour, the reasons on hover.

use egui::{Align, Color32, Frame, Layout, Margin, Rect, RichText, Ui, UiBuilder, pos2};

use super::widgets::name_value;
use crate::viewer::fidelity::{self, Fidelity};
use crate::viewer::state::{Annotations, ViewerState};
use crate::viewer::theme;

/// Height of the lines of the lower right corner below the badge, in ui points.
const ABOVE_CORNER: f32 = 84.0;
const SIZE: [f32; 2] = [120.0, 24.0];

/// Draws the badge of the picture on the screen.
pub fn ui(ui: &mut Ui, state: &ViewerState) {
    let Some(shown) = &state.shown else { return };
    if state.layout.annotations == Annotations::None {
        return;
    }
    let transform = shown.transform(state.screen);
    let judgement = fidelity::judge(&shown.picture.radiograph, &transform, state.graphics.shutter);
    let corner = state.screen.rect.max;
    let place = Rect::from_min_size(
        pos2(corner.x - SIZE[0] - 12.0, corner.y - ABOVE_CORNER - SIZE[1]),
        SIZE.into(),
    );
    let layout = Layout::right_to_left(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(place).layout(layout), |ui| {
        let frame = Frame::new()
            .fill(theme::HALO)
            .corner_radius(theme::RADIUS)
            .inner_margin(Margin::symmetric(6, 2));
        let response = frame
            .show(ui, |ui| {
                let text = RichText::new(judgement.word.text()).font(theme::caption());
                ui.label(text.color(colour(judgement.word)))
            })
            .inner;
        let reasons = judgement.reasons.join("\n");
        name_value(&response, "Fidelity", &format!("{}: {reasons}", judgement.word.text()));
        response.on_hover_text(reasons);
    });
}

fn colour(word: Fidelity) -> Color32 {
    match word {
        Fidelity::Exact => theme::GOOD,
        Fidelity::Downscaled | Fidelity::Resampled => theme::ON_PICTURE,
        Fidelity::Lossy | Fidelity::Assumed => theme::CAUTION,
    }
}
