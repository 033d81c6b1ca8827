//! One row of the studies panel: a patient, a study, a series or an instance.

use egui::{Align2, CornerRadius, Rect, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::send;
use crate::library::{Instance, Patient, Series, Study};
use crate::viewer::command::Command;
use crate::viewer::panels::widgets::{row_background, thumbnail};
use crate::viewer::state::{IdentityDisplay, ViewerState};
use crate::viewer::studies::StudiesCommand;
use crate::viewer::studies::rows::{Node, Row, images_of, is_open};
use crate::viewer::{theme, wording};

/// Height of a row, in ui points.
pub const HEIGHT: f32 = 44.0;
const THUMBNAIL: f32 = 38.0;
/// A step to the right for each level.
const INDENT: f32 = 14.0;
/// Width of the mark that folds.
const MARK: f32 = 16.0;

/// What a row says.
struct Words {
    first: String,
    second: String,
    /// For assistive technology: what kind of row it is, and its name.
    label: String,
    hover: String,
}

/// Draws a row.
pub fn ui(ui: &mut Ui, state: &ViewerState, index: usize, commands: &mut Vec<Command>) {
    let studies = &state.studies;
    let Some(&row) = studies.rows.get(index) else { return };
    let Some(words) = words(state, row) else { return };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::click());
    let is_chosen = is_chosen(state, row);
    row_background(ui, rect, &response, is_chosen);
    let mut left = rect.min.x + theme::STEP + INDENT * f32::from(row.depth());
    let node = row.node(studies.catalogue());
    if let Some(node) = node {
        fold_mark(ui, rect, left, is_open(node, &studies.turned));
    }
    left += MARK;
    if row.depth() >= 2 {
        let frame = Rect::from_min_size(pos2(left, rect.center().y - THUMBNAIL / 2.0), Vec2::splat(THUMBNAIL));
        small_picture(ui, state, row, frame);
        left += THUMBNAIL + 2.0 * theme::STEP;
    }
    let width = rect.max.x - left - theme::STEP;
    line(
        ui,
        &words.first,
        theme::body(),
        theme::TEXT,
        pos2(left, rect.min.y + 6.0),
        width,
    );
    line(
        ui,
        &words.second,
        theme::caption(),
        theme::MUTED,
        pos2(left, rect.min.y + 25.0),
        width,
    );
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, is_chosen, &words.label));
    if response.clicked() {
        let at_mark = response
            .interact_pointer_pos()
            .is_some_and(|at| at.x < rect.min.x + theme::STEP + INDENT * f32::from(row.depth()) + MARK);
        clicked(state, row, node, at_mark, commands);
    }
    response.on_hover_text(words.hover);
}

/// A click folds patients and studies, and opens series and instances; at the mark it always folds.
fn clicked(state: &ViewerState, row: Row, node: Option<Node>, at_mark: bool, commands: &mut Vec<Command>) {
    let catalogue = state.studies.catalogue();
    match (row.series(catalogue), node) {
        (Some(series), _) if !at_mark => {
            let instance = row.instance(catalogue).map(|instance| instance.id);
            let series = series.id;
            send(commands, StudiesCommand::Open { series, instance });
        }
        (_, Some(node)) => send(commands, StudiesCommand::Turn(node)),
        _ => {}
    }
}

/// The series in the image list, or the instance on the screen.
fn is_chosen(state: &ViewerState, row: Row) -> bool {
    let studies = &state.studies;
    let catalogue = studies.catalogue();
    match row {
        Row::Series(..) => row
            .series(catalogue)
            .is_some_and(|series| studies.opened == Some(series.id)),
        Row::Instance(..) => {
            let current = state.list.current_file();
            current.is_some() && row.instance(catalogue).map(|instance| instance.path.as_path()) == current
        }
        Row::Patient(_) | Row::Study(..) => false,
    }
}

/// A triangle that points down over what is unfolded, to the right before what is folded.
fn fold_mark(ui: &Ui, rect: Rect, left: f32, open: bool) {
    let center = pos2(left + 5.0, rect.center().y);
    let points = if open {
        [vec2(-4.0, -3.0), vec2(4.0, -3.0), vec2(0.0, 3.0)]
    } else {
        [vec2(-3.0, -4.0), vec2(3.0, 0.0), vec2(-3.0, 4.0)]
    };
    let points = points.iter().map(|&point| center + point).collect();
    ui.painter()
        .add(Shape::convex_polygon(points, theme::MUTED, Stroke::NONE));
}

fn small_picture(ui: &Ui, state: &ViewerState, row: Row, frame: Rect) {
    let painter = ui.painter();
    painter.rect_filled(frame, CornerRadius::ZERO, theme::VIEWPORT);
    let Some(instance) = state.studies.pictured(&row) else {
        return;
    };
    match state.studies.thumbnails.get(&instance.id) {
        Some(Some(texture)) => thumbnail(painter, texture, frame),
        // It gives no picture: what it is says more than an empty square.
        Some(None) => {
            let series = row.series(state.studies.catalogue());
            let modality = series.and_then(|series| series.modality.as_deref()).unwrap_or("?");
            painter.text(
                frame.center(),
                Align2::CENTER_CENTER,
                modality,
                theme::caption(),
                theme::MUTED,
            );
        }
        None => {}
    }
}

fn line(ui: &Ui, text: &str, font: egui::FontId, colour: egui::Color32, at: egui::Pos2, width: f32) {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width.max(0.0));
    let galley = ui.painter().layout_job(job);
    ui.painter().galley(at, galley, colour);
}

fn words(state: &ViewerState, row: Row) -> Option<Words> {
    let catalogue = state.studies.catalogue();
    Some(match row {
        Row::Patient(_) => patient_words(row.patient(catalogue)?, state.layout.identity),
        Row::Study(..) => study_words(row.study(catalogue)?),
        Row::Series(..) => series_words(row.series(catalogue)?),
        Row::Instance(..) => instance_words(row.instance(catalogue)?),
    })
}

fn joined(parts: &[&str], between: &str) -> String {
    let there: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    there.join(between)
}

fn patient_words(patient: &Patient, identity: IdentityDisplay) -> Words {
    let named = !patient.name.is_empty() || !patient.patient_id.is_empty();
    let first = match (named, identity) {
        (false, _) => "No patient named".to_owned(),
        (true, IdentityDisplay::Hidden) => "Patient".to_owned(),
        (true, IdentityDisplay::Shown) if patient.name.is_empty() => patient.patient_id.clone(),
        (true, IdentityDisplay::Shown) => patient.name.clone(),
    };
    let sex = patient.sex.as_deref().unwrap_or_default();
    let second = match identity {
        IdentityDisplay::Hidden => String::new(),
        IdentityDisplay::Shown => joined(&[&patient.patient_id, &wording::date(&patient.birth_date), sex], "  "),
    };
    let studies = wording::counted(patient.studies.len(), "study", "studies");
    let second = joined(&[&second, &studies], "  ");
    Words {
        label: format!("Patient {first}"),
        hover: joined(&[&first, &second], "\n"),
        first,
        second,
    }
}

fn study_words(study: &Study) -> Words {
    let date = study.date.as_deref().map(wording::date).unwrap_or_default();
    let description = study.description.as_deref().unwrap_or_default();
    let first = joined(&[&date, description], "  ");
    let first = if first.is_empty() { "Study".to_owned() } else { first };
    let mut modalities: Vec<&str> = study
        .series
        .iter()
        .filter_map(|series| series.modality.as_deref())
        .collect();
    modalities.sort_unstable();
    modalities.dedup();
    let images = wording::counted(images_of(study), "image", "images");
    let second = joined(&[&modalities.join(" "), &images], "  ");
    Words {
        label: format!("Study {first}"),
        hover: joined(&[&first, &second, study.accession.as_deref().unwrap_or_default()], "\n"),
        first,
        second,
    }
}

fn series_words(series: &Series) -> Words {
    let number = series.number.map(|number| number.to_string()).unwrap_or_default();
    let modality = series.modality.as_deref().unwrap_or_default();
    let description = series.description.as_deref().unwrap_or_default();
    let first = joined(&[modality, &number, description], "  ");
    let first = if first.is_empty() { "Series".to_owned() } else { first };
    let images = wording::counted(series.instances.len(), "image", "images");
    let second = joined(&[&images, series.body_part.as_deref().unwrap_or_default()], "  ");
    Words {
        label: format!("Series {first}"),
        hover: joined(&[&first, &second], "\n"),
        first,
        second,
    }
}

fn instance_words(instance: &Instance) -> Words {
    let name = instance
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let number = instance.number.map(|number| number.to_string()).unwrap_or_default();
    let view = instance.view.as_deref().unwrap_or_default();
    let size = instance.size.map(|(rows, columns)| format!("{columns} x {rows}"));
    let size = size.unwrap_or_else(|| "No pixels".to_owned());
    let frames = if instance.frames > 1 {
        format!("{} frames", instance.frames)
    } else {
        String::new()
    };
    Words {
        first: joined(&[&number, &name], "  "),
        second: joined(&[view, &size, &frames], "  "),
        label: format!("Instance {name}"),
        hover: instance.path.display().to_string(),
    }
}
