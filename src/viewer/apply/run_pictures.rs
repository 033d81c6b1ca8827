//! Pictures beside a run: the watch-list after an epoch, and the next batch.

use std::path::PathBuf;
use std::sync::Arc;

use super::Services;
use super::files::load_texture;
use crate::training::request::Request;
use crate::viewer::errands::{Errand, Pending};
use crate::viewer::state::ViewerState;
use crate::viewer::theme;
use crate::viewer::train::{TrainState, asked, batch_tiles, watch as pictures};

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
    let [red, green, blue, _] = theme::RIGHT_LUNG.to_array();
    let reports = services.kept.reports.clone();
    state.train.preview = match next_batch(&state.train) {
        Ok((source, place)) => {
            let make = move |errand: &Errand<'_>| {
                let request = source.request()?;
                batch_tiles::make(&request, place, reports.as_deref(), [red, green, blue], errand)
            };
            Pending::Running(services.errands.send("next-batch", make))
        }
        Err(problem) => Pending::Failed(problem),
    };
}

/// Whose batch is drawn.
enum Source {
    /// That of the run in a folder: the form may have been changed since it was started.
    Run(PathBuf),
    /// That of the run that the form describes.
    Form(Box<Request>),
}

impl Source {
    fn request(self) -> Result<Request, String> {
        match self {
            Self::Run(folder) => Request::of_run(&folder).map_err(|e| e.to_string()),
            Self::Form(request) => Ok(*request),
        }
    }
}

/// Whose batch comes next, with its epoch and place in the epoch, from 0; or what is missing, in a sentence.
fn next_batch(train: &TrainState) -> Result<(Source, (usize, usize)), String> {
    if let Some(started) = train.session.started.as_ref().filter(|_| train.session.is_active()) {
        let done = train.session.steps().map_or(0, |(done, _)| done);
        let per_epoch = started.steps_per_epoch.max(1);
        return Ok((Source::Run(started.run.clone()), (done / per_epoch, done % per_epoch)));
    }
    if let Some(problem) = train.form.segmenter_problem() {
        return Err(problem.to_owned());
    }
    let request = asked::request(train).ok_or_else(|| "no data folder is named".to_owned())?;
    Ok((Source::Form(Box::new(request)), (0, 0)))
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
