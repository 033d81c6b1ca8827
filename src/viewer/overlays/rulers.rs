//! Lengths drawn on the picture, with the word that says what they mean.

use egui::{Align2, Painter, Stroke, vec2};

use crate::viewer::panels::corner_text::text_with_halo;
use crate::viewer::state::{Shown, ViewerState};
use crate::viewer::theme;

/// Half the length of the marks at a ruler's ends, in ui points.
const MARK: f32 = 5.0;

/// Draws the rulers of the picture, and the one under the mouse.
pub fn paint(painter: &Painter, state: &ViewerState, shown: &Shown) {
    let transform = shown.transform(state.screen);
    let aspect = shown.picture.radiograph.pixel_aspect;
    for line in shown.view.rulers.iter().chain(&state.ruler.drawing) {
        let [from, to] = [line.from, line.to].map(|at| transform.ui_from_image(at));
        let along = (to - from).normalized();
        let mark = vec2(-along.y, along.x) * MARK;
        for (width, colour) in [(3.0, theme::HALO), (1.0, theme::ON_PICTURE)] {
            let stroke = Stroke::new(width, colour);
            painter.line_segment([from, to], stroke);
            for end in [from, to] {
                painter.line_segment([end - mark, end + mark], stroke);
            }
        }
        let words = line.words(shown.spacing(), aspect);
        let right = if from.x > to.x { from } else { to };
        text_with_halo(
            painter,
            right + vec2(8.0, 0.0),
            Align2::LEFT_CENTER,
            words,
            theme::caption(),
        );
    }
}
