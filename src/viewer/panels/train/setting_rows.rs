//! The settings of a run, drawn from their table: value, checked range, error in place, and which are not the
//! recipe's.

use egui::{Align, ComboBox, Label, Layout, Response, RichText, Sense, TextEdit, Ui, vec2};

use crate::viewer::panels::widgets::name_value;
use crate::viewer::theme;
use crate::viewer::train::TrainCommand;
use crate::viewer::train::form::Form;
use crate::viewer::train::settings::{Group, Kind, SETTINGS, Setting};

/// Width of a setting's name, in ui points.
const NAME_WIDTH: f32 = 148.0;

/// Draws every setting that has a meaning for this network.
pub fn ui(ui: &mut Ui, form: &Form, wishes: &mut Vec<TrainCommand>) {
    for group in Group::ALL {
        let of_group = |setting: &&Setting| setting.group == group && setting.get(&form.config).is_some();
        let settings: Vec<&Setting> = SETTINGS.iter().filter(of_group).collect();
        if settings.is_empty() {
            continue;
        }
        ui.add_space(theme::STEP);
        ui.label(RichText::new(group.title()).strong());
        for setting in settings {
            row(ui, form, setting, wishes);
        }
    }
}

fn row(ui: &mut Ui, form: &Form, setting: &Setting, wishes: &mut Vec<TrainCommand>) {
    let (mut text, problem) = form.shown(setting);
    let recipe = form.recipe_value(setting);
    let range = setting.range(&form.config);
    let tooltip = match &recipe {
        Some(value) => format!("{} The recipe has {value}. Range: {range}.", setting.tooltip),
        None => format!("{} Range: {range}.", setting.tooltip),
    };
    let title = (setting.name, recipe.is_some());
    let changed = match setting.kind {
        Kind::Number(..) | Kind::Count(..) | Kind::Text { .. } => {
            titled_field(ui, title, &tooltip, &range, &mut text, problem)
        }
        Kind::Choice { words, .. } => named(ui, title, &tooltip, |ui| {
            let before = text.clone();
            let width = ui.available_width();
            let combo = ComboBox::from_id_salt(setting.name).selected_text(&before).width(width);
            let response = combo.show_ui(ui, |ui| {
                for word in words(&form.config) {
                    ui.selectable_value(&mut text, word.to_owned(), word);
                }
            });
            let response = response.response.accessible_name(setting.name);
            (response, text != before)
        }),
    };
    if changed {
        wishes.push(TrainCommand::Set(setting.name, text));
    }
}

/// A name, with a star if it is marked, and right of it what `contents` draws; a click on the name goes to it.
pub fn named<R>(
    ui: &mut Ui,
    (name, marked): (&str, bool),
    tooltip: &str,
    contents: impl FnOnce(&mut Ui) -> (Response, R),
) -> R {
    ui.horizontal(|ui| {
        let height = ui.spacing().interact_size.y;
        let place = Layout::left_to_right(Align::Center);
        let title = ui.allocate_ui_with_layout(vec2(NAME_WIDTH, height), place, |ui| {
            ui.set_min_width(NAME_WIDTH);
            let label = Label::new(RichText::new(name).color(theme::MUTED)).truncate();
            let response = ui.add(label.sense(Sense::CLICK)).on_hover_text(tooltip);
            // Beside the name: it is no part of what the field is called.
            if marked {
                ui.colored_label(theme::CAUTION, "*");
            }
            response
        });
        let (response, result) = contents(ui);
        if title.inner.clicked() {
            response.request_focus();
        }
        response.labelled_by(title.inner.id);
        result
    })
    .inner
}

/// A named field for a text, with what is wrong with it below; whether it was changed.
pub fn field(ui: &mut Ui, name: &str, tooltip: &str, hint: &str, text: &mut String, problem: Option<&str>) -> bool {
    titled_field(ui, (name, false), tooltip, hint, text, problem)
}

fn titled_field(
    ui: &mut Ui,
    title: (&str, bool),
    tooltip: &str,
    hint: &str,
    text: &mut String,
    problem: Option<&str>,
) -> bool {
    let (name, _) = title;
    let changed = named(ui, title, tooltip, |ui| {
        let mut edit = TextEdit::singleline(text).desired_width(f32::INFINITY).hint_text(hint);
        if problem.is_some() {
            edit = edit.text_color(theme::ALARM);
        }
        let response = ui.add(edit).accessible_name(name).on_hover_text(tooltip);
        let changed = response.changed();
        (response, changed)
    });
    if let Some(problem) = problem {
        let text = format!("{name}: {problem}");
        let label = ui.add(Label::new(RichText::new(&text).font(theme::caption()).color(theme::ALARM)).wrap());
        name_value(&label, &format!("{name} problem"), problem);
    }
    changed
}
