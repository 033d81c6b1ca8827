//! Pictures beside a run: the watch-list after an epoch, and the next batch.

use std::sync::Arc;

use super::Services;
use super::files::load_texture;
use crate::training::request::Request;
use crate::viewer::errands::{Errand, Pending};
use crate::viewer::state::ViewerState;
use crate::viewer::theme;
use crate::viewer::train::{asked, batch_tiles, watch as pictures};

/// Reads the pictures of the epoch that is looked at.
pub(super) fn watch(state: &mut ViewerState, services: &mut Services) {
    let train = &mut state.train;
    let session = &train.session;
    let wanted = match train.watch.at {
        Some(at) => session.watch.iter().rev().find(|(epoch, _)| *epoch <= at),
        None => session.watch.last(),
    };
    let (Some((epoch, images)), Some(started)) = (wanted, &session.started) else {
        return;
    };
    if train.watch.shown.as_ref().is_some_and(|shown| shown.epoch == *epoch) {
        return;
    }
    let (run, epoch, images) = (started.run.clone(), *epoch, images.clone());
    let [red, green, blue, _] = theme::RIGHT_LUNG.to_array();
    let read = move |_: &Errand<'_>| Ok(pictures::read(&run, epoch, &images, [red, green, blue]));
    train.watch.reading = Pending::Running(services.errands.send("watch-list", read));
}

pub(super) fn show_watch(state: &mut ViewerState, services: &mut Services) {
    let watch = &mut state.train.watch;
    if let Some(read) = watch.reading.done() {
        let textures = read.tiles.iter().map(|tile| {
            let picture = tile.picture.as_ref().ok()?;
            Some(load_texture(services, "watched image", picture))
        });
        watch.textures = textures.collect();
        watch.shown = Some(Arc::clone(read));
        watch.reading = Pending::Nothing;
    }
}

/// Has the batch made that comes next: of the run, or the first one of the run that the form describes.
pub(super) fn preview(state: &mut ViewerState, services: &mut Services) {
    let train = &mut state.train;
    let running = train.session.started.as_ref().filter(|_| train.session.is_active());
    let (run, place) = match running {
        Some(started) => {
            let done = train.session.steps().map_or(0, |(done, _)| done);
            let per_epoch = started.steps_per_epoch.max(1);
            (Some(started.run.clone()), (done / per_epoch, done % per_epoch))
        }
        None => (None, (0, 0)),
    };
    let described = asked::request(train);
    let [red, green, blue, _] = theme::RIGHT_LUNG.to_array();
    let make = move |errand: &Errand<'_>| {
        let request = match run {
            // The form may have been changed since it was started.
            Some(run) => Request::of_run(&run).map_err(|e| e.to_string())?,
            None => described.ok_or_else(|| "no data folder is named".to_owned())?,
        };
        batch_tiles::make(&request, place, [red, green, blue], errand)
    };
    train.preview = Pending::Running(services.errands.send("next-batch", make));
}

pub(super) fn show_batch(state: &mut ViewerState, services: &mut Services) {
    if let Some(batch) = state.train.preview.done() {
        let textures = batch
            .tiles
            .iter()
            .map(|tile| load_texture(services, "image of a batch", &tile.picture));
        state.train.batch = Some((Arc::clone(batch), textures.collect()));
        state.train.preview = Pending::Nothing;
    }
}
