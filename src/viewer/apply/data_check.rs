//! The check of the data: begun, cancelled, shown, saved.

use std::path::PathBuf;

use super::Services;
use super::files::load_texture;
use crate::viewer::command::Action;
use crate::viewer::errands::{Errand, Pending, Report};
use crate::viewer::picture::Thumbnail;
use crate::viewer::state::ViewerState;
use crate::viewer::train::checked;
use crate::viewer::train::dataset::CheckPictures;

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::CheckData => check(state, services),
        Action::CancelCheck => {
            if let Some(sent) = state.train.data.check.running() {
                sent.cancel();
            }
        }
        Action::SaveCheck => save(state, services),
        _ => {}
    }
}

/// The data are others now: what was found out about the former ones says nothing.
pub(super) fn forget(state: &mut ViewerState) {
    let data = &mut state.train.data;
    data.overview = Pending::Nothing;
    data.check = Pending::Nothing;
    data.saving = Pending::Nothing;
    data.pictures = CheckPictures::default();
}

fn check(state: &mut ViewerState, services: &mut Services) {
    let data = &mut state.train.data;
    let Some((folder, options)) = data.source() else { return };
    data.saving = Pending::Nothing;
    let reports = services.kept.reports.clone();
    let make = move |errand: &Errand<'_>| checked::make(&folder, &options, reports.as_deref(), errand);
    data.check = Pending::Running(services.errands.send("check-data", make));
}

fn save(state: &mut ViewerState, services: &mut Services) {
    let data = &mut state.train.data;
    let Some(checked) = data.check.done().cloned() else {
        return;
    };
    let path = PathBuf::from(data.report_file.trim());
    let save = move |_: &Errand<'_>| checked::save(&checked.report, &path);
    data.saving = Pending::Running(services.errands.send("save-check", save));
}

/// Takes a report of one of these errands; `true` if it was one.
pub(super) fn errand(state: &mut ViewerState, services: &mut Services, report: &Report) -> bool {
    let data = &mut state.train.data;
    if !data.check.hear(report) {
        return data.saving.hear(report);
    }
    if let Some(checked) = data.check.done() {
        let load = |picture: &Option<Thumbnail>| {
            let picture = picture.as_ref()?;
            Some(load_texture(services, "checked image", picture))
        };
        data.pictures = CheckPictures {
            copies: checked.copies.iter().map(|pair| pair.each_ref().map(load)).collect(),
            odd: checked.odd.iter().map(load).collect(),
        };
    }
    true
}
