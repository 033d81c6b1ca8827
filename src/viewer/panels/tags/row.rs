//! One line of the tag viewer: mark, tag, representation, name, value, and the value of the file beside it.

use egui::{Align2, Color32, CornerRadius, Rect, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::imaging::tags::{Node, NodeKind, Pair, Use, UsedBy};
use crate::viewer::command::Command;
use crate::viewer::panels::widgets::elided;
use crate::viewer::state::{IdentityDisplay, ViewerState};
use crate::viewer::tags::{Table, TagsCommand};
use crate::viewer::theme;

/// Height of a line, in ui points.
pub(super) const HEIGHT: f32 = 20.0;
/// Where columns begin, in ui points: tag, name.
const TAG: f32 = 30.0;
const NAME: f32 = 150.0;
/// One step of depth, in ui points.
const INDENT: f32 = 12.0;
/// Share of the width where values begin.
const VALUE_SHARE: f32 = 0.42;

/// Draws a line.
pub(super) fn ui(ui: &mut Ui, state: &ViewerState, table: &Table, line: usize, commands: &mut Vec<Command>) {
    let Some(pair) = table.compared.pairs.get(line) else {
        return;
    };
    let (left, right) = table.nodes(line);
    let Some(node) = left.or(right) else { return };
    let used = pair.left.and_then(|index| state.tags.uses.get(&index));
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::click());
    background(ui, &response, rect, state.tags.chosen == Some(line), pair);
    let holds = pair.end > line + 1;
    let is_folded = state.tags.folded.contains(&line);
    let values = [left, right].map(|node| node.map(|node| value(node, state.layout.identity)));
    mark(ui, rect, used, pair);
    texts(ui, rect, node, pair, holds.then_some(is_folded));
    values_ui(ui, rect, &values, table.right.is_some());
    let label = || label(node, &values, used, pair.differs);
    response.widget_info(|| WidgetInfo::selected(Role::TreeItem, true, state.tags.chosen == Some(line), label()));
    let response = response.on_hover_ui(|ui| {
        ui.set_max_width(520.0);
        ui.label(hover(node, &values, used));
    });
    if response.clicked() {
        commands.push(Command::Tags(TagsCommand::Choose(line)));
        if holds {
            commands.push(Command::Tags(TagsCommand::Fold(line)));
        }
    }
    response.context_menu(|ui| menu(ui, node, commands));
}

fn menu(ui: &mut Ui, node: &Node, commands: &mut Vec<Command>) {
    let keyword = node.keyword.map(str::to_owned);
    for (text, what) in [
        ("Copy value", Some(node.value.text.clone())),
        ("Copy tag", Some(node.tag.to_string())),
        ("Copy keyword", keyword),
        ("Copy line", Some(node.line())),
    ] {
        if let Some(what) = what
            && ui.button(text).clicked()
        {
            commands.push(Command::Copy(what));
        }
    }
}

fn background(ui: &Ui, response: &Response, rect: Rect, is_chosen: bool, pair: &Pair) {
    let fill = match (is_chosen, response.hovered(), pair.differs) {
        (true, _, _) => theme::SELECTED,
        (false, true, _) => theme::HOVERED,
        (false, false, true) => theme::faint(theme::faint(theme::CAUTION)),
        (false, false, false) => theme::NOTHING,
    };
    ui.painter().rect_filled(rect, CornerRadius::ZERO, fill);
    if response.has_focus() {
        let outline = ui.visuals().selection.stroke;
        ui.painter()
            .rect_stroke(rect, CornerRadius::ZERO, outline, egui::StrokeKind::Inside);
    }
}

/// D for the display, N for the networks; a bar at the edge where two files differ.
fn mark(ui: &Ui, rect: Rect, used: Option<&Use>, pair: &Pair) {
    let painter = ui.painter();
    let words = match used.map(|used| used.by) {
        None => "",
        Some(UsedBy::Display) => "D",
        Some(UsedBy::Networks) => "N",
        Some(UsedBy::Both) => "DN",
    };
    let at = pos2(rect.min.x + 6.0, rect.center().y);
    painter.text(at, Align2::LEFT_CENTER, words, theme::caption(), theme::ACCENT);
    if pair.differs {
        let bar = Rect::from_min_size(rect.min, vec2(3.0, rect.height()));
        painter.rect_filled(bar, CornerRadius::ZERO, theme::CAUTION);
    }
}

/// Tag, representation and name; `folded` is `None` where the line holds no others.
fn texts(ui: &Ui, rect: Rect, node: &Node, pair: &Pair, folded: Option<bool>) {
    let indent = f32::from(pair.depth.min(16)) * INDENT;
    let left = rect.min.x + TAG + indent;
    if let Some(folded) = folded {
        fold_mark(ui, pos2(left, rect.center().y), folded);
    }
    let is_part = node.kind != NodeKind::Element;
    let tag = if is_part {
        node.title()
    } else {
        format!("{}  {}", node.tag, node.vr.as_str())
    };
    let value = rect.min.x + rect.width() * VALUE_SHARE;
    let name_left = rect.min.x + NAME + indent;
    let tag_space = if is_part {
        value - left - 12.0
    } else {
        name_left - left - 14.0
    };
    put(ui, left + 10.0, rect, &tag, theme::MUTED, tag_space);
    if !is_part {
        put(ui, name_left, rect, &node.title(), theme::TEXT, value - name_left - 8.0);
    }
}

/// A triangle to the right for what is folded, down for what is not.
fn fold_mark(ui: &Ui, at: egui::Pos2, folded: bool) {
    let points = if folded {
        vec![at + vec2(-2.0, -4.0), at + vec2(3.0, 0.0), at + vec2(-2.0, 4.0)]
    } else {
        vec![at + vec2(-4.0, -2.0), at + vec2(4.0, -2.0), at + vec2(0.0, 3.0)]
    };
    ui.painter()
        .add(egui::Shape::convex_polygon(points, theme::MUTED, egui::Stroke::NONE));
}

fn values_ui(ui: &Ui, rect: Rect, values: &[Option<String>; 2], is_compared: bool) {
    let first = rect.min.x + rect.width() * VALUE_SHARE;
    let width = (rect.max.x - first) / if is_compared { 2.0 } else { 1.0 };
    let columns = if is_compared { 2 } else { 1 };
    for (column, value) in values.iter().enumerate().take(columns) {
        let left = first + column as f32 * width;
        let (text, colour) = match value {
            Some(text) => (text.as_str(), theme::TEXT),
            None => ("not in this file", theme::MUTED),
        };
        put(ui, left, rect, text, colour, width - 8.0);
    }
}

fn put(ui: &Ui, left: f32, rect: Rect, text: &str, colour: Color32, width: f32) {
    // A line in sight shows a few hundred characters at most: long texts are not laid out.
    let end = text.char_indices().nth(400).map_or(text.len(), |(at, _)| at);
    let galley = elided(ui, &text[..end], colour, width.max(0.0));
    let at = pos2(left, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, colour);
}

/// The value in words; who the patient is only where the picture says it as well.
fn value(node: &Node, identity: IdentityDisplay) -> String {
    let names_patient = node.tag.0 == 0x0010 || node.vr.as_str() == "PN";
    if identity == IdentityDisplay::Hidden && names_patient && !node.value.text.is_empty() {
        return "hidden, as on the picture".to_owned();
    }
    node.shown()
}

fn label(node: &Node, values: &[Option<String>; 2], used: Option<&Use>, differs: bool) -> String {
    let shown = values.iter().flatten().next().map_or("", String::as_str);
    let mut label = match node.kind {
        NodeKind::Element => format!("{} {}: {shown}", node.tag, node.title()),
        NodeKind::Item(_) | NodeKind::Fragment(_) => node.title(),
    };
    if differs {
        label.push_str(", differs");
    }
    if used.is_some() {
        label.push_str(", used");
    }
    label
}

fn hover(node: &Node, values: &[Option<String>; 2], used: Option<&Use>) -> String {
    let mut lines = Vec::new();
    if node.kind == NodeKind::Element {
        let implied = if node.vr_is_implied { ", by the dictionary" } else { "" };
        let keyword = node.keyword.map(|keyword| format!(", {keyword}")).unwrap_or_default();
        lines.push(format!("{} {}{implied}{keyword}", node.tag, node.vr.as_str()));
    }
    let length = node
        .length
        .map_or_else(|| "undefined length".to_owned(), |length| format!("{length} bytes"));
    lines.push(format!("{length}, at byte {}", node.position));
    if let Some(used) = used {
        let by = match used.by {
            UsedBy::Display => "Display",
            UsedBy::Networks => "Networks",
            UsedBy::Both => "Display and networks",
        };
        lines.push(format!("{by}: {}", used.why));
    }
    for value in values.iter().flatten().filter(|value| !value.is_empty()) {
        lines.push(value.chars().take(1000).collect());
    }
    lines.join("\n")
}
