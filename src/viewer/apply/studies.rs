//! The studies panel: its index read, looked through, listed; series brought into the image list.

use std::path::PathBuf;
use std::sync::Arc;

use super::Services;
use super::files::{self, load_texture};
use crate::viewer::command::Action;
use crate::viewer::dialogs::{Choice, Purpose};
use crate::viewer::errands::{Errand, Pending, Report};
use crate::viewer::listing::Listing;
use crate::viewer::state::{ViewerState, Workspace};
use crate::viewer::studies::StudiesCommand;
use crate::viewer::studies::rows::Column;
use crate::viewer::studies::thumbnails::Made;
use crate::viewer::studies::work::{self, Wanted};

/// Most small pictures kept on the graphics adapter.
const TEXTURES: usize = 256;

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::OpenStudies => services.dialogs.show(Choice::Folder, Purpose::Studies),
        Action::OpenDirectory => services.dialogs.show(Choice::Files, Purpose::Directory),
        Action::RescanStudies => {
            if let Some(root) = state.studies.root.clone() {
                index(state, services, root);
            }
        }
        Action::CancelIndex => {
            if let Some(sent) = state.studies.indexing.running() {
                sent.cancel();
            }
        }
        Action::ForgetStudies => {
            if let Some(root) = state.studies.root.clone() {
                command(state, services, StudiesCommand::Forget(root));
            }
        }
        Action::ToggleStudies => {
            state.studies.shown = !state.studies.shown;
            want(state, services);
        }
        Action::FilterStudies => {
            state.studies.shown = true;
            state.studies.focus_filter = true;
        }
        _ => {}
    }
}

pub(super) fn command(state: &mut ViewerState, services: &mut Services, command: StudiesCommand) {
    let studies = &mut state.studies;
    match command {
        StudiesCommand::Load(show) => {
            studies.show_when_loaded = show;
            load(state, services, Wanted::Last);
        }
        StudiesCommand::Index(path) => index(state, services, path),
        StudiesCommand::Root(root) => {
            studies.root.clone_from(&root);
            load(state, services, root.map_or(Wanted::All, Wanted::Root));
        }
        StudiesCommand::Forget(root) => {
            if let Some(database) = services.kept.library.clone() {
                let forget = move |_: &Errand<'_>| work::forget(&database, &root);
                studies.loading = Pending::Running(services.errands.send("forget-studies", forget));
            }
        }
        StudiesCommand::Filter(words) => {
            studies.filter = words;
            studies.list();
        }
        StudiesCommand::FilterFocused => studies.focus_filter = false,
        StudiesCommand::Sort(column) => {
            let (by, falling) = studies.sort;
            // What is recent or large is looked for first.
            let first = matches!(column, Column::Date | Column::Images);
            studies.sort = (column, if by == column { !falling } else { first });
            studies.list();
        }
        StudiesCommand::Turn(node) => {
            if !studies.turned.remove(&node) {
                studies.turned.insert(node);
            }
            studies.list();
        }
        StudiesCommand::Open { series, instance } => open(state, services, series, instance),
        StudiesCommand::RowsInSight(rows) => {
            studies.rows_in_sight = rows;
            want(state, services);
        }
        StudiesCommand::Thumbnail(made) => thumbnail(state, services, &made),
    }
}

fn load(state: &mut ViewerState, services: &mut Services, wanted: Wanted) {
    let Some(database) = services.kept.library.clone() else {
        return;
    };
    let load = move |_: &Errand<'_>| work::load(&database, wanted);
    state.studies.loading = Pending::Running(services.errands.send("read-index", load));
}

/// Looks through a folder or DICOMDIR, one at a time.
pub(super) fn index(state: &mut ViewerState, services: &mut Services, source: PathBuf) {
    let studies = &mut state.studies;
    if studies.indexing.running().is_some() {
        state.notice = Some("A folder is being looked through; wait for its end or cancel it.".to_owned());
        return;
    }
    let Some(database) = services.kept.library.clone() else {
        state.notice = Some("This system has no folder for the index of studies.".to_owned());
        return;
    };
    state.workspace = Workspace::Read;
    studies.shown = true;
    studies.source = Some(source.clone());
    let index = move |errand: &Errand<'_>| work::index(&database, &source, errand);
    studies.indexing = Pending::Running(services.errands.send("index-studies", index));
}

/// Takes a report of one of these errands; `true` if it was one.
pub(super) fn errand(state: &mut ViewerState, services: &mut Services, report: &Report) -> bool {
    let studies = &mut state.studies;
    if studies.indexing.hear(report) {
        match &studies.indexing {
            Pending::Done(indexed) => {
                let root = indexed.summary.root.clone();
                load(state, services, Wanted::Root(root));
            }
            // What was read before is in the index.
            Pending::Cancelled => load(state, services, Wanted::Last),
            Pending::Failed(reason) => state.notice = Some(reason.clone()),
            Pending::Nothing | Pending::Running(_) => {}
        }
        return true;
    }
    if !studies.loading.hear(report) {
        return false;
    }
    match &studies.loading {
        Pending::Done(shelf) => {
            studies.shelf = Arc::clone(shelf);
            studies.root.clone_from(&shelf.root);
            if let Some(notice) = &shelf.notice {
                state.notice = Some(notice.clone());
            }
            studies.shown |= std::mem::take(&mut studies.show_when_loaded) && !shelf.catalogue.patients.is_empty();
            // Files may have changed; what is in work of their former state is not taken any more.
            studies.thumbnails.clear();
            studies.list();
            want(state, services);
        }
        Pending::Failed(reason) => state.notice = Some(reason.clone()),
        Pending::Nothing | Pending::Running(_) | Pending::Cancelled => {}
    }
    true
}

/// Puts a series into the image list.
fn open(state: &mut ViewerState, services: &mut Services, series: i64, instance: Option<i64>) {
    let Some(found) = state.studies.series(series) else {
        return;
    };
    let start = found.instances.iter().position(|this| Some(this.id) == instance);
    let listing = Listing {
        files: found.instances.iter().map(|instance| instance.path.clone()).collect(),
        start: start.unwrap_or(0),
        ..Listing::default()
    };
    let opened = state.studies.opened.replace(series);
    state.list.request += 1;
    // Another picture of the series on the screen is a step, not a new list.
    state.list.reread = opened != Some(series);
    files::listed(state, services, state.list.request, listing);
}

/// Tells the thread which small pictures are in sight and not there.
fn want(state: &ViewerState, services: &Services) {
    let studies = &state.studies;
    let missing = studies
        .in_sight()
        .filter(|instance| !studies.thumbnails.contains_key(&instance.id));
    let wanted = if studies.shown {
        missing.cloned().collect()
    } else {
        Vec::new()
    };
    services.thumbnails.want(wanted);
}

fn thumbnail(state: &mut ViewerState, services: &Services, made: &Made) {
    services.thumbnails.taken(&made.instance);
    let studies = &mut state.studies;
    if !studies.holds(&made.instance) {
        return;
    }
    let picture = made.picture.as_ref();
    let texture = picture.map(|picture| load_texture(services, "study", picture));
    if studies.thumbnails.len() >= TEXTURES {
        let in_sight: Vec<i64> = studies.in_sight().map(|instance| instance.id).collect();
        studies.thumbnails.retain(|id, _| in_sight.contains(id));
    }
    studies.thumbnails.insert(made.instance.id, texture);
}
