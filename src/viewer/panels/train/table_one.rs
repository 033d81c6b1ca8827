//! The counts of the data beside the paper's: groups of Table 1, or its lung masks.

use egui::{Align, Grid, Label, Layout, RichText, ScrollArea, TextStyle, Ui, vec2};

use crate::training::Task;
use crate::training::dataset::paper_table::{Compared, Comparison};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::name_value;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// Heads of the columns, and how wide each is at least, in ui points.
const COLUMNS: [(&str, f32); 7] = [
    ("Group", 270.0),
    ("Train", 56.0),
    ("Paper", 56.0),
    ("Validation", 72.0),
    ("Test", 56.0),
    ("Paper", 56.0),
    ("After augmentation", 124.0),
];

/// Between two columns, and between two rows, in ui points.
const SPACING: [f32; 2] = [20.0, 6.0];

/// Draws the table of the phase that is to be trained.
pub fn ui(ui: &mut Ui, state: &ViewerState) {
    let Pending::Done(overview) = &state.train.data.overview else {
        ui.centered_and_justified(|ui| {
            ui.weak("Name a data folder: its counts appear here, beside those of the paper.");
        });
        return;
    };
    let segments = state.train.form.config.task == Task::Segmenter;
    let table = &overview.tables[usize::from(!segments)];
    ui.heading(if segments {
        "Lung masks for phase I, beside the paper's"
    } else {
        "Images for phase II, beside the paper's Table 1"
    });
    ui.weak("Train holds the validation part, which the paper does not have.");
    ui.add_space(2.0 * theme::STEP);
    // Inside, there is no end to the right.
    let widths = widths(ui.available_width());
    ScrollArea::horizontal()
        .id_salt("table 1")
        .auto_shrink([false, true])
        .show(ui, |ui| grid(ui, table, &widths));
}

/// The columns' widths: what is left of the whole width is shared by all, so that the stripes reach its end.
fn widths(whole: f32) -> [f32; COLUMNS.len()] {
    let gaps = (COLUMNS.len() - 1) as f32 * SPACING[0];
    let least: f32 = COLUMNS.iter().map(|(_, width)| width).sum();
    let more = (whole - gaps - least).max(0.0) / COLUMNS.len() as f32;
    COLUMNS.map(|(_, width)| width + more)
}

fn grid(ui: &mut Ui, table: &Comparison, widths: &[f32; COLUMNS.len()]) {
    Grid::new("paper table")
        .num_columns(COLUMNS.len())
        .spacing(SPACING)
        .striped(true)
        .show(ui, |ui| {
            for (place, ((head, _), width)) in COLUMNS.iter().zip(widths).enumerate() {
                cell(ui, place == 0, *width, RichText::new(*head).color(theme::MUTED));
            }
            ui.end_row();
            for group in &table.groups {
                row(ui, group, widths, false);
            }
            row(ui, &table.total, widths, true);
        });
}

fn row(ui: &mut Ui, group: &Compared, widths: &[f32; COLUMNS.len()], strong: bool) {
    let number = |value: Option<usize>| value.map_or_else(|| wording::UNKNOWN.to_owned(), wording::count);
    let paper = group.paper;
    let texts = [
        group.title.clone(),
        wording::count(group.found.train),
        number(paper.map(|paper| paper.train)),
        wording::count(group.validation),
        wording::count(group.found.test),
        number(paper.map(|paper| paper.test)),
        number(group.augmented),
    ];
    for (place, (text, width)) in texts.iter().zip(widths).enumerate() {
        let mut shown = RichText::new(text);
        if strong {
            shown = shown.strong();
        }
        if matches!(place, 2 | 5 | 6) {
            shown = shown.color(theme::MUTED);
        }
        let response = cell(ui, place == 0, *width, shown);
        if place == 1 {
            let plain = format!("{} to train, {} to test", group.found.train, group.found.test);
            name_value(&response, &format!("Images: {}", group.title), &plain);
        }
    }
    ui.end_row();
}

/// Names left, numbers right.
fn cell(ui: &mut Ui, is_name: bool, width: f32, text: RichText) -> egui::Response {
    let layout = if is_name {
        Layout::left_to_right(Align::Center)
    } else {
        Layout::right_to_left(Align::Center)
    };
    let size = vec2(width, ui.text_style_height(&TextStyle::Body));
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_width(width);
        ui.add(Label::new(text).extend())
    })
    .inner
}
