//! The data folders of the first step: typed, chosen, recognised, counted, parted.

use std::path::{Path, PathBuf};

use super::{Services, data_check, results};
use crate::training::dataset;
use crate::viewer::errands::{Errand, Pending};
use crate::viewer::state::{ViewerState, Workspace};
use crate::viewer::train::Step;
use crate::viewer::train::dataset::{Folder, Parting, overview};

pub(super) fn type_folder(state: &mut ViewerState, number: usize, text: String) {
    if let Some(folder) = state.train.data.folders.get_mut(number) {
        *folder = Folder {
            text,
            kind: Pending::Nothing,
        };
        data_check::forget(state);
    }
}

/// A folder that was chosen or dropped takes the first empty field.
pub(super) fn data_folder(state: &mut ViewerState, services: &mut Services, path: &Path) {
    let folders = &state.train.data.folders;
    let empty = folders.iter().position(|folder| folder.text.trim().is_empty());
    type_folder(state, empty.unwrap_or(0), path.display().to_string());
    look(state, services);
    results::look_at_models(state, services);
    state.workspace = Workspace::Train;
    state.train.step = Step::Data;
}

/// Has the folders recognised that were not, and everything that they hold together counted.
pub(super) fn look(state: &mut ViewerState, services: &mut Services) {
    let data = &mut state.train.data;
    for folder in &mut data.folders {
        let text = folder.text.trim();
        if text.is_empty() || !matches!(folder.kind, Pending::Nothing) {
            continue;
        }
        let path = PathBuf::from(text);
        let recognise = move |_: &Errand<'_>| dataset::recognise(&path).map_err(|e| e.to_string());
        folder.kind = Pending::Running(services.errands.send("recognise-data", recognise));
    }
    let Some((folder, options)) = data.source() else {
        data.overview = Pending::Nothing;
        return;
    };
    if matches!(data.overview, Pending::Nothing) {
        let count = move |_: &Errand<'_>| overview(&folder, &options);
        data.overview = Pending::Running(services.errands.send("count-data", count));
    }
}

pub(super) fn remove_folder(state: &mut ViewerState, services: &mut Services, number: usize) {
    let data = &mut state.train.data;
    if data.folders.len() > 1 && number < data.folders.len() {
        data.folders.remove(number);
        data_check::forget(state);
        look(state, services);
    }
}

/// The panel has the data looked at once nothing is typed any more.
pub(super) fn part(state: &mut ViewerState, parting: Parting) {
    state.train.data.parting = parting;
    data_check::forget(state);
}
