//! The colour bar of the activation map: what its colours mean, printed on the picture.

use egui::{Align2, CornerRadius, Painter, Rect, Stroke, StrokeKind, pos2, vec2};

use super::{OverlaySettings, activation_map};
use crate::findings::ActivationMap;
use crate::viewer::panels::corner_text::text_with_halo;
use crate::viewer::theme;

/// Size of the bar, in ui points.
const SIZE: [f32; 2] = [12.0, 150.0];

/// Draws the bar at the right edge of the viewport, in the middle.
pub fn paint(painter: &Painter, viewport: Rect, map: &ActivationMap, settings: OverlaySettings) {
    let center = pos2(viewport.max.x - 24.0, viewport.center().y);
    let bar = Rect::from_center_size(center, vec2(SIZE[0], SIZE[1]));
    painter.rect_filled(bar, CornerRadius::ZERO, theme::VIEWPORT);
    let steps = SIZE[1] as usize;
    for step in 0..steps {
        let share = 1.0 - (step as f32 + 0.5) / steps as f32;
        let top = bar.min.y + step as f32 * bar.height() / steps as f32;
        let slice = Rect::from_min_size(
            pos2(bar.min.x, top),
            vec2(bar.width(), bar.height() / steps as f32 + 0.5),
        );
        // What is not drawn on the picture is dark here.
        let shown = if activation_map::alpha(share, 1.0, settings.threshold) > 0.0 {
            1.0
        } else {
            0.3
        };
        let colour = theme::mapped(settings.colours.rgb(share)).gamma_multiply(shown);
        painter.rect_filled(slice.intersect(bar), CornerRadius::ZERO, colour);
    }
    painter.rect_stroke(
        bar,
        CornerRadius::ZERO,
        Stroke::new(1.0, theme::ON_PICTURE),
        StrokeKind::Outside,
    );
    let text = |at, anchor, text: String| text_with_halo(painter, at, anchor, text, theme::caption());
    text(
        bar.right_top() + vec2(2.0, -4.0),
        Align2::RIGHT_BOTTOM,
        format!("{:.4}", map.max),
    );
    text(bar.right_bottom() + vec2(2.0, 4.0), Align2::RIGHT_TOP, "0".to_owned());
    let threshold = bar.max.y - bar.height() * settings.threshold;
    painter.hline(
        bar.min.x - 4.0..=bar.min.x,
        threshold,
        Stroke::new(1.0, theme::ON_PICTURE),
    );
    let words = format!(
        "Grad-CAM\nCOVID-19\nlogit\nlast features\n{} x {}",
        map.grid.0, map.grid.1
    );
    let mut job = egui::text::LayoutJob::simple(words, theme::caption(), theme::ON_PICTURE, f32::INFINITY);
    job.halign = egui::Align::Max;
    let galley = painter.layout_job(job);
    let at = pos2(bar.min.x - 8.0, bar.center().y - galley.size().y / 2.0);
    crate::viewer::panels::corner_text::with_halo(painter, at, galley, theme::ON_PICTURE);
}
