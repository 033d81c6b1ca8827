//! The counts of the data beside the paper's: groups of Table 1, or its lung masks.

use egui::{Align, Grid, Label, Layout, RichText, ScrollArea, Ui};

use crate::training::Task;
use crate::training::dataset::paper_table::{Compared, Comparison};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::name_value;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// Heads of the columns.
const HEADS: [&str; 7] = [
    "Group",
    "Train",
    "Paper",
    "Validation",
    "Test",
    "Paper",
    "After augmentation",
];

/// Width of the last column, in ui points.
const LAST_WIDTH: f32 = 120.0;

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
    ScrollArea::horizontal()
        .id_salt("table 1")
        .auto_shrink([false, true])
        .show(ui, |ui| grid(ui, table));
}

fn grid(ui: &mut Ui, table: &Comparison) {
    Grid::new("paper table")
        .num_columns(HEADS.len())
        .spacing([20.0, 6.0])
        .striped(true)
        .show(ui, |ui| {
            for (place, head) in HEADS.into_iter().enumerate() {
                cell(ui, place, RichText::new(head).color(theme::MUTED));
            }
            ui.end_row();
            for group in &table.groups {
                row(ui, group, false);
            }
            row(ui, &table.total, true);
        });
}

fn row(ui: &mut Ui, group: &Compared, strong: bool) {
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
    for (place, text) in texts.iter().enumerate() {
        let mut shown = RichText::new(text);
        if strong {
            shown = shown.strong();
        }
        if matches!(place, 2 | 5 | 6) {
            shown = shown.color(theme::MUTED);
        }
        let response = cell(ui, place, shown);
        if place == 1 {
            let plain = format!("{} to train, {} to test", group.found.train, group.found.test);
            name_value(&response, &format!("Images: {}", group.title), &plain);
        }
    }
    ui.end_row();
}

/// Names left, numbers right.
fn cell(ui: &mut Ui, place: usize, text: RichText) -> egui::Response {
    if place == 0 {
        return ui.add(Label::new(text));
    }
    let mut size = ui.available_size_before_wrap();
    if place == HEADS.len() - 1 {
        // It would take all the width there is.
        size.x = size.x.min(LAST_WIDTH);
    }
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        ui.add(Label::new(text))
    })
    .inner
}
