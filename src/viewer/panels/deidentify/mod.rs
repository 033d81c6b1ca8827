//! The panel 'De-identify': what is kept, what becomes of text in the pixels, where files go, and what would change.

mod changes;
mod rectangles;

use egui::{ScrollArea, TextEdit, Ui};

pub use rectangles::{cursor, interact, paint};

use super::widgets::{action_button, block, caption, name_value, progress_line};
use crate::deidentify::report::Status;
use crate::deidentify::{Dates, Options};
use crate::viewer::command::{Action, Command};
use crate::viewer::deidentify::{DeidentifyCommand, Form, TextInPixels, file_count, problem, rectangles_from};
use crate::viewer::errands::Pending;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// Failures and warnings that are listed.
const LISTED: usize = 12;

/// Draws the panel.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ScrollArea::vertical()
        .id_salt("deidentify")
        .auto_shrink(false)
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.heading("De-identify");
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if ui.button("Close").on_hover_text("Back to the findings").clicked() {
                        commands.push(Command::Do(Action::Deidentify));
                    }
                });
            });
            caption(
                ui,
                "Basic Profile of PS3.15: identities go, patients and UIDs get pseudonyms.",
            );
            ui.add_space(theme::STEP);
            let mut form = state.deidentify.form.clone();
            options(ui, &mut form.options);
            ui.add_space(theme::STEP);
            text(ui, state, &mut form, commands);
            ui.add_space(theme::STEP);
            places(ui, state, &mut form, commands);
            if form != state.deidentify.form {
                commands.push(Command::Deidentify(DeidentifyCommand::Form(Box::new(form))));
            }
            ui.add_space(theme::STEP);
            start(ui, state, commands);
            ui.add_space(theme::STEP);
            changes::ui(ui, state, commands);
        });
}

fn options(ui: &mut Ui, options: &mut Options) {
    block(ui, "Keep", |_| {}, |ui| checks(ui, kept(options)));
    ui.add_space(theme::STEP);
    let at_end = |_: &mut Ui| {};
    block(ui, "Clean instead of removing", at_end, |ui| {
        checks(ui, cleaned(options));
    });
    ui.add_space(theme::STEP);
    block(ui, "Dates", |_| {}, |ui| dates(ui, &mut options.dates));
}

/// An option, its name and its tooltip.
type Check<'o> = (&'o mut bool, &'static str, &'static str);

fn kept(options: &mut Options) -> [Check<'_>; 5] {
    [
        (
            &mut options.retain_uids,
            "UIDs",
            "Study, series and instance UIDs stay as they are",
        ),
        (
            &mut options.retain_device_identity,
            "Device",
            "Serial numbers, station and detector names stay",
        ),
        (
            &mut options.retain_institution_identity,
            "Institution",
            "Name and address of the hospital stay",
        ),
        (
            &mut options.retain_patient_characteristics,
            "Patient characteristics",
            "Sex, age, size and weight stay; ages above 89 become 90",
        ),
        (
            &mut options.retain_safe_private,
            "Safe private attributes",
            "Attributes of vendors that the standard lists as safe stay; all others go",
        ),
    ]
}

fn cleaned(options: &mut Options) -> [Check<'_>; 3] {
    [
        (
            &mut options.clean_descriptors,
            "Descriptions",
            "Study, series and protocol descriptions keep the words of a radiological vocabulary",
        ),
        (
            &mut options.clean_structured_content,
            "Structured content",
            "Codes and numbers of reports stay, free texts go",
        ),
        (
            &mut options.clean_graphics,
            "Overlays and annotations",
            "Drawings stay, texts in them go; without this, all overlays go",
        ),
    ]
}

fn dates(ui: &mut Ui, dates: &mut Dates) {
    ui.horizontal(|ui| {
        for (choice, name, tooltip) in [
            (Dates::Remove, "Remove", "No date and no time of the examination stays"),
            (
                Dates::Shift,
                "Shift",
                "Moved by so many days for each patient: intervals and times of day stay true",
            ),
            (Dates::Keep, "Keep", "Dates and times stay as they are"),
        ] {
            ui.radio_value(dates, choice, name).on_hover_text(tooltip);
        }
    });
}

fn checks<const N: usize>(ui: &mut Ui, boxes: [Check<'_>; N]) {
    ui.horizontal_wrapped(|ui| {
        for (value, name, tooltip) in boxes {
            ui.checkbox(value, name).on_hover_text(tooltip);
        }
    });
}

fn text(ui: &mut Ui, state: &ViewerState, form: &mut Form, commands: &mut Vec<Command>) {
    block(
        ui,
        "Text in the pixels",
        |_| {},
        |ui| {
            for (choice, name, tooltip) in [
                (
                    TextInPixels::Stays,
                    "Leave it",
                    "The report says where text seems to be",
                ),
                (
                    TextInPixels::Found,
                    "Mask what is found",
                    "Each picture is searched; compressed pixels are decoded where something is found",
                ),
                (
                    TextInPixels::Rectangles,
                    "Mask these rectangles",
                    "The rectangles on the picture are made black, in every file and frame",
                ),
            ] {
                ui.radio_value(&mut form.text, choice, name).on_hover_text(tooltip);
            }
            if let Some(key) = rectangles_from(state) {
                caption(ui, format!("Those of {} go into every file of the list.", key.label()));
            }
            rectangles::list(ui, state, commands);
            ui.horizontal(|ui| {
                action_button(ui, state, Action::AddMask, commands);
            });
        },
    );
}

fn places(ui: &mut Ui, state: &ViewerState, form: &mut Form, commands: &mut Vec<Command>) {
    block(
        ui,
        "Files",
        |_| {},
        |ui| {
            let all = state.list.entries.len();
            ui.radio_value(&mut form.whole_list, false, "This picture's file");
            ui.radio_value(
                &mut form.whole_list,
                true,
                format!("All files of the list ({})", wording::count(all)),
            );
            field(
                ui,
                "Folder to write into",
                &mut form.out,
                "files are named by their new UIDs",
            );
            action_button(ui, state, Action::ChooseDeidentifiedFolder, commands);
            field(
                ui,
                "Key file",
                &mut form.key_file,
                "made if it is not there; keep it secret",
            );
            caption(
                ui,
                "Without a key file, the next batch gives the same patient another name.",
            );
            field(
                ui,
                "Report",
                &mut form.report_file,
                "NAME.json or NAME.csv; keep it with the originals",
            );
            ui.checkbox(&mut form.resume, "Go on with files that are there")
                .on_hover_text("Files that were written before, with the same key and choices, are kept");
        },
    );
}

fn field(ui: &mut Ui, name: &str, text: &mut String, hint: &str) {
    let label = caption(ui, name);
    let field = TextEdit::singleline(text).hint_text(hint).desired_width(f32::INFINITY);
    ui.add(field).labelled_by(label.id);
}

fn start(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let panel = &state.deidentify;
    if let Some(sent) = panel.batch.running() {
        ui.horizontal(|ui| progress_line(ui, "De-identification", sent));
        action_button(ui, state, Action::CancelDeidentification, commands);
        return;
    }
    ui.horizontal(|ui| {
        action_button(ui, state, Action::StartDeidentification, commands);
        ui.weak(wording::counted(file_count(state), "file", "files"));
    });
    if let Some(problem) = problem(state) {
        caption(ui, problem);
    }
    outcome(ui, state);
}

fn outcome(ui: &mut Ui, state: &ViewerState) {
    match &state.deidentify.batch {
        Pending::Nothing | Pending::Running(_) => {}
        Pending::Cancelled => {
            caption(
                ui,
                "Cancelled. What was written stays; going on needs the same key file.",
            );
        }
        Pending::Failed(reason) => {
            let response = ui.colored_label(theme::ALARM, reason);
            name_value(&response, "De-identification failed", reason);
        }
        Pending::Done(report) => {
            let words = report.summary();
            let response = ui.label(&words);
            name_value(&response, "De-identified", &words);
            let notes = report.notes.iter().map(|note| (theme::CAUTION, note.clone()));
            let lines = report.files.iter().flat_map(|file| {
                let name = file.source.file_name().unwrap_or_default().to_string_lossy();
                let failed = match &file.status {
                    Status::Failed(reason) => Some((theme::ALARM, format!("{name}: {reason}"))),
                    Status::Written | Status::Kept => None,
                };
                let name = name.into_owned();
                let warned = file
                    .warnings
                    .iter()
                    .map(move |warning| (theme::CAUTION, format!("{name}: {warning}")));
                failed.into_iter().chain(warned)
            });
            for (colour, line) in notes.chain(lines).take(LISTED) {
                ui.colored_label(colour, line);
            }
            let (_, _, failed) = report.counts();
            let count =
                failed + report.notes.len() + report.files.iter().map(|file| file.warnings.len()).sum::<usize>();
            if count > LISTED {
                caption(ui, format!("and {} more, see the report", count - LISTED));
            }
        }
    }
}
