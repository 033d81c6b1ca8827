//! The workspace 'Results': runs, their evaluations and audits, the model list.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Services, analysis, files, run, training};
use crate::inference::installed::State;
use crate::inference::models::ClassifierName;
use crate::training::request::Request;
use crate::training::runs::promotion::{self, Standing};
use crate::training::{dataset, runs};
use crate::viewer::command::Action;
use crate::viewer::errands::{Errand, Pending, Report};
use crate::viewer::results::evaluated::{Cell, Found, files_of};
use crate::viewer::results::models::ModelList;
use crate::viewer::results::work::{self, Task};
use crate::viewer::results::{ResultsCommand, Tab, Work, models};
use crate::viewer::state::{Dialog, ViewerState, Workspace};
use crate::viewer::train::Step;
use crate::viewer::wording;

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::ReadRuns => refresh(state, services),
        Action::EvaluateRun => compute(state, services, Work::Evaluation),
        Action::AuditRun => compute(state, services, Work::Audit),
        Action::CancelWork => {
            if let Some(sent) = state.results.working.running() {
                sent.cancel();
            }
        }
        Action::ExportEvaluation => export_evaluation(state, services),
        Action::ExportAudit => export_audit(state, services),
        Action::PromoteRun => promote(state, services),
        Action::ResumeRun => resume(state, services),
        Action::DeleteRun => state.dialog = Some(Dialog::DeleteRun),
        _ => {}
    }
}

pub(super) fn command(state: &mut ViewerState, services: &mut Services, command: ResultsCommand) {
    let results = &mut state.results;
    match command {
        ResultsCommand::Root(root) => results.root = root,
        ResultsCommand::Refresh => refresh(state, services),
        ResultsCommand::Sort(column) => {
            let (now, falling) = results.sort;
            results.sort = (column, now == column && !falling);
        }
        ResultsCommand::Select(folder) => select(state, services, folder),
        ResultsCommand::Second(second) => {
            results.second = second;
            results.tab = Tab::Compare;
            compare(state, services);
        }
        ResultsCommand::Tab(tab) => {
            results.tab = tab;
            keep_notes(state, services);
            if tab == Tab::Models {
                // Other programs change the list as well.
                read_models(state, services);
            }
        }
        ResultsCommand::Notes(notes) => results.notes = notes,
        ResultsCommand::KeepNotes => keep_notes(state, services),
        ResultsCommand::Data(folder) => results.type_data(folder),
        ResultsCommand::Split(split) => {
            results.split = split;
            read_evaluation(state, services);
        }
        ResultsCommand::Threshold(threshold) => results.threshold = threshold.clamp(0.0, 1.0),
        ResultsCommand::OpenCell(cell) => open_cell(state, services, cell),
        ResultsCommand::Repeat => repeat(state, services),
        ResultsCommand::Delete => delete(state, services),
        ResultsCommand::Reason(reason) => results.reason = reason,
        ResultsCommand::RollBack(name, to) => {
            let back = move |_: &Errand<'_>| work::roll_back(&name, to.as_deref());
            change(state, services, "roll-back", back);
            state.results.changes_models = true;
        }
        ResultsCommand::Use(classifier) => choose(state, services, classifier),
    }
}

/// Takes a report of one of the workspace's errands; `true` if it was one.
pub(super) fn errand(state: &mut ViewerState, services: &mut Services, report: &Report) -> bool {
    let results = &mut state.results;
    if results.reading.hear(report) {
        if let Some(runs) = results.reading.done() {
            results.runs = Arc::clone(runs);
            if std::mem::take(&mut results.reread) {
                read_chosen(state, services);
            }
        }
        return true;
    }
    if results.evaluation.hear(report) {
        if let Some(evaluated) = results.evaluated() {
            let subject = evaluated.report.subject.clone();
            // The same evaluation read again, as after an audit, keeps what was chosen on it.
            if results.threshold_of.as_ref() != Some(&subject) {
                results.threshold = subject.threshold;
                results.threshold_of = Some(subject);
            }
        }
        return true;
    }
    if results.working.hear(report) {
        // Whatever came of it lies on the disk now.
        results.reread |= results.working.running().is_none();
        refresh_after(state, services);
        return true;
    }
    if results.change.hear(report) {
        if results.change.running().is_some() {
            return true;
        }
        let changed_models = results.changes_models && results.change.done().is_some();
        refresh(state, services);
        if changed_models {
            read_models(state, services);
            // What is in use may be another version now.
            if let Some(name) = state.engine.classifier().and_then(|name| name.parse().ok()) {
                choose(state, services, name);
            }
        }
        return true;
    }
    if results.cell.hear(report) {
        show_cell(state, services);
        return true;
    }
    if results.repeat.hear(report) {
        if let Some(request) = results.repeat.done().cloned() {
            results.repeat = Pending::Nothing;
            // A run may have been started since the button was pressed; its form stays as it is.
            if !state.train.session.is_active() {
                training::repeat(state, services, &request);
            }
        }
        return true;
    }
    if results.models.hear(report) {
        if let Some(list) = results.models.done() {
            state.train.installed_segmenter = segmenter_of(list);
        }
        return true;
    }
    results.audit.hear(report) || results.standing.hear(report) || results.comparison.hear(report)
}

/// The workspace comes into sight: what it shows is read if it was not.
pub(super) fn enter(state: &mut ViewerState, services: &mut Services) {
    let results = &mut state.results;
    if results.root.is_empty() {
        let run = PathBuf::from(state.train.form.run_folder.trim());
        results.root = run.parent().unwrap_or(Path::new("")).display().to_string();
    }
    if results.data.is_empty() {
        state.results.data = data_of_selected(state);
    }
    refresh(state, services);
}

/// Once the work is over, the table is read again; progress alone changes nothing.
fn refresh_after(state: &mut ViewerState, services: &mut Services) {
    if state.results.working.running().is_none() {
        refresh(state, services);
    }
}

fn refresh(state: &mut ViewerState, services: &mut Services) {
    let root = PathBuf::from(state.results.root.trim());
    if root.as_os_str().is_empty() {
        return;
    }
    let read = move |_: &Errand<'_>| runs::list(&root).map_err(|e| e.to_string());
    state.results.reading = Pending::Running(services.errands.send("read-runs", read));
}

fn select(state: &mut ViewerState, services: &mut Services, folder: PathBuf) {
    // What was typed of the former run is not lost by looking at another.
    keep_notes(state, services);
    let results = &mut state.results;
    if results.change.running().is_none() {
        results.change = Pending::Nothing;
    }
    if results.second.as_ref() == Some(&folder) {
        results.second = None;
    }
    results.selected = Some(folder);
    results.reason.clear();
    results.repeat = Pending::Nothing;
    results.notes = results.run().map(|run| run.notes.clone()).unwrap_or_default();
    // What the field holds of another run must not be evaluated as this one's.
    state.results.data = data_of_selected(state);
    read_chosen(state, services);
}

/// The data folder of the selected run, else that of Train.
fn data_of_selected(state: &ViewerState) -> String {
    let of_train = || state.train.data.named().next().unwrap_or_default().to_owned();
    state.results.own_data().unwrap_or_else(of_train)
}

/// Reads everything that belongs to the chosen run.
fn read_chosen(state: &mut ViewerState, services: &mut Services) {
    if state.results.run().is_none() {
        state.results.selected = None;
        return;
    }
    read_evaluation(state, services);
    read_audit(state, services);
    compare(state, services);
}

fn read_evaluation(state: &mut ViewerState, services: &mut Services) {
    let results = &mut state.results;
    let Some(run) = results.selected.clone() else { return };
    let split = results.split;
    let read = move |_: &Errand<'_>| Found::read(&run, split);
    results.evaluation = Pending::Running(services.errands.send("read-evaluation", read));
}

fn read_audit(state: &mut ViewerState, services: &mut Services) {
    let results = &mut state.results;
    let Some(run) = results.selected.clone() else { return };
    let of_standing = run.clone();
    let audit = move |_: &Errand<'_>| work::read_audit(&run);
    results.audit = Pending::Running(services.errands.send("read-audit", audit));
    let standing = move |_: &Errand<'_>| promotion::standing(&of_standing).map_err(|e| e.to_string());
    results.standing = Pending::Running(services.errands.send("standing", standing));
}

fn compare(state: &mut ViewerState, services: &mut Services) {
    let results = &mut state.results;
    let (Some(first), Some(second)) = (results.selected.clone(), results.second.clone()) else {
        results.comparison = Pending::Nothing;
        return;
    };
    let compare = move |_: &Errand<'_>| runs::compare(&first, &second).map_err(|e| e.to_string());
    results.comparison = Pending::Running(services.errands.send("compare-runs", compare));
}

/// Looks at the models that can be chosen, if that was not done.
pub(super) fn look_at_models(state: &mut ViewerState, services: &mut Services) {
    if matches!(state.results.models, Pending::Nothing) {
        read_models(state, services);
    }
}

fn read_models(state: &mut ViewerState, services: &mut Services) {
    let weights = services.models.weights.clone();
    let read = move |_: &Errand<'_>| Ok(models::read(weights.as_deref()));
    state.results.models = Pending::Running(services.errands.send("read-models", read));
}

fn compute(state: &mut ViewerState, services: &mut Services, kind: Work) {
    let options = match state.train.data.source() {
        // The same data as in the first step are parted as they are there.
        Some((folder, options)) if folder.display().to_string() == state.results.data.trim() => options,
        _ => dataset::Options::default(),
    };
    let (weights, device) = (services.models.weights.clone(), services.models.device.clone());
    let results = &mut state.results;
    let Some(run) = results.selected.clone() else { return };
    let task = Task {
        run,
        data: PathBuf::from(results.data.trim()),
        options,
        split: results.split.to_owned(),
        weights,
        device,
    };
    results.work = (kind, task.run.clone());
    results.working = Pending::Running(services.errands.send("evaluate-run", move |errand| match kind {
        Work::Evaluation => task.evaluate(errand),
        Work::Audit => task.audit(errand),
    }));
}

/// Something that changes the disk, one at a time.
fn change(
    state: &mut ViewerState,
    services: &mut Services,
    name: &str,
    work: impl FnOnce(&Errand<'_>) -> Result<String, String> + Send + 'static,
) {
    if state.results.change.running().is_none() {
        state.results.changes_models = false;
        state.results.change = Pending::Running(services.errands.send(name, work));
    }
}

fn export_evaluation(state: &mut ViewerState, services: &mut Services) {
    let (Some(evaluation), threshold) = (state.results.evaluation.done().cloned(), state.results.threshold) else {
        return;
    };
    change(state, services, "export-evaluation", move |_| {
        match evaluation.as_ref() {
            Found::Classifier(evaluated) => work::export_evaluation(evaluated, threshold),
            Found::Segmenter { folder, report } => work::export_segmenter(folder, report),
            Found::Nothing => Err("there is no evaluation to export".to_owned()),
        }
    });
}

fn export_audit(state: &mut ViewerState, services: &mut Services) {
    let (Some(run), Some(audit)) = (state.results.selected.clone(), state.results.audit.done().cloned()) else {
        return;
    };
    change(state, services, "export-audit", move |_| match audit.as_ref() {
        Some(audit) => work::export_audit(&run, audit),
        None => Err("there is no audit to export".to_owned()),
    });
}

fn promote(state: &mut ViewerState, services: &mut Services) {
    let Some(run) = state.results.selected.clone() else {
        return;
    };
    let needs = matches!(
        state.results.standing.done().map(AsRef::as_ref),
        Some(Standing::NeedsReason(_))
    );
    let reason = needs.then(|| state.results.reason.clone());
    let taken = state.results.taken();
    let weights = services.models.weights.clone();
    change(state, services, "promote-run", move |_| {
        work::promote(&run, &taken, reason, weights.as_deref())
    });
    state.results.changes_models = true;
}

/// Goes on with an interrupted run from its row in the table.
fn resume(state: &mut ViewerState, services: &mut Services) {
    let Some(folder) = state.results.selected.clone() else {
        return;
    };
    run::resume(state, services, &folder);
    state.workspace = Workspace::Train;
    state.train.step = Step::Run;
}

fn delete(state: &mut ViewerState, services: &mut Services) {
    state.dialog = None;
    let Some(run) = state.results.selected.take() else {
        return;
    };
    change(state, services, "delete-run", move |_| {
        runs::delete(&run).map_err(|e| e.to_string())?;
        Ok(format!("{} is in the trash.", run.display()))
    });
}

/// Keeps the notes of the chosen run if they were changed.
pub(super) fn keep_notes(state: &mut ViewerState, services: &mut Services) {
    let Some(run) = state.results.run() else { return };
    if run.notes == state.results.notes.trim_end() {
        return;
    }
    let (run, notes) = (run.folder.clone(), state.results.notes.clone());
    change(state, services, "keep-notes", move |_| {
        runs::write_notes(&run, &notes).map_err(|e| e.to_string())?;
        Ok("The notes are kept.".to_owned())
    });
}

/// Reads what the chosen run was asked for, unless a run is under way: it has the form.
fn repeat(state: &mut ViewerState, services: &mut Services) {
    let Some(run) = state.results.selected.clone() else {
        return;
    };
    if !state.train.session.is_active() {
        let read = move |_: &Errand<'_>| Request::again(&run).map_err(|e| e.to_string());
        state.results.repeat = Pending::Running(services.errands.send("repeat-run", read));
    }
}

fn open_cell(state: &mut ViewerState, services: &mut Services, cell: Cell) {
    let threshold = state.results.threshold;
    let Some(evaluation) = state.results.evaluation.done().cloned() else {
        return;
    };
    let Some(run) = state.results.selected.clone() else {
        return;
    };
    let find = move |_: &Errand<'_>| match evaluation.as_ref() {
        Found::Classifier(evaluated) => files_of(evaluated, &run, cell, threshold),
        Found::Segmenter { .. } | Found::Nothing => Err("there is no confusion matrix".to_owned()),
    };
    state.results.cell = Pending::Running(services.errands.send("open-cell", find));
}

/// Opens the images of a cell that are there, and says how many are not.
fn show_cell(state: &mut ViewerState, services: &mut Services) {
    match std::mem::take(&mut state.results.cell) {
        Pending::Done(cell) => {
            files::open(state, services, cell.files.clone());
            // Opening takes the notice of what was open before away.
            state.notice = cell.problem();
        }
        Pending::Failed(reason) => state.notice = Some(wording::sentence(&reason)),
        other => state.results.cell = other,
    }
}

/// The weights of the segmenter that the viewer offers, if it can be used.
fn segmenter_of(list: &ModelList) -> Option<PathBuf> {
    let segmenter = list.models.iter().find(|model| model.installed.classifier.is_none())?;
    match &segmenter.installed.state {
        State::Ready { weights, .. } => Some(weights.clone()),
        State::Broken { .. } | State::Missing { .. } => None,
    }
}

/// Predicts with another installed classifier from now on.
fn choose(state: &mut ViewerState, services: &mut Services, classifier: ClassifierName) {
    services.analyser.switch(classifier);
    if state.shown.is_some() {
        analysis::begin(state, services);
    }
}
