//! The program's sign, two lungs and a warm spot in one of them: drawn by code, so that it is sharp at any size.

use egui::{IconData, Mesh, Painter, Rect, pos2};

use super::theme;

/// Side of the window's icon, in pixels.
const SIDE: u32 = 128;

/// The icon of the window.
pub fn data() -> IconData {
    let pixel = |index: u32| {
        let at = [index % SIDE, index / SIDE].map(|step| (step as f32 + 0.5) / SIDE as f32);
        colour(at, 1.5 / SIDE as f32).map(|component| (component * 255.0).round() as u8)
    };
    IconData {
        rgba: (0..SIDE * SIDE).flat_map(pixel).collect(),
        width: SIDE,
        height: SIDE,
    }
}

/// Paints it into a square of the window.
pub fn paint(painter: &Painter, rect: Rect) {
    let side = (rect.width() * painter.pixels_per_point()) as usize;
    let step = rect.width() / side as f32;
    let mut mesh = Mesh::default();
    for row in 0..side {
        for column in 0..side {
            let at = [column, row].map(|step| (step as f32 + 0.5) / side as f32);
            let [r, g, b, alpha] = colour(at, 1.0 / side as f32);
            if alpha > 0.0 {
                let corner = rect.min + egui::vec2(column as f32, row as f32) * step;
                let cell = Rect::from_min_max(corner, corner + egui::Vec2::splat(step));
                let rgb = [r, g, b].map(|component| (component * 255.0).round() as u8);
                mesh.add_colored_rect(cell, theme::mapped(rgb).gamma_multiply(alpha));
            }
        }
    }
    painter.add(mesh);
}

/// RGBA in 0..=1 at a position in the unit square; edges are blended over `soft`.
fn colour(at: [f32; 2], soft: f32) -> [f32; 4] {
    let inside = |distance: f32| (0.5 - distance / soft).clamp(0.0, 1.0);
    let [r, g, b, _] = theme::components(theme::RAISED);
    let mut rgb = [r, g, b];
    for (side, lung) in [(-1.0, theme::RIGHT_LUNG), (1.0, theme::LEFT_LUNG)] {
        let share = inside(lung_distance(at, side));
        let [r, g, b, _] = theme::components(lung);
        let fill = [r, g, b];
        rgb = [0, 1, 2].map(|c| rgb[c] + (fill[c] - rgb[c]) * share);
        if side > 0.0 {
            let warmth = (1.0 - distance(at, pos2(0.66, 0.62).into()) / 0.2).clamp(0.0, 1.0) * share;
            let [r, g, b, _] = theme::components(theme::CAUTION);
            let warm = [r, g, b];
            rgb = [0, 1, 2].map(|c| rgb[c] + (warm[c] - rgb[c]) * warmth);
        }
    }
    let [r, g, b] = rgb;
    [r, g, b, inside(rounded_square(at))]
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Signed distance to the unit square with round corners, a little inside the edge.
fn rounded_square([x, y]: [f32; 2]) -> f32 {
    let (half, radius) = (0.48, 0.2);
    let beyond = [x, y].map(|value| ((value - 0.5).abs() - half + radius).max(0.0));
    beyond[0].hypot(beyond[1]) - radius
}

/// About the signed distance to a lung: an ellipse cut off by the middle and the diaphragm.
fn lung_distance([x, y]: [f32; 2], side: f32) -> f32 {
    let center = [0.5 + side * 0.13, 0.56];
    let ellipse = (((x - center[0]) / 0.22).hypot((y - center[1]) / 0.36) - 1.0) * 0.22;
    let middle = 0.045 - side * (x - 0.5);
    let diaphragm = y - 0.8 + 0.25 * (side * (x - 0.5) - 0.2).abs();
    ellipse.max(middle).max(diaphragm)
}
