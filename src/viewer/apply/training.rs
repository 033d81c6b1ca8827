//! The workspace 'Train': its commands, given to whoever carries them out, and the form.

use super::{Services, data_check, data_folders, results, run, run_pictures};
use crate::training::request::Request;
use crate::training::start_weights;
use crate::viewer::command::Action;
use crate::viewer::dialogs::{Choice, Purpose};
use crate::viewer::errands::{Errand, Pending, Report};
use crate::viewer::state::{ViewerState, Workspace};
use crate::viewer::train::dataset::Folder;
use crate::viewer::train::form::Text;
use crate::viewer::train::{Step, TrainCommand, asked};

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::ChooseData => services.dialogs.show(Choice::Folder, Purpose::Data),
        Action::ImportEncoder => import(state, services),
        Action::CheckData | Action::CancelCheck | Action::SaveCheck => data_check::act(state, services, action),
        Action::PreviewBatch => run_pictures::preview(state, services),
        _ => run::act(state, services, action),
    }
}

pub(super) fn command(state: &mut ViewerState, services: &mut Services, command: TrainCommand) {
    let train = &mut state.train;
    match command {
        TrainCommand::Open(step) => train.step = step,
        TrainCommand::Folder(number, text) => data_folders::type_folder(state, number, text),
        TrainCommand::Look => data_folders::look(state, services),
        TrainCommand::Part(parting) => data_folders::part(state, parting),
        TrainCommand::OnLeakage(choice) => train.data.on_leakage = choice,
        TrainCommand::ReportFile(file) => train.data.report_file = file,
        TrainCommand::AddFolder => train.data.folders.push(Folder::default()),
        TrainCommand::RemoveFolder(number) => data_folders::remove_folder(state, services, number),
        TrainCommand::DataFolder(path) => data_folders::data_folder(state, services, &path),
        TrainCommand::Choose(task, encoder, recipe) => {
            train.form.choose(task, encoder, recipe);
            train.count_augmented();
            train.batch = None;
        }
        TrainCommand::Set(name, text) => {
            train.form.edit(name, &text);
            train.count_augmented();
            train.batch = None;
        }
        TrainCommand::Type(field, text) => {
            if field == Text::Initial {
                (train.start, train.import) = (Pending::Nothing, Pending::Nothing);
            }
            train.form.type_text(field, text);
        }
        TrainCommand::Begin(initial) => {
            train.form.initial = initial;
            look_at_start(state, services);
        }
        TrainCommand::LookAtStart => look_at_start(state, services),
        TrainCommand::Priority(priority) => train.form.priority = priority,
        TrainCommand::Unfold(unfolded) => train.form.unfolded = unfolded,
        TrainCommand::Resume(resume) => train.form.resume = resume,
        TrainCommand::Charts(settings) => train.charts = settings,
        TrainCommand::Lower(lower) => train.lower = lower,
        TrainCommand::Watch(at) => {
            train.watch.at = at;
            run_pictures::watch(state, services);
        }
        TrainCommand::Event(line) => run::event(state, services, *line),
        TrainCommand::Estimated(line) => run::estimated(state, services, *line),
        TrainCommand::Close(choice) => run::close(state, services, choice),
    }
}

/// Takes a report of one of the workspace's errands; `true` if it was one.
pub(super) fn errand(state: &mut ViewerState, services: &mut Services, report: &Report) -> bool {
    if data_check::errand(state, services, report) {
        return true;
    }
    let train = &mut state.train;
    if train.watch.reading.hear(report) {
        run_pictures::show_watch(state, services);
        return true;
    }
    if train.import.hear(report) {
        imported(state, services);
        return true;
    }
    if train.preview.hear(report) {
        run_pictures::show_batch(state, services);
        return true;
    }
    if train.earlier.hear(report) {
        run::go_on(state, services);
        return true;
    }
    if train.data.overview.hear(report) {
        train.count_augmented();
        return true;
    }
    let data = &mut train.data;
    train.start.hear(report) || data.folders.iter_mut().any(|folder| folder.kind.hear(report))
}

/// Fills the form with what a run was asked for, to make it once more.
pub(super) fn repeat(state: &mut ViewerState, services: &mut Services, request: &Request) {
    let train = &mut state.train;
    train.form.repeat(request);
    train.data.repeat(request);
    (train.batch, train.import) = (None, Pending::Nothing);
    data_check::forget(state);
    data_folders::look(state, services);
    look_at_start(state, services);
    results::look_at_models(state, services);
    state.workspace = Workspace::Train;
    state.train.step = Step::Model;
}

/// Has a look taken at the file that the run begins with.
fn look_at_start(state: &mut ViewerState, services: &mut Services) {
    let train = &mut state.train;
    train.start = match asked::initial(&train.form) {
        None => Pending::Nothing,
        Some(path) => {
            let look = move |_: &Errand<'_>| start_weights::look_at(&path).map_err(|e| e.to_string());
            Pending::Running(services.errands.send("look-at-weights", look))
        }
    };
}

fn import(state: &mut ViewerState, services: &mut Services) {
    let train = &mut state.train;
    let Some(path) = asked::initial(&train.form) else {
        return;
    };
    let encoder = train.form.config.encoder;
    let import = move |_: &Errand<'_>| start_weights::import_encoder(&path, encoder).map_err(|e| e.to_string());
    train.import = Pending::Running(services.errands.send("import-encoder", import));
}

/// The imported encoder takes the place of the file that it comes from.
fn imported(state: &mut ViewerState, services: &mut Services) {
    let train = &mut state.train;
    if let Some(imported) = train.import.done() {
        train.form.initial_path = imported.weights.display().to_string();
        train.form.config.graph = imported.graph;
        look_at_start(state, services);
    }
}
