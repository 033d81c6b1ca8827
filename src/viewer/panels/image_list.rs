//! The pictures that can be stepped through, with thumbnails of those in sight.

use egui::{Align2, CornerRadius, Rect, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::widgets::{row_background, thumbnail, triangle};
use crate::viewer::command::Command;
use crate::viewer::picture::PictureKey;
use crate::viewer::state::{EntryStatus, ImageEntry, ViewerState};
use crate::viewer::theme;

const ROW: f32 = 60.0;
const THUMBNAIL: f32 = 52.0;

/// Draws the list.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let count = state.list.entries.len();
    ui.horizontal(|ui| {
        ui.set_min_height(22.0);
        let position = state.list.current.map_or(0, |current| current + 1);
        ui.strong("Images");
        ui.weak(format!("{position} of {count}"));
        if state.list.listing {
            ui.weak("…");
        }
    });
    ui.spacing_mut().item_spacing.y = 2.0;
    let mut area = ScrollArea::vertical().auto_shrink(false);
    if let Some(offset) = offset_to_current(ui, state) {
        area = area.vertical_scroll_offset(offset);
    }
    area.show_rows(ui, ROW, count, |ui, rows| {
        if rows != state.list.rows_in_sight {
            commands.push(Command::RowsInSight(rows.clone()));
        }
        for index in rows {
            row(ui, state, index, commands);
        }
    });
}

/// Where to scroll when another picture was chosen and its row is out of sight.
fn offset_to_current(ui: &Ui, state: &ViewerState) -> Option<f32> {
    let id = ui.scope_id().with("current");
    let before: Option<usize> = ui.data(|data| data.get_temp(id)).flatten();
    if before == state.list.current {
        return None;
    }
    ui.data_mut(|data| data.insert_temp(id, state.list.current));
    let current = state.list.current?;
    let in_sight = &state.list.rows_in_sight;
    if in_sight.start < current && current + 1 < in_sight.end {
        return None;
    }
    let row = ROW + 2.0;
    Some((current as f32 * row - (ui.available_height() - row) / 2.0).max(0.0))
}

fn row(ui: &mut Ui, state: &ViewerState, index: usize, commands: &mut Vec<Command>) {
    let entry = &state.list.entries[index];
    let is_current = state.list.current == Some(index);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    row_background(ui, rect, &response, is_current);
    let painter = ui.painter();
    small_picture(
        ui,
        entry,
        Rect::from_center_size(pos2(rect.min.x + ROW / 2.0, rect.center().y), Vec2::splat(THUMBNAIL)),
    );
    let left = rect.min.x + ROW + 2.0 * theme::STEP;
    let colour_of_name = if is_current { theme::TEXT } else { theme::MUTED };
    let name = wrapped(ui, &entry.key.label(), rect.max.x - left - theme::STEP);
    let note = note(entry);
    let note_height = if note.is_some() { 14.0 } else { 0.0 };
    let top = rect.center().y - f32::midpoint(name.size().y, note_height);
    let below = top + name.size().y + 1.0;
    painter.galley_with_override_text_color(pos2(left, top), name, colour_of_name);
    if let Some((note, colour)) = note {
        painter.text(pos2(left, below), Align2::LEFT_TOP, note, theme::caption(), colour);
    }
    let label = format!(
        "Image {} of {}: {}",
        index + 1,
        state.list.entries.len(),
        entry.key.label()
    );
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, is_current, &label));
    if response.clicked() {
        commands.push(Command::Select(index));
    }
    let hover = match (&entry.status, &entry.key) {
        (EntryStatus::Bad(reason), _) => reason.clone(),
        (_, PictureKey::File { path, .. }) => path.display().to_string(),
        (_, PictureKey::Sample) => "Computed by this program; not a patient".to_owned(),
    };
    response.on_hover_text(hover);
}

fn small_picture(ui: &Ui, entry: &ImageEntry, frame: Rect) {
    let painter = ui.painter();
    painter.rect_filled(frame, CornerRadius::ZERO, theme::VIEWPORT);
    match &entry.thumbnail {
        Some(texture) => thumbnail(painter, texture, frame),
        None if matches!(entry.status, EntryStatus::Bad(_)) => {
            triangle(painter, frame.center(), 24.0, true, theme::ALARM);
            let at = frame.center() + vec2(0.0, 3.0);
            painter.text(at, Align2::CENTER_CENTER, "!", theme::body(), theme::VIEWPORT);
        }
        None => {}
    }
}

/// A name on up to two lines: pictures of one folder often differ only at the end of theirs.
fn wrapped(ui: &Ui, name: &str, width: f32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple(name.to_owned(), theme::caption(), theme::MUTED, width);
    job.wrap.max_rows = 2;
    ui.painter().layout_job(job)
}

/// What is special about a picture.
fn note(entry: &ImageEntry) -> Option<(String, egui::Color32)> {
    match (&entry.status, &entry.key) {
        (EntryStatus::Bad(_), _) => Some(("Cannot be shown".to_owned(), theme::ALARM)),
        (_, PictureKey::File { frame, .. }) if *frame > 1 => Some((format!("Frame {frame}"), theme::MUTED)),
        (_, PictureKey::File { .. }) => None,
        (_, PictureKey::Sample) => Some(("Not a patient".to_owned(), theme::MUTED)),
    }
}
