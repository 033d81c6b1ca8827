//! The form as a run that is asked for: what the training process is given, and a run folder keeps.

use std::path::PathBuf;

use super::TrainState;
use super::form::{Form, Initial, Priority};
use crate::training::Task;
use crate::training::recipe::Config;
use crate::training::request::Request;
use crate::training::runs::best_weights;
use crate::training::start_weights::StartWeights;
use crate::training::watch::WatchList;

/// How far a run stands back behind other programs where reading goes first.
const NICE: u8 = 10;

/// The run that the form describes; `None` while no data folder is named.
pub fn request(state: &TrainState) -> Option<Request> {
    let form = &state.form;
    let (data, dataset) = state.data.source()?;
    let run = PathBuf::from(form.run_folder.trim());
    let config = Config {
        on_leakage: state.data.on_leakage,
        ..form.config.clone()
    };
    Some(over(
        form,
        Request {
            dataset,
            init: initial(form),
            segmenter: path(&form.segmenter).or_else(|| watching(state)),
            watch: WatchList {
                files: Vec::new(),
                chosen: form.watched(),
            },
            ..Request::new(config, &data, &run)
        },
    ))
}

/// The run that lies in the form's folder, to go on with it on this machine's terms.
///
/// # Errors
/// In a sentence, if there is none.
pub fn resumed(form: &Form) -> Result<Request, String> {
    let folder = PathBuf::from(form.run_folder.trim());
    let request = Request::of_run(&folder).map_err(|e| e.to_string())?;
    Ok(over(form, request))
}

/// What says how a run is made and changes nothing of what comes of it.
fn over(form: &Form, request: Request) -> Request {
    Request {
        device: form.device.trim().to_owned(),
        threads: form.threads.trim().parse().ok(),
        // An empty field says nothing of a run that is gone on with.
        keep_every: form.kept_every().or(request.keep_every),
        nice: match form.priority {
            Priority::Low => NICE,
            Priority::Normal => 0,
        },
        ..request
    }
}

/// The segmenter of the watch-list's masks and in-lung ratios where none is named. A part of the picture needs one by
/// name, because the run learns from it.
fn watching(state: &TrainState) -> Option<PathBuf> {
    let form = &state.form;
    let is_watched = form.config.task != Task::Segmenter && form.config.region.is_full() && form.watched() > 0;
    is_watched.then(|| usual_segmenter(state)).flatten()
}

/// The segmenter that a classifier's run takes if none is named: the one that it begins with, else the installed one.
pub fn usual_segmenter(state: &TrainState) -> Option<PathBuf> {
    let begun = match state.start.done().map(AsRef::as_ref) {
        Some(StartWeights::Network {
            task: Task::Segmenter, ..
        }) => initial(&state.form),
        _ => None,
    };
    begun.or_else(|| state.installed_segmenter.clone())
}

fn path(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// The file of initial weights, if the run begins with one.
pub fn initial(form: &Form) -> Option<PathBuf> {
    let path = path(&form.initial_path)?;
    match form.initial {
        Initial::Random => None,
        Initial::Run => Some(best_weights(&path)),
        Initial::File => Some(path),
    }
}
