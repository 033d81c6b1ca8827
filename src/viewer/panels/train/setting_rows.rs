//! The settings of a run, drawn from their table: value, checked range, error in place, and which are not the
//! recipe's.

use egui::{Align, ComboBox, Label, Layout, RichText, TextEdit, Ui, vec2};

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
    let range = setting.range();
    let tooltip = match &recipe {
        Some(value) => format!("{} The recipe has {value}. Range: {range}.", setting.tooltip),
        None => format!("{} Range: {range}.", setting.tooltip),
    };
    let name = if recipe.is_some() {
        format!("{} *", setting.name)
    } else {
        setting.name.to_owned()
    };
    let changed = match setting.kind {
        Kind::Number(..) | Kind::Count(..) | Kind::Text { .. } => {
            field(ui, setting.name, &tooltip, &range, &mut text, problem)
        }
        Kind::Choice { words, .. } => named(ui, &name, &tooltip, |ui| {
            let before = text.clone();
            let width = ui.available_width();
            let combo = ComboBox::from_id_salt(setting.name).selected_text(&before).width(width);
            let response = combo.show_ui(ui, |ui| {
                for word in words {
                    ui.selectable_value(&mut text, (*word).to_owned(), *word);
                }
            });
            response.response.accessible_name(setting.name);
            text != before
        }),
    };
    if changed {
        wishes.push(TrainCommand::Set(setting.name, text));
    }
}

fn named<R>(ui: &mut Ui, name: &str, tooltip: &str, contents: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal(|ui| {
        let height = ui.spacing().interact_size.y;
        let place = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(vec2(NAME_WIDTH, height), place, |ui| {
            ui.set_min_width(NAME_WIDTH);
            let label = Label::new(RichText::new(name).color(theme::MUTED)).truncate();
            ui.add(label).on_hover_text(tooltip);
        });
        contents(ui)
    })
    .inner
}

/// A named field for a text, with what is wrong with it below; whether it was changed.
pub fn field(ui: &mut Ui, name: &str, tooltip: &str, hint: &str, text: &mut String, problem: Option<&str>) -> bool {
    let changed = named(ui, name, tooltip, |ui| {
        let mut edit = TextEdit::singleline(text).desired_width(f32::INFINITY).hint_text(hint);
        if problem.is_some() {
            edit = edit.text_color(theme::ALARM);
        }
        let response = ui.add(edit).accessible_name(name);
        response.on_hover_text(tooltip).changed()
    });
    if let Some(problem) = problem {
        let text = format!("{name}: {problem}");
        let label = ui.add(Label::new(RichText::new(&text).font(theme::caption()).color(theme::ALARM)).wrap());
        name_value(&label, &format!("{name} problem"), problem);
    }
    changed
}
