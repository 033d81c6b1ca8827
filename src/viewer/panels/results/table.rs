//! The table of runs: sorted by any column, a click looks at a run, a click with Ctrl puts one beside it.

use egui::text::{LayoutJob, TextWrapping};
use egui::{CornerRadius, Rect, Role, ScrollArea, Sense, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use crate::training::runs::{Run, RunState};
use crate::viewer::command::Command;
use crate::viewer::panels::widgets::triangle;
use crate::viewer::results::ResultsCommand;
use crate::viewer::results::rows::{Column, sorted};
use crate::viewer::state::ViewerState;
use crate::viewer::theme;

/// Height of a row, in ui points.
pub const ROW: f32 = 24.0;

/// Draws the table.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let results = &state.results;
    if results.runs.is_empty() {
        if results.reading.running().is_none() {
            ui.weak("No runs here. Train one, or name a folder that holds some.");
        }
        return;
    }
    ui.spacing_mut().item_spacing.y = 1.0;
    heads(ui, results.sort, commands);
    let rows = sorted(&results.runs, results.sort);
    ScrollArea::vertical()
        .id_salt("run rows")
        .auto_shrink(false)
        .show_rows(ui, ROW, rows.len(), |ui, range| {
            for index in range {
                row(ui, state, rows[index], commands);
            }
        });
}

/// Left edges and widths of the columns.
fn columns(width: f32) -> impl Iterator<Item = (Column, f32, f32)> {
    let total: f32 = Column::ALL.into_iter().map(Column::weight).sum();
    let mut left = 0.0;
    Column::ALL.into_iter().map(move |column| {
        let own = width * column.weight() / total;
        left += own;
        (column, left - own, own)
    })
}

fn heads(ui: &mut Ui, (by, falling): (Column, bool), commands: &mut Vec<Command>) {
    let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    for (column, left, width) in columns(area.width()) {
        let rect = Rect::from_min_size(area.min + vec2(left, 0.0), vec2(width, ROW));
        let response = ui.interact(rect, ui.scope_id().with(("sort", column)), Sense::click());
        let is_active = by == column;
        let colour = if is_active || response.hovered() {
            theme::TEXT
        } else {
            theme::MUTED
        };
        text(ui, rect, column.title(), colour);
        if is_active {
            let at = pos2(rect.max.x - 12.0, rect.center().y);
            triangle(ui.painter(), at, 7.0, !falling, theme::TEXT);
        }
        let name = format!("Sort by {}", column.title().to_lowercase());
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_active, &name));
        if response.on_hover_text(name.clone()).clicked() {
            commands.push(Command::Results(ResultsCommand::Sort(column)));
        }
    }
    ui.painter().hline(area.x_range(), area.max.y, theme::hairline());
}

fn row(ui: &mut Ui, state: &ViewerState, run: &Run, commands: &mut Vec<Command>) {
    let results = &state.results;
    let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let is_first = results.selected.as_ref() == Some(&run.folder);
    let is_second = results.second.as_ref() == Some(&run.folder);
    let fill = match (is_first, response.hovered()) {
        (true, _) => theme::SELECTED,
        (false, true) => theme::HOVERED,
        (false, false) => theme::NOTHING,
    };
    ui.painter().rect_filled(area, CornerRadius::same(theme::RADIUS), fill);
    if is_second || response.has_focus() {
        let stroke = ui.visuals().selection.stroke;
        ui.painter()
            .rect_stroke(area, CornerRadius::same(theme::RADIUS), stroke, StrokeKind::Inside);
    }
    for (column, left, width) in columns(area.width()) {
        let rect = Rect::from_min_size(area.min + vec2(left, 0.0), vec2(width, ROW));
        let colour = match (column, run.state) {
            (Column::Name, _) => theme::TEXT,
            (Column::State, RunState::Failed) => theme::ALARM,
            (Column::State, RunState::Running) => theme::ACCENT,
            _ => theme::MUTED,
        };
        text(ui, rect, &column.text(run), colour);
    }
    let label = format!("Run {}", run.name);
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, is_first, &label));
    if response.clicked() {
        let beside = ui.input(|input| input.modifiers.command);
        let command = match (beside, is_second) {
            (false, _) => ResultsCommand::Select(run.folder.clone()),
            (true, true) => ResultsCommand::Second(None),
            (true, false) => ResultsCommand::Second(Some(run.folder.clone())),
        };
        commands.push(Command::Results(command));
    }
    let problem = run.problem.as_deref().map(|problem| format!("\n{problem}"));
    response.on_hover_text(format!(
        "{}{}\nCtrl and click puts it beside the chosen one",
        run.folder.display(),
        problem.unwrap_or_default()
    ));
}

fn text(ui: &Ui, rect: Rect, text: &str, colour: egui::Color32) {
    let mut job = LayoutJob::simple_singleline(text.to_owned(), theme::body(), colour);
    job.wrap = TextWrapping::truncate_at_width((rect.width() - 3.0 * theme::STEP).max(0.0));
    let galley = ui.painter().layout_job(job);
    let at = pos2(rect.min.x + theme::STEP, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, colour);
}
