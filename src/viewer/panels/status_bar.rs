//! The strip that never leaves, what is under the cursor, window and zoom.

use egui::{Align, Label, Layout, RichText, Ui};

use super::train::run::short;
use super::widgets::name_value;
use crate::imaging::{OverlayPlane, Radiograph, Samples};
use crate::viewer::overlays::file_graphics::drawn_planes;
use crate::viewer::state::{Shown, ViewerState, Workspace};
use crate::viewer::viewport::zoom;
use crate::viewer::{theme, wording};

/// Draws the bar.
pub fn ui(ui: &mut Ui, state: &ViewerState) {
    ui.horizontal_centered(|ui| {
        ui.set_min_height(theme::STATUS_HEIGHT);
        ui.add(Label::new(
            RichText::new(wording::RESEARCH_ONLY).color(theme::CAUTION).strong(),
        ));
        run(ui, state);
        let Some(shown) = state.shown.as_ref().filter(|_| state.workspace == Workspace::Read) else {
            return;
        };
        ui.separator();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let zoom = wording::zoom(zoom(shown.view.placement, shown.shape(), state.screen));
            named(ui, "Zoom factor", &zoom);
            ui.separator();
            named(ui, "Window width and centre", &wording::window(shown.view.voi.as_ref()));
            ui.separator();
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let text = under_cursor(state, shown);
                let response = ui.add(Label::new(RichText::new(&text).color(theme::MUTED)).truncate());
                name_value(&response, "Under the cursor", &text);
            });
        });
    });
}

/// How far a run is, in every workspace.
fn run(ui: &mut Ui, state: &ViewerState) {
    let session = &state.train.session;
    if !session.is_active() {
        return;
    }
    ui.separator();
    let share = session
        .steps()
        .map(|(done, total)| wording::percent(done as f64 / total.max(1) as f64));
    let left = session.left().map(|left| wording::time_left(left.least, left.most));
    let words: Vec<String> = [Some(format!("Run: {}", short(session))), share, left]
        .into_iter()
        .flatten()
        .collect();
    let text = words.join(", ");
    let response = ui.label(RichText::new(&text).color(theme::MUTED));
    name_value(&response, "Run under way", &text);
}

fn named(ui: &mut Ui, name: &str, text: &str) {
    let response = ui.label(text);
    name_value(&response, name, text);
}

/// Position, stored value, modality value and map value of the pixel under the cursor, and the overlay planes that are
/// drawn on it.
fn under_cursor(state: &ViewerState, shown: &Shown) -> String {
    let Some(pointer) = state.pointer else {
        return String::new();
    };
    let [x, y] = shown.transform(state.screen).image_from_ui(pointer).map(f64::floor);
    let radiograph = &shown.picture.radiograph;
    if x < 0.0 || y < 0.0 || x >= f64::from(radiograph.width) || y >= f64::from(radiograph.height) {
        return String::new();
    }
    let (column, row) = (x as u32, y as u32);
    let index = row as usize * radiograph.width as usize + column as usize;
    let mut parts = vec![format!("x {column}  y {row}")];
    parts.extend(values(radiograph, index));
    if let Some(value) = shown
        .overlay
        .as_ref()
        .and_then(|overlay| overlay.map_value(column, row))
    {
        parts.push(format!("map {value:.4}"));
    }
    if state.names_planes() {
        let planes = drawn_planes(radiograph).filter(|plane| plane.sets(row, column));
        parts.extend(planes.filter_map(OverlayPlane::name));
    }
    parts.join("   ")
}

/// Stored value and modality value of a pixel, or its colour.
fn values(radiograph: &Radiograph, index: usize) -> Vec<String> {
    let (stored, modality) = match &radiograph.samples {
        Samples::Grey(stored) => {
            let value = stored.get(index);
            (value.to_string(), radiograph.modality_lut.apply(value))
        }
        Samples::Wide(wide) => {
            let value = wide.values[index];
            (value.to_string(), radiograph.modality_lut.apply(value))
        }
        Samples::Colour(rgb) => {
            let [r, g, b] = rgb[index];
            return vec![format!("RGB {r} {g} {b}")];
        }
    };
    vec![
        format!("stored {stored}"),
        format!("modality {}", wording::picture_value(modality)),
    ]
}
