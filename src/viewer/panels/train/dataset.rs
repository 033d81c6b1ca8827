//! Step 1: where the data lie, what they were recognised as, and how they are parted.

use egui::{Button, Label, RichText, ScrollArea, TextEdit, Ui};

use crate::training::check::gate::OnLeakage;
use crate::training::dataset::{DatasetKind, QataVersion};
use crate::training::split::SplitRule;
use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::{Sign, action_button, block, caption, name_value, progress_line, sign, value_row};
use crate::viewer::state::ViewerState;
use crate::viewer::train::TrainCommand;
use crate::viewer::train::dataset::{DataState, Folder};
use crate::viewer::{theme, wording};

use super::model::choice;
use super::{report, setting_rows, table_one};

/// Rules in the order of the panel, with what they do.
const RULES: [(Option<SplitRule>, &str, &str); 5] = [
    (
        None,
        "As the data set is made for",
        "Tables by a hash of the patient, downloads as in the paper",
    ),
    (
        Some(SplitRule::Hash),
        "By a hash of the patient",
        "70 / 10 / 20; the same images for everybody, no patient in two parts",
    ),
    (
        Some(SplitRule::Predefined),
        "As it comes",
        "The data set's own training and test part",
    ),
    (
        Some(SplitRule::Paper),
        "The paper's ratio, by patient",
        "Counts as near to Table 1 as patients allow",
    ),
    (
        Some(SplitRule::PaperRandom),
        "The paper's ratio, image by image",
        "As the paper did it; patients are in two parts, which is counted and recorded",
    ),
];

/// COVID-19 images of QaTa-COV19.
const VERSIONS: [(Option<QataVersion>, &str, &str); 3] = [
    (None, "Those that are there", "v1 if both are"),
    (Some(QataVersion::V1), "QaTa-COV19 v1", ""),
    (Some(QataVersion::V2), "QaTa-COV19 v2", ""),
];

/// What a run does where something is in two parts.
const ON_LEAKAGE: [(Option<OnLeakage>, &str, &str); 4] = [
    (
        Some(OnLeakage::Refuse),
        "It does not start",
        "Results on the other parts would mean nothing",
    ),
    (
        Some(OnLeakage::LeaveOut),
        "It leaves the copies out",
        "Each picture stays in one part: test before validation before training",
    ),
    (
        Some(OnLeakage::Allow),
        "It starts all the same",
        "It is counted, and recorded in the run",
    ),
    (
        None,
        "It does not look",
        "Nothing is known then, and nothing is recorded",
    ),
];

/// Draws the step.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let data = &state.train.data;
    let mut wishes = Vec::new();
    ui.add_enabled_ui(!state.train.session.is_active(), |ui| {
        for number in 0..data.folders.len() {
            folder_block(ui, data, number, &mut wishes);
        }
        ui.horizontal(|ui| {
            action_button(ui, state, Action::ChooseData, commands);
            let add = ui.button("Add a folder");
            let add = add.on_hover_text("For data that come in two downloads, such as the lateral views");
            if add.clicked() {
                wishes.push(TrainCommand::AddFolder);
            }
        });
        found(ui, data);
    });
    check(ui, state, &mut wishes, commands);
    ui.add_enabled_ui(!state.train.session.is_active(), |ui| parting(ui, data, &mut wishes));
    // What was typed is looked at once, when the field is left.
    let is_typing = ui.ctx().text_edit_focused();
    if matches!(data.overview, Pending::Nothing) && data.named().next().is_some() && !is_typing {
        wishes.push(TrainCommand::Look);
    }
    commands.extend(wishes.into_iter().map(Command::Train));
}

fn folder_block(ui: &mut Ui, data: &DataState, number: usize, wishes: &mut Vec<TrainCommand>) {
    let folder = &data.folders[number];
    let name = match number {
        0 => "Data folder".to_owned(),
        more => format!("Data folder {}", more + 1),
    };
    let title = match number {
        0 => "Labelled chest X-rays",
        _ => "More labelled chest X-rays",
    };
    let mut remove = false;
    let button = |ui: &mut Ui| {
        if data.folders.len() > 1 {
            let response = ui.add(Button::new("Remove").small());
            remove = response.on_hover_text("Leave this folder out").clicked();
        }
    };
    block(ui, title, button, |ui| {
        let mut text = folder.text.clone();
        let field = TextEdit::singleline(&mut text)
            .desired_width(f32::INFINITY)
            .hint_text("Type, paste, drop or choose");
        let field = ui.add(field).accessible_name(&name);
        if field.changed() {
            wishes.push(TrainCommand::Folder(number, text));
        }
        recognised(ui, folder);
    });
    if remove {
        wishes.push(TrainCommand::RemoveFolder(number));
    }
}

fn recognised(ui: &mut Ui, folder: &Folder) {
    match &folder.kind {
        Pending::Nothing | Pending::Cancelled => {
            caption(ui, "A folder with manifest.csv, or a data set as it was downloaded.");
        }
        Pending::Running(_) => {
            caption(ui, "Looking at the folder");
        }
        Pending::Failed(reason) => error(ui, "Data problem", reason),
        Pending::Done(kind) => value_row(ui, "Recognised as", kind.title(), kind.title()),
    }
}

/// A reason in place.
pub fn error(ui: &mut Ui, name: &str, reason: &str) {
    let text = RichText::new(wording::sentence(reason)).color(theme::ALARM);
    let response = ui.add(Label::new(text).wrap());
    name_value(&response, name, reason);
}

fn found(ui: &mut Ui, data: &DataState) {
    match &data.overview {
        Pending::Nothing | Pending::Cancelled => {}
        Pending::Running(_) => {
            caption(ui, "Counting the images");
        }
        Pending::Failed(reason) => {
            // What a folder's own block says already is not said twice.
            let said = |folder: &Folder| matches!(&folder.kind, Pending::Failed(said) if said == reason);
            if !data.folders.iter().any(said) {
                error(ui, "Data problem", reason);
            }
        }
        Pending::Done(overview) => {
            block(
                ui,
                "Found",
                |_| {},
                |ui| {
                    let images = wording::count(overview.images);
                    value_row(ui, "Labelled images", &images, &images);
                    let leaking = wording::count(overview.leaking_groups);
                    value_row(ui, "Patients in two parts", &leaking, &leaking);
                    caption(ui, format!("Split: {}.", overview.split));
                    for note in &overview.notes {
                        let text = RichText::new(wording::sentence(note))
                            .font(theme::caption())
                            .color(theme::CAUTION);
                        ui.add(Label::new(text).wrap());
                    }
                },
            );
        }
    }
}

/// The check of every image: begun, cancelled, allowed to be passed over, saved.
fn check(ui: &mut Ui, state: &ViewerState, wishes: &mut Vec<TrainCommand>, commands: &mut Vec<Command>) {
    let data = &state.train.data;
    block(
        ui,
        "Check",
        |_| {},
        |ui| {
            match &data.check {
                Pending::Nothing => {
                    caption(
                        ui,
                        "Reads every image: what is there twice, in two parts, or cannot be read.",
                    );
                }
                Pending::Cancelled => {
                    caption(ui, "The check was cancelled.");
                }
                Pending::Failed(reason) => error(ui, "Check problem", reason),
                Pending::Running(sent) => {
                    ui.horizontal(|ui| progress_line(ui, "Check of the data", sent));
                    action_button(ui, state, Action::CancelCheck, commands);
                    return;
                }
                Pending::Done(checked) => {
                    let leakage = checked.report.leakage();
                    ui.horizontal(|ui| {
                        sign(ui, if leakage.is_none() { Sign::Good } else { Sign::Alarm });
                        ui.add(Label::new(wording::sentence(&leakage.to_string())).wrap());
                    });
                    save(ui, state, wishes, commands);
                }
            }
            action_button(ui, state, Action::CheckData, commands);
            ui.add_space(theme::STEP);
            caption(ui, "What a run does where something is in two parts:");
            if let Some(choice) = choice(ui, "On leakage", data.on_leakage, &ON_LEAKAGE) {
                wishes.push(TrainCommand::OnLeakage(choice));
            }
        },
    );
}

fn save(ui: &mut Ui, state: &ViewerState, wishes: &mut Vec<TrainCommand>, commands: &mut Vec<Command>) {
    let data = &state.train.data;
    let mut file = data.report_file.clone();
    let tooltip = "HTML with pictures, Markdown or JSON, by its ending";
    if setting_rows::field(ui, "Report file", tooltip, tooltip, &mut file, None) {
        wishes.push(TrainCommand::ReportFile(file));
    }
    action_button(ui, state, Action::SaveCheck, commands);
    match &data.saving {
        Pending::Done(sentence) => {
            caption(ui, sentence.as_str());
        }
        Pending::Failed(reason) => error(ui, "Report not saved", reason),
        _ => {}
    }
}

/// Draws what the data hold: the counts beside the paper's, and the report of the check.
pub fn right(ui: &mut Ui, state: &ViewerState) {
    let Some(checked) = state.train.data.check.done() else {
        table_one::ui(ui, state);
        return;
    };
    ScrollArea::vertical()
        .id_salt("report")
        .auto_shrink(false)
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            report::ui(ui, state, checked);
            ui.add_space(3.0 * theme::STEP);
            table_one::ui(ui, state);
        });
}

fn parting(ui: &mut Ui, data: &DataState, wishes: &mut Vec<TrainCommand>) {
    let mut parting = data.parting.clone();
    block(
        ui,
        "Training, validation and test part",
        |_| {},
        |ui| {
            if let Some(rule) = choice(ui, "Split", parting.rule, &RULES) {
                parting.rule = rule;
            }
            let problem = parting.seed_problem();
            let tooltip = "The split follows from it";
            setting_rows::field(ui, "Seed of the split", tooltip, "the program's", &mut parting.seed, problem);
            let tooltip = "The split is read from this file if it is there, else written to it; it can be shared";
            setting_rows::field(ui, "Split file", tooltip, "none", &mut parting.file, None);
            let is_qata = |folder: &Folder| folder.kind.done().is_some_and(|kind| **kind == DatasetKind::Qata);
            if data.folders.iter().any(is_qata) {
                ui.checkbox(&mut parting.control_group_1, "Control group I as well")
                    .on_hover_text("The paper's task leaves it out");
                if let Some(version) = choice(ui, "COVID-19 images", parting.qata, &VERSIONS) {
                    parting.qata = version;
                }
            }
        },
    );
    if parting != data.parting {
        wishes.push(TrainCommand::Part(parting));
    }
}
