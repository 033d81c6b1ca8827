//! Texts on the picture by DICOM habit, orientation letters, the scale bar. Drawn with a halo, legible on black
//! and on white.

use std::sync::Arc;

use egui::{Align, Align2, Color32, FontId, Galley, Painter, Pos2, Rect, Stroke, pos2, vec2};

use crate::imaging::Radiograph;
use crate::viewer::picture::PictureKey;
use crate::viewer::state::{Annotations, IdentityDisplay, Shown, ViewerState};
use crate::viewer::turn::EdgeLetters;
use crate::viewer::viewport::zoom;
use crate::viewer::{theme, wording};

/// Distance from the edges, in ui points.
const MARGIN: f32 = 12.0;

/// Draws what the annotation step asks for.
pub fn paint(painter: &Painter, state: &ViewerState) {
    let Some(shown) = &state.shown else { return };
    let rect = state.screen.rect.shrink(MARGIN);
    if state.layout.annotations == Annotations::All {
        let radiograph = &shown.picture.radiograph;
        corner(painter, rect, Align2::LEFT_TOP, &identity(shown, state.layout.identity));
        corner(painter, rect, Align2::RIGHT_TOP, &examination(radiograph));
        corner(painter, rect, Align2::LEFT_BOTTOM, &display(state, shown));
        corner(painter, rect, Align2::RIGHT_BOTTOM, &position(state, shown));
        orientation(painter, rect, shown);
    }
    if state.layout.annotations != Annotations::None {
        scale_bar(painter, rect, state, shown);
    }
}

fn corner(painter: &Painter, rect: Rect, at: Align2, lines: &[String]) {
    let text = lines
        .iter()
        .filter(|line| !line.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    if text.is_empty() {
        return;
    }
    let mut job = egui::text::LayoutJob::simple(text, theme::caption(), theme::ON_PICTURE, rect.width() * 0.45);
    job.halign = at.x();
    let galley = painter.layout_job(job);
    let top = match at.y() {
        Align::Max => rect.max.y - galley.size().y,
        _ => rect.min.y,
    };
    // A galley that is aligned right is placed by its right edge.
    let x = if at.x() == Align::Max { rect.max.x } else { rect.min.x };
    with_halo(painter, pos2(x, top), galley, theme::ON_PICTURE);
}

/// Text with a one-pixel dark halo.
pub fn with_halo(painter: &Painter, at: Pos2, galley: Arc<Galley>, colour: Color32) {
    let pixel = 1.0 / painter.pixels_per_point();
    for by in [vec2(-1.0, 0.0), vec2(1.0, 0.0), vec2(0.0, -1.0), vec2(0.0, 1.0)] {
        painter.galley_with_override_text_color(at + by * pixel, Arc::clone(&galley), theme::HALO);
    }
    painter.galley_with_override_text_color(at, galley, colour);
}

/// A short text with a halo.
pub fn text_with_halo(painter: &Painter, at: Pos2, anchor: Align2, text: impl Into<String>, font: FontId) -> Rect {
    let galley = painter.layout_no_wrap(text.into(), font, theme::ON_PICTURE);
    let rect = anchor.anchor_size(at, galley.size());
    with_halo(painter, rect.min, galley, theme::ON_PICTURE);
    rect
}

fn identity(shown: &Shown, display: IdentityDisplay) -> Vec<String> {
    if shown.key == PictureKey::Sample {
        return vec!["Synthetic phantom, not a patient".to_owned()];
    }
    let identity = &shown.picture.radiograph.identity;
    let name = identity.patient_name.as_deref();
    let number = identity.patient_id.as_deref();
    if name.is_none() && number.is_none() {
        return Vec::new();
    }
    if display == IdentityDisplay::Hidden {
        return vec!["Patient identity hidden".to_owned()];
    }
    let birth = identity.birth_date.as_deref().map(wording::date);
    let born = [birth.map(|birth| format!("born {birth}")), identity.sex.clone()];
    vec![
        name.unwrap_or_default().to_owned(),
        number.unwrap_or_default().to_owned(),
        born.into_iter().flatten().collect::<Vec<_>>().join("  "),
    ]
}

fn examination(radiograph: &Radiograph) -> Vec<String> {
    let acquisition = &radiograph.acquisition;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let view = [
        &acquisition.modality,
        &acquisition.view_position,
        &acquisition.laterality,
    ];
    vec![
        acquisition.study_date.as_deref().map(wording::date).unwrap_or_default(),
        text(&acquisition.study_description),
        text(&acquisition.series_description),
        view.into_iter().flatten().cloned().collect::<Vec<_>>().join("  "),
        match acquisition.patient_orientation {
            Some(_) => String::new(),
            None => "Orientation unknown".to_owned(),
        },
    ]
}

fn display(state: &ViewerState, shown: &Shown) -> Vec<String> {
    let zoom = zoom(shown.view.placement, shown.shape(), state.screen);
    let inverted = if shown.view.inverted { "Inverted" } else { "" };
    let turned = shown.view.turn.words();
    let name = if shown.is_grey() {
        wording::preset(shown.preset())
    } else {
        ""
    };
    vec![
        planes(state, shown),
        turned,
        inverted.to_owned(),
        name.to_owned(),
        wording::window(shown.view.voi.as_ref()),
        format!("Zoom {}", wording::zoom(zoom)),
    ]
}

/// What the file calls the overlay planes that it draws here, while they are drawn and identity is not hidden.
fn planes(state: &ViewerState, shown: &Shown) -> String {
    let graphics = shown.picture.graphics.as_ref().filter(|_| state.names_planes());
    graphics.map_or_else(String::new, |graphics| wording::overlay_planes(&graphics.plane_names))
}

fn position(state: &ViewerState, shown: &Shown) -> Vec<String> {
    let radiograph = &shown.picture.radiograph;
    let frame = if radiograph.frames > 1 {
        format!("Frame {} of {}", radiograph.frame, radiograph.frames)
    } else {
        String::new()
    };
    let spacing = match shown.spacing() {
        Some(spacing) if spacing.row_mm == spacing.column_mm => {
            format!("{:.3} mm per pixel, {}", spacing.row_mm, spacing.label().to_lowercase())
        }
        Some(spacing) => {
            format!(
                "{:.3} x {:.3} mm per pixel, {}",
                spacing.row_mm,
                spacing.column_mm,
                spacing.label().to_lowercase()
            )
        }
        None => "Uncalibrated: lengths in pixels".to_owned(),
    };
    let current = state.list.current.map_or(1, |current| current + 1);
    vec![
        format!("Image {current} of {}", state.list.entries.len()),
        frame,
        format!(
            "{} x {}, {} bits",
            radiograph.width, radiograph.height, radiograph.bits_stored
        ),
        spacing,
    ]
}

/// Letters at the edges, from Patient Orientation; nothing is guessed where the file says nothing.
fn orientation(painter: &Painter, rect: Rect, shown: &Shown) {
    let EdgeLetters {
        left,
        right,
        top,
        bottom,
    } = shown.view.turn.letters(&shown.picture.radiograph);
    let places = [
        // The colour bar has the middle of this edge.
        (rect.right_center() - vec2(0.0, 120.0), Align2::RIGHT_CENTER, right),
        (rect.left_center(), Align2::LEFT_CENTER, left),
        (rect.center_bottom() - vec2(0.0, 36.0), Align2::CENTER_BOTTOM, bottom),
        (rect.center_top(), Align2::CENTER_TOP, top),
    ];
    for (at, anchor, letters) in places {
        text_with_halo(painter, at, anchor, letters, theme::score());
    }
}

/// A round length in the lower middle: centimetres where the spacing is known, else pixels.
fn scale_bar(painter: &Painter, rect: Rect, state: &ViewerState, shown: &Shown) {
    let transform = shown.transform(state.screen);
    let ui_per_pixel = transform.px_per_image[0] / transform.pixels_per_point;
    let (ui_per_unit, unit, label) = match shown.spacing() {
        Some(spacing) => (ui_per_pixel / spacing.column_mm, "mm", spacing.label()),
        None => (ui_per_pixel, "px", "Uncalibrated"),
    };
    let wanted = f64::from(rect.width()) * 0.16 / ui_per_unit;
    let length = round_length(wanted);
    let text = match unit {
        "mm" if length >= 10.0 => format!("{} cm  {label}", wording::picture_value(length / 10.0)),
        _ => format!("{} {unit}  {label}", wording::picture_value(length)),
    };
    let half = (length * ui_per_unit / 2.0) as f32;
    let middle = rect.center_bottom();
    let [left, right] = [-half, half].map(|by| middle + vec2(by, 0.0));
    for (width, colour) in [(3.0, theme::HALO), (1.0, theme::ON_PICTURE)] {
        let stroke = Stroke::new(width, colour);
        painter.line_segment([left, right], stroke);
        for end in [left, right] {
            painter.line_segment([end - vec2(0.0, 5.0), end], stroke);
        }
    }
    text_with_halo(
        painter,
        middle - vec2(0.0, 7.0),
        Align2::CENTER_BOTTOM,
        text,
        theme::caption(),
    );
}

/// The largest of 1, 2, 5 times a power of ten that is not above a length.
fn round_length(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.max(1e-6).log10().floor());
    [5.0, 2.0, 1.0]
        .into_iter()
        .map(|step| step * power)
        .find(|&length| length <= wanted)
        .unwrap_or(power)
}
