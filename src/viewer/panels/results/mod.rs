//! The workspace 'Results': the table of runs above, and below it what the chosen tab says of the chosen run.

pub mod audit;
pub mod compare;
pub mod curves;
pub mod delete;
pub mod evaluation;
pub mod models;
pub mod run;
pub mod strata;
pub mod table;

use egui::{CentralPanel, Panel, ScrollArea, TextEdit, Ui};

use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::{action_button, caption, name_value, progress_line};
use crate::viewer::results::{ResultsCommand, Tab};
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// Share of the height that the table takes at most.
const TABLE_SHARE: f32 = 0.34;
/// Height of what is above the rows of the table, in ui points.
const ABOVE_ROWS: f32 = 84.0;
/// Rows that there is always room for.
const FEWEST_ROWS: usize = 3;

/// Draws the workspace.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let rows = state.results.runs.len().max(FEWEST_ROWS);
    let height = (ui.available_height() * TABLE_SHARE).min(ABOVE_ROWS + rows as f32 * (table::ROW + 1.0));
    Panel::top("runs")
        .frame(theme::zone_frame())
        .exact_size(height)
        .show(ui, |ui| runs(ui, state, commands));
    CentralPanel::no_frame().frame(theme::zone_frame()).show(ui, |ui| {
        tabs(ui, state, commands);
        said(ui, state);
        ui.add_space(theme::STEP);
        let area = ScrollArea::vertical().id_salt(state.results.tab).auto_shrink(false);
        area.show(ui, |ui| match state.results.tab {
            Tab::Run => run::ui(ui, state, commands),
            Tab::Evaluation => evaluation::ui(ui, state, commands),
            Tab::Audit => audit::ui(ui, state, commands),
            Tab::Compare => compare::ui(ui, state, commands),
            Tab::Models => models::ui(ui, state, commands),
        });
    });
}

fn runs(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let results = &state.results;
    ui.horizontal(|ui| {
        let label = ui.weak("Folder with runs");
        let mut root = results.root.clone();
        let field = TextEdit::singleline(&mut root)
            .desired_width(420.0)
            .hint_text("Type or paste a folder");
        let field = ui.add(field).labelled_by(label.id);
        if field.changed() {
            commands.push(Command::Results(ResultsCommand::Root(root)));
        }
        if field.lost_focus() {
            commands.push(Command::Results(ResultsCommand::Refresh));
        }
        action_button(ui, state, Action::ReadRuns, commands);
        action_button(ui, state, Action::DeleteRun, commands);
        if results.reading.running().is_some() {
            ui.weak("Reading the runs");
        }
    });
    if let Pending::Failed(reason) = &results.reading {
        let response = ui.colored_label(theme::ALARM, wording::sentence(reason));
        name_value(&response, "Runs problem", reason);
    }
    ui.add_space(theme::STEP);
    table::ui(ui, state, commands);
}

fn tabs(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        for tab in Tab::ALL {
            if ui.selectable_label(state.results.tab == tab, tab.title()).clicked() {
                commands.push(Command::Results(ResultsCommand::Tab(tab)));
            }
        }
        if let Some(run) = state.results.run() {
            ui.separator();
            ui.weak(&run.name);
        }
        if let Some(sent) = state.results.working.running() {
            ui.separator();
            let (work, run) = &state.results.work;
            let name = run.file_name().unwrap_or_default().to_string_lossy();
            ui.label(format!("{} {name}", work.words()));
            progress_line(ui, "Evaluation or audit", sent);
            action_button(ui, state, Action::CancelWork, commands);
        }
    });
}

/// How the last change or computation ended.
fn said(ui: &mut Ui, state: &ViewerState) {
    match &state.results.change {
        Pending::Done(sentence) => {
            let response = ui.colored_label(theme::GOOD, sentence.as_str());
            name_value(&response, "Done", sentence);
        }
        Pending::Failed(reason) => super::train::dataset::error(ui, "Not done", reason),
        Pending::Running(_) => {
            caption(ui, "Working");
        }
        Pending::Nothing | Pending::Cancelled => {}
    }
    if let Pending::Failed(reason) = &state.results.repeat {
        super::train::dataset::error(ui, "Run not repeated", reason);
    }
    match &state.results.working {
        Pending::Failed(reason) => super::train::dataset::error(ui, "Not computed", reason),
        Pending::Cancelled => {
            caption(ui, "Cancelled; nothing was changed.");
        }
        Pending::Nothing | Pending::Running(_) | Pending::Done(_) => {}
    }
}
