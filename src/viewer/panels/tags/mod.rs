//! The tag viewer below the picture: search, filters, and a list that draws only the lines in sight.

mod row;

use egui::{Button, ComboBox, Label, RichText, ScrollArea, TextEdit, Ui};

use super::widgets::{action_button, name_value};
use crate::imaging::tags::Node;
use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::state::ViewerState;
use crate::viewer::tags::{CHARACTER_SETS, Table, TagsCommand, TagsState};
use crate::viewer::{theme, wording};

/// Width of the search field, in ui points.
const SEARCH_WIDTH: f32 = 200.0;

/// Draws the panel.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    // A panel shrinks to what it holds, and a short message would make it a strip.
    ui.set_min_height(ui.available_height());
    ui.spacing_mut().item_spacing.y = theme::STEP;
    tools(ui, state, commands);
    let tags = &state.tags;
    match &tags.table {
        Pending::Nothing => message(ui, "This picture is computed: it has no file, and no tags."),
        Pending::Running(_) => message(ui, "Reading the tags"),
        Pending::Cancelled => message(ui, "The tags were not read."),
        Pending::Failed(reason) => message(ui, reason),
        Pending::Done(table) => {
            heading(ui, tags, table);
            list(ui, state, table, commands);
        }
    }
}

fn message(ui: &mut Ui, text: &str) {
    let response = ui.add(Label::new(RichText::new(text).color(theme::MUTED)).wrap());
    name_value(&response, "Tag viewer", text);
}

fn tools(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let tags = &state.tags;
    ui.horizontal_wrapped(|ui| {
        ui.strong("Tags");
        let mut search = tags.filter.search.clone();
        let field = TextEdit::singleline(&mut search)
            .desired_width(SEARCH_WIDTH)
            .hint_text("Tag, keyword, name or value");
        if ui.add(field).accessible_name("Search tags").changed() {
            commands.push(Command::Tags(TagsCommand::Search(search)));
        }
        let mut only_used = tags.filter.only_used;
        let used = ui.checkbox(&mut only_used, "Used only");
        let used = used.on_hover_text("Tags that display (D) or networks (N) took something from");
        if used.changed() {
            commands.push(Command::Tags(TagsCommand::OnlyUsed(only_used)));
        }
        let mut only_differences = tags.filter.only_differences;
        let is_comparing = tags.pinned.is_some();
        let differences = egui::Checkbox::new(&mut only_differences, "Differences only");
        if ui.add_enabled(is_comparing, differences).changed() {
            commands.push(Command::Tags(TagsCommand::OnlyDifferences(only_differences)));
        }
        if ui.button("Unfold all").clicked() {
            commands.push(Command::Tags(TagsCommand::FoldAll(false)));
        }
        if ui.button("Fold all").clicked() {
            commands.push(Command::Tags(TagsCommand::FoldAll(true)));
        }
        character_set(ui, tags, commands);
        copies(ui, tags, commands);
        action_button(ui, state, Action::CompareTags, commands);
        action_button(ui, state, Action::ToggleTags, commands);
    });
}

fn character_set(ui: &mut Ui, tags: &TagsState, commands: &mut Vec<Command>) {
    let mut set = tags.character_set;
    let name = |set: Option<&'static str>| set.unwrap_or("Text as declared");
    let combo = ComboBox::from_id_salt("character set").selected_text(name(set));
    let response = combo.show_ui(ui, |ui| {
        for choice in std::iter::once(None).chain(CHARACTER_SETS.map(Some)) {
            ui.selectable_value(&mut set, choice, name(choice));
        }
    });
    let hint = "Read text in another character set than the file declares";
    response.response.on_hover_text(hint);
    if set != tags.character_set {
        commands.push(Command::Tags(TagsCommand::CharacterSet(set)));
    }
}

fn copies(ui: &mut Ui, tags: &TagsState, commands: &mut Vec<Command>) {
    let table = tags.table.done();
    let chosen = table.zip(tags.chosen).and_then(|(table, row)| {
        let (left, right) = table.nodes(row);
        left.or(right)
    });
    let mut way = |text: &str, what: fn(&Node) -> String| {
        let button = ui.add_enabled(chosen.is_some(), Button::new(text));
        if let (true, Some(node)) = (button.clicked(), chosen) {
            commands.push(Command::Copy(what(node)));
        }
    };
    way("Copy value", |node| node.value.text.clone());
    way("Copy tag", |node| node.tag.to_string());
    let all = ui.add_enabled(table.is_some(), Button::new("Copy all"));
    let all = all.on_hover_text("Copy all tags as text; they name the patient");
    if let (true, Some(table)) = (all.clicked(), table) {
        commands.push(Command::Copy(table.left.to_text()));
    }
}

/// How many lines there are, how many differ, and where the file breaks.
fn heading(ui: &mut Ui, tags: &TagsState, table: &Table) {
    let lines = table.compared.pairs.len();
    let mut text = if tags.rows.len() == lines {
        format!("{lines} lines")
    } else {
        format!("{} of {lines} lines", tags.rows.len())
    };
    match (&table.right, &tags.pinned) {
        (Some(other), _) => {
            let (one, other) = (wording::name_of(&table.left.file), wording::name_of(&other.file));
            text = format!("{text}, {} differ: {one} beside {other}", table.compared.differences);
        }
        (None, Some(_)) => text = format!("{text}. Choose another picture to compare it with this one."),
        (None, None) => {}
    }
    let response = ui.add(Label::new(RichText::new(&text).font(theme::caption()).color(theme::MUTED)).truncate());
    name_value(&response, "Tag lines", &text);
    let right = table.right.iter().flat_map(|tree| &tree.problems);
    for problem in table.left.problems.iter().chain(right).take(3) {
        let text = format!("Broken {problem}");
        let response = ui.add(Label::new(RichText::new(&text).color(theme::CAUTION)).truncate());
        name_value(&response, "Broken file", &text);
    }
}

fn list(ui: &mut Ui, state: &ViewerState, table: &Table, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let rows = &state.tags.rows;
    let area = ScrollArea::vertical().auto_shrink(false).id_salt("tags");
    area.show_rows(ui, row::HEIGHT, rows.len(), |ui, range| {
        for &line in rows.get(range).unwrap_or_default() {
            row::ui(ui, state, table, line, commands);
        }
    });
}
