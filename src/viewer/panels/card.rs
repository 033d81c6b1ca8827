//! The model card as it stands in its file, unfolded below the model.

use egui::{Label, RichText, Ui};
use serde_json::Value;

use super::widgets::block;
use crate::viewer::command::Command;
use crate::viewer::theme;

/// Draws the card.
pub fn ui(ui: &mut Ui, card: &Value, commands: &mut Vec<Command>) {
    let copy = |ui: &mut Ui| {
        if ui.small_button("Copy").on_hover_text("Copy the card as JSON").clicked() {
            commands.push(Command::Copy(format!("{card:#}")));
        }
    };
    block(ui, "Model card", copy, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        entries(ui, card, 0);
    });
}

fn entries(ui: &mut Ui, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                entry(ui, name, value, depth);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                entry(ui, &(index + 1).to_string(), value, depth);
            }
        }
        plain => line(ui, &text(plain), depth),
    }
}

fn entry(ui: &mut Ui, name: &str, value: &Value, depth: usize) {
    let name = name.replace('_', " ");
    match value {
        // Short lists of numbers, such as intervals, stay on one line.
        Value::Array(items) if items.len() <= 4 && items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let items: Vec<_> = items.iter().map(text).collect();
            line(ui, &format!("{name}: {}", items.join(", ")), depth);
        }
        Value::Object(_) | Value::Array(_) => {
            line(ui, &name, depth);
            entries(ui, value, depth + 1);
        }
        plain => line(ui, &format!("{name}: {}", text(plain)), depth),
    }
}

fn line(ui: &mut Ui, text: &str, depth: usize) {
    ui.horizontal_top(|ui| {
        ui.add_space(depth as f32 * 2.0 * theme::STEP);
        let colour = if depth == 0 { theme::TEXT } else { theme::MUTED };
        ui.add(Label::new(RichText::new(text).font(theme::caption()).color(colour)).wrap());
    });
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if !number.is_i64() && !number.is_u64() => format!("{value:.4}"),
            _ => number.to_string(),
        },
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Null => "not known".to_owned(),
        other => other.to_string(),
    }
}
