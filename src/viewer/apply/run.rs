//! The run and its process: started, resumed, told, listened to, and what becomes of it when the window closes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use egui::ViewportCommand;

use super::{Services, run_pictures};
use crate::training::control::Control;
use crate::training::event::{Line, Stop, TrainingEvent};
use crate::viewer::command::Action;
use crate::viewer::errands::{Errand, Pending};
use crate::viewer::state::{Dialog, ViewerState};
use crate::viewer::train::form::Form;
use crate::viewer::train::session::{Asked, Session, Standing};
use crate::viewer::train::{Estimating, OnClose, Step, WatchView, asked};

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::StartRun => start(state, services),
        Action::Estimate => estimate(state, services),
        Action::CancelEstimate => {
            if let Some(mut trial) = services.trial.take() {
                trial.kill();
            }
            state.train.estimate = Estimating::Nothing;
        }
        Action::PauseRun => tell(state, services, Control::Pause, Asked::Pause),
        Action::ContinueRun => {
            // A stop that was not made is taken back without a word from the run.
            let resumes = state.train.session.standing == Standing::Paused;
            tell(state, services, Control::Resume, Asked::Resume);
            if !resumes {
                state.train.session.asked = None;
            }
        }
        Action::StopAfterBatch => tell(state, services, Control::StopAfterBatch, Asked::Stop(Stop::AfterBatch)),
        Action::StopAfterEpoch => tell(state, services, Control::StopAfterEpoch, Asked::Stop(Stop::AfterEpoch)),
        _ => {}
    }
}

/// Goes on with the run that lies in a folder.
pub(super) fn resume(state: &mut ViewerState, services: &mut Services, run: &Path) {
    state.train.form.run_folder = run.display().to_string();
    state.train.form.resume = true;
    start(state, services);
}

pub(super) fn start(state: &mut ViewerState, services: &mut Services) {
    state.train.step = Step::Run;
    state.train.session = Session::starting();
    state.train.watch = WatchView::default();
    if state.train.form.resume {
        let run = run_folder(&state.train.form);
        let read = services
            .errands
            .send("earlier-curves", move |_: &Errand<'_>| Session::read(&run));
        state.train.earlier = Pending::Running(read);
    } else {
        launch(state, services);
    }
}

/// The curves of the interrupted run are there, or there are none: its process goes on.
pub(super) fn go_on(state: &mut ViewerState, services: &mut Services) {
    match std::mem::take(&mut state.train.earlier) {
        Pending::Done(earlier) => {
            state.train.session = earlier.going_on();
            run_pictures::watch(state, services);
        }
        Pending::Failed(reason) => state.train.session.notes.push(reason),
        running @ Pending::Running(_) => {
            state.train.earlier = running;
            return;
        }
        Pending::Nothing | Pending::Cancelled => {}
    }
    launch(state, services);
}

fn launch(state: &mut ViewerState, services: &mut Services) {
    let train = &mut state.train;
    let request = if train.form.resume {
        asked::resumed(&train.form)
    } else {
        asked::request(train).ok_or_else(|| "no data folder is named".to_owned())
    };
    let wake = services.pace.wake(&services.ctx);
    match request.and_then(|request| services.launcher.start(&request, wake)) {
        Ok(run) => services.run = Some(run),
        Err(reason) => train.session.standing = Standing::Failed(reason, None),
    }
}

/// Has a few steps measured in a process of their own.
pub(super) fn estimate(state: &mut ViewerState, services: &mut Services) {
    let request = asked::request(&state.train).ok_or_else(|| "no data folder is named".to_owned());
    let wake = services.pace.wake(&services.ctx);
    match request.and_then(|request| services.launcher.estimate(&request, wake)) {
        Ok(trial) => {
            services.trial = Some(trial);
            state.train.estimate = Estimating::Running(Instant::now());
        }
        Err(reason) => state.train.estimate = Estimating::Failed(reason),
    }
}

pub(super) fn estimated(state: &mut ViewerState, services: &mut Services, line: Line) {
    // What was cancelled is not heard any more.
    if !state.train.estimate.is_active() {
        return;
    }
    match line.event {
        TrainingEvent::Estimated(estimate) => state.train.estimate = Estimating::Done(Box::new(estimate)),
        TrainingEvent::Failed { reason, .. } => state.train.estimate = Estimating::Failed(reason),
        _ => return,
    }
    services.trial = None;
}

fn run_folder(form: &Form) -> PathBuf {
    PathBuf::from(form.run_folder.trim())
}

pub(super) fn tell(state: &mut ViewerState, services: &mut Services, control: Control, asked: Asked) {
    // A run that is gone says so by its last event.
    let told = services.run.as_mut().is_some_and(|run| run.send(control));
    if told {
        state.train.session.asked = Some(asked);
    }
}

pub(super) fn event(state: &mut ViewerState, services: &mut Services, line: Line) {
    let is_last = line.event.is_last();
    let redrawn = matches!(line.event, TrainingEvent::Watch { .. });
    let session = &mut state.train.session;
    session.hear(line);
    if is_last {
        services.run = None;
        if matches!(session.standing, Standing::Stopped(_) | Standing::Failed(_, Some(_))) {
            state.train.form.resume = true;
        } else if matches!(session.standing, Standing::Finished(_)) {
            state.train.form.resume = false;
        }
        if std::mem::take(&mut state.train.closing) {
            services.ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }
    if redrawn && state.train.watch.at.is_none() {
        run_pictures::watch(state, services);
    }
}

/// The user wants to close the window; while a run is under way that is asked.
pub(super) fn close_asked(state: &mut ViewerState, services: &mut Services) {
    if state.train.session.is_active() && services.run.is_some() {
        services.ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        state.dialog = Some(Dialog::CloseDuringRun);
    }
}

pub(super) fn close(state: &mut ViewerState, services: &mut Services, choice: OnClose) {
    match choice {
        OnClose::Stay => {
            state.train.closing = false;
            state.dialog = None;
        }
        OnClose::Leave => {
            if let Some(mut run) = services.run.take() {
                run.send(Control::Detach);
            }
            services.ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        OnClose::Stop => {
            tell(state, services, Control::StopAfterBatch, Asked::Stop(Stop::AfterBatch));
            state.train.closing = true;
        }
    }
}
