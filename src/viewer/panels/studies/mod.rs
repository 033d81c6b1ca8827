//! Studies by patient, in place of the image list: head, filter, order, rows, and how far indexing is.

mod row;

use egui::{Align, ComboBox, Layout, ScrollArea, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2};

use super::widgets::{action_button, caption, name_value, progress_line, triangle};
use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::state::ViewerState;
use crate::viewer::studies::StudiesCommand;
use crate::viewer::studies::rows::Column;
use crate::viewer::{theme, wording};

/// Width of the choice of roots, in ui points.
const ROOT_WIDTH: f32 = 180.0;

/// Draws the panel.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    head(ui, state, commands);
    progress(ui, state, commands);
    filter(ui, state, commands);
    counts(ui, state);
    let studies = &state.studies;
    if studies.rows.is_empty() {
        nothing(ui, state, commands);
        return;
    }
    sort_heads(ui, studies.sort, commands);
    ui.spacing_mut().item_spacing.y = 1.0;
    ScrollArea::vertical()
        .id_salt("study rows")
        .auto_shrink(false)
        .show_rows(ui, row::HEIGHT, studies.rows.len(), |ui, rows| {
            if rows != studies.rows_in_sight {
                send(commands, StudiesCommand::RowsInSight(rows.clone()));
            }
            for index in rows {
                row::ui(ui, state, index, commands);
            }
        });
}

pub(super) fn send(commands: &mut Vec<Command>, command: StudiesCommand) {
    commands.push(Command::Studies(command));
}

/// What is listed, and another choice.
fn head(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.strong("Studies");
        ui.set_min_height(theme::MENU_HEIGHT);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| roots(ui, state, commands));
    });
}

fn roots(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let studies = &state.studies;
    if studies.shelf.roots.is_empty() {
        return;
    }
    let choice = ComboBox::from_id_salt("studies root")
        .selected_text(studies.root_name())
        .width(ROOT_WIDTH)
        .truncate();
    let response = choice.show_ui(ui, |ui| {
        let all = std::iter::once((None, "All folders".to_owned()));
        let each = studies.shelf.roots.iter().map(|root| {
            let unfinished = if root.complete {
                ""
            } else {
                " (not looked through to its end)"
            };
            (
                Some(&root.path),
                format!("{}{unfinished}", wording::name_of(&root.path)),
            )
        });
        for (root, name) in all.chain(each) {
            let label = ui.selectable_label(studies.root.as_ref() == root, name);
            let clicked = label.clicked();
            if let Some(root) = root {
                label.on_hover_text(root.display().to_string());
            }
            if clicked {
                send(commands, StudiesCommand::Root(root.cloned()));
            }
        }
        ui.separator();
        for action in [
            Action::OpenStudies,
            Action::OpenDirectory,
            Action::RescanStudies,
            Action::ForgetStudies,
        ] {
            action_button(ui, state, action, commands);
        }
    });
    name_value(&response.response, "Folder of studies", &studies.root_name());
}

fn progress(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let studies = &state.studies;
    let Some(sent) = studies.indexing.running() else { return };
    ui.horizontal(|ui| {
        if sent.total == 0 {
            ui.spinner();
            let name = studies.source.as_deref().map(wording::name_of).unwrap_or_default();
            ui.weak(format!("Looking for files in {name}"));
        } else {
            progress_line(ui, "Indexing", sent);
        }
        action_button(ui, state, Action::CancelIndex, commands);
    });
}

fn filter(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let studies = &state.studies;
    let mut words = studies.filter.clone();
    let field = TextEdit::singleline(&mut words)
        .hint_text("Find name, number, date, modality, description")
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::TextInput, true, "Find a study"));
    if studies.focus_filter {
        response.request_focus();
        send(commands, StudiesCommand::FilterFocused);
    }
    if words != studies.filter {
        send(commands, StudiesCommand::Filter(words));
    }
}

fn counts(ui: &mut Ui, state: &ViewerState) {
    let counts = &state.studies.shelf.counts;
    if counts.instances == 0 && counts.unreadable.is_empty() {
        return;
    }
    let unreadable: usize = counts.unreadable.values().sum();
    let mut words = vec![
        wording::counted(counts.studies, "study", "studies"),
        wording::counted(counts.instances, "image", "images"),
    ];
    if unreadable > 0 {
        words.push(format!("{} unreadable", wording::count(unreadable)));
    }
    let text = words.join(", ");
    let response = caption(ui, &text);
    name_value(&response, "In the index", &text);
    if unreadable > 0 {
        let reasons = counts.unreadable.iter();
        let reasons: Vec<String> = reasons.map(|(reason, count)| format!("{count} x {reason}")).collect();
        response.on_hover_text(reasons.join("\n"));
    }
}

/// Why no row is there, and what to do.
fn nothing(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let studies = &state.studies;
    if studies.indexing.running().is_some() || studies.loading.running().is_some() {
        return;
    }
    ui.add_space(2.0 * theme::STEP);
    if !studies.filter.trim().is_empty() && !studies.catalogue().patients.is_empty() {
        ui.weak("No study holds these words.");
        return;
    }
    if let Pending::Failed(reason) = &studies.loading {
        ui.colored_label(theme::ALARM, reason);
        return;
    }
    let sentence = if studies.root.is_some() {
        "There is no picture here."
    } else {
        "Choose a folder or a DICOMDIR: its files are listed by patient and study. Only headers are read."
    };
    ui.add(egui::Label::new(egui::RichText::new(sentence).color(theme::MUTED)).wrap());
    ui.add_space(theme::STEP);
    for action in [Action::OpenStudies, Action::OpenDirectory] {
        action_button(ui, state, action, commands);
    }
}

fn sort_heads(ui: &mut Ui, (by, falling): (Column, bool), commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0 * theme::STEP;
        for column in Column::ALL {
            let is_active = by == column;
            let colour = if is_active { theme::TEXT } else { theme::MUTED };
            let text = egui::RichText::new(column.title()).font(theme::caption()).color(colour);
            let response = ui.add(egui::Label::new(text).sense(Sense::click()));
            if is_active {
                let at = pos2(response.rect.max.x + 6.0, response.rect.center().y);
                triangle(ui.painter(), at, 6.0, !falling, theme::TEXT);
            }
            let name = format!("Sort studies by {}", column.title().to_lowercase());
            response.widget_info(|| WidgetInfo::selected(egui::Role::Button, true, is_active, &name));
            if response.on_hover_text(name.clone()).clicked() {
                send(commands, StudiesCommand::Sort(column));
            }
        }
    });
    let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), 1.0), Sense::hover());
    ui.painter().hline(line.x_range(), line.center().y, theme::hairline());
}
