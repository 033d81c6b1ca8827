//! The tag viewer: it follows the chosen picture.

use std::path::Path;

use super::Services;
use crate::imaging::tags;
use crate::viewer::command::Action;
use crate::viewer::errands::{Pending, Report};
use crate::viewer::state::ViewerState;
use crate::viewer::tags::{Asked, Table, TagsCommand, TagsState};

pub(super) fn act(state: &mut ViewerState, action: Action) {
    let file = state.list.current_file().map(Path::to_owned);
    let tags = &mut state.tags;
    match action {
        Action::ToggleTags if tags.open => {
            // Tags name the patient and may be long: nothing of them stays behind.
            *tags = TagsState {
                pinned: tags.pinned.take(),
                ..TagsState::default()
            };
        }
        Action::ToggleTags => tags.open = true,
        Action::CompareTags => {
            tags.pinned = if tags.pinned.is_some() { None } else { file };
            tags.open = true;
            tags.filter.only_differences &= tags.pinned.is_some();
        }
        _ => {}
    }
}

pub(super) fn command(state: &mut ViewerState, command: TagsCommand) {
    let tags = &mut state.tags;
    match command {
        TagsCommand::Search(search) => tags.filter.search = search,
        TagsCommand::OnlyUsed(only) => tags.filter.only_used = only,
        TagsCommand::OnlyDifferences(only) => tags.filter.only_differences = only,
        TagsCommand::Fold(row) => {
            if !tags.folded.remove(&row) {
                tags.folded.insert(row);
            }
        }
        TagsCommand::FoldAll(fold) => {
            tags.folded = match tags.table.done() {
                Some(table) if fold => table.holders(0),
                _ => std::collections::BTreeSet::new(),
            };
        }
        TagsCommand::Choose(row) => {
            tags.chosen = Some(row);
            return;
        }
        TagsCommand::CharacterSet(set) => tags.character_set = set,
    }
    tags.refresh();
}

/// Takes a report if it is of the tags; `true` if it was.
pub(super) fn errand(state: &mut ViewerState, report: &Report) -> bool {
    let tags = &mut state.tags;
    if !tags.table.hear(report) {
        return false;
    }
    if let Some(table) = tags.table.done() {
        tags.folded = table.long();
        tags.uses_of = None;
        tags.refresh();
    }
    true
}

/// Sees to it that the tags listed are those of the chosen picture; called after every change.
pub(super) fn follow(state: &mut ViewerState, services: &mut Services) {
    if !state.tags.open {
        return;
    }
    let request = state.list.request;
    let asked = state.list.current_file().map(Path::to_owned).map(|file| Asked {
        other: state.tags.pinned.clone().filter(|pinned| *pinned != file),
        file,
        character_set: state.tags.character_set,
        request,
    });
    if state.tags.asked != asked {
        ask(&mut state.tags, services, asked);
    }
    mark(state);
}

fn ask(tags: &mut TagsState, services: &mut Services, asked: Option<Asked>) {
    tags.chosen = None;
    tags.uses.clear();
    tags.uses_of = None;
    tags.table = match asked.clone() {
        None => Pending::Nothing,
        Some(asked) => Pending::Running(services.errands.send("tags", move |_| read(&asked))),
    };
    tags.asked = asked;
    tags.refresh();
}

fn read(asked: &Asked) -> Result<Table, String> {
    let tree = |path: &Path| tags::read(path, asked.character_set).map_err(|error| error.to_string());
    let right = asked.other.as_deref().map(tree).transpose()?;
    Ok(Table::new(tree(&asked.file)?, right))
}

/// Marks what the picture on the screen was made of, once both are there.
fn mark(state: &mut ViewerState) {
    let tags = &mut state.tags;
    let file = tags.asked.as_ref().map(|asked| asked.file.as_path());
    let shown = state
        .shown
        .as_ref()
        .filter(|shown| file.is_some() && shown.key.path() == file);
    let Some((shown, table)) = shown.zip(tags.table.done()) else {
        return;
    };
    let radiograph = &shown.picture.radiograph;
    let of = Some((radiograph.content_hash, radiograph.frame));
    if tags.uses_of != of {
        tags.uses = tags::uses(&table.left, radiograph);
        tags.uses_of = of;
        tags.refresh();
    }
}
