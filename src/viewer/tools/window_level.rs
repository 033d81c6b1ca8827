//! Window/level by hand: how far a drag or a key moves the window. Pure functions of the window.

use egui::Vec2;

use crate::imaging::{Polarity, VoiLutFunction, VoiTransform, Window};
use crate::viewer::command::WindowStep;

/// Ui points of a drag over which the window changes by the picture's own range.
const POINTS_PER_RANGE: f64 = 400.0;
/// Share of the window's width that a key press moves it by.
const KEY_SHARE: f64 = 0.05;

/// The window that a transform stands for: itself, or the line from a table's first to its last entry.
pub fn window_of(voi: &VoiTransform) -> Window {
    match voi {
        VoiTransform::Window(window) => *window,
        VoiTransform::Table(table) => {
            let count = table.entries.len() as f64;
            Window {
                center: f64::from(table.first) + count / 2.0,
                width: count.max(1.0),
                function: VoiLutFunction::LinearExact,
            }
        }
    }
}

/// The window after a drag by `delta` ui points: across changes the width, up makes the picture brighter.
///
/// `range` is the width of the automatic window, in modality values: what a drag of some hundred points spans.
/// `polarity` is what black and white mean now.
pub fn dragged(window: Window, range: f64, polarity: Polarity, delta: Vec2) -> Window {
    let unit = range / POINTS_PER_RANGE;
    let down = f64::from(delta.y) * unit;
    moved(window, f64::from(delta.x) * unit, toward(polarity, down))
}

/// The window after a key press.
pub fn stepped(window: Window, polarity: Polarity, step: WindowStep) -> Window {
    let by = window.width * KEY_SHARE;
    match step {
        WindowStep::Wider => moved(window, by, 0.0),
        WindowStep::Narrower => moved(window, -by, 0.0),
        WindowStep::Brighter => moved(window, 0.0, toward(polarity, -by)),
        WindowStep::Darker => moved(window, 0.0, toward(polarity, by)),
    }
}

/// A higher centre is darker where high values are bright, and brighter where they are dark.
fn toward(polarity: Polarity, darker: f64) -> f64 {
    match polarity {
        Polarity::Normal => darker,
        Polarity::Inverse => -darker,
    }
}

fn moved(window: Window, wider: f64, higher: f64) -> Window {
    // C.11.2.1.2 asks for a width of at least 1, C.11.2.1.3 for one above 0.
    let least = match window.function {
        VoiLutFunction::Linear => 1.0,
        VoiLutFunction::LinearExact | VoiLutFunction::Sigmoid => 1e-3,
    };
    Window {
        center: window.center + higher,
        width: (window.width + wider).max(least),
        ..window
    }
}

#[cfg(test)]
mod tests {
    use egui::vec2;

    use super::*;

    const WINDOW: Window = Window {
        center: 100.0,
        width: 50.0,
        function: VoiLutFunction::Linear,
    };

    #[test]
    fn dragging_right_widens_and_up_brightens() {
        let wider = dragged(WINDOW, 400.0, Polarity::Normal, vec2(10.0, 0.0));
        assert_eq!((wider.center, wider.width), (100.0, 60.0));
        let brighter = dragged(WINDOW, 400.0, Polarity::Normal, vec2(0.0, -10.0));
        assert!(brighter.apply(100.0) > WINDOW.apply(100.0));
        let inverse = dragged(WINDOW, 400.0, Polarity::Inverse, vec2(0.0, -10.0));
        let shown = |window: Window| Polarity::Inverse.apply(window.apply(100.0));
        assert!(shown(inverse) > shown(WINDOW));
    }

    #[test]
    fn the_width_stays_legal() {
        assert_eq!(dragged(WINDOW, 400.0, Polarity::Normal, vec2(-1e6, 0.0)).width, 1.0);
        let exact = Window {
            function: VoiLutFunction::LinearExact,
            ..WINDOW
        };
        assert!(dragged(exact, 400.0, Polarity::Normal, vec2(-1e6, 0.0)).width > 0.0);
    }
}
