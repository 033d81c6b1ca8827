//! The only place that changes the window's state: one handler a subject.

mod analysis;
mod data_check;
mod data_folders;
mod deidentify;
mod display;
mod files;
mod geometry;
mod layout;
mod placement;
mod results;
mod run;
mod run_pictures;
mod studies;
mod tags;
mod training;

use std::path::PathBuf;

use eframe::egui;

use super::analysis::Analyser;
use super::command::{Action, Command};
use super::dialogs::Dialogs;
use super::errands::{Errands, Report};
use super::pace::Pace;
use super::state::{ViewerState, Workspace};
use super::studies::thumbnails::Thumbnails;
use super::train::launcher::{Launcher, RunProcess};
use super::worker::{Loader, PictureCache};

/// What handlers reach beside the state.
pub struct Services {
    /// Reads files.
    pub loader: Loader,
    /// Decoded pictures.
    pub cache: PictureCache,
    /// Predicts.
    pub analyser: Box<dyn Analyser>,
    /// The system's file dialogs.
    pub dialogs: Dialogs,
    /// Works in the background.
    pub errands: Errands,
    /// Where models are looked for, and what computes.
    pub models: ModelSource,
    /// Makes small pictures for the studies panel.
    pub thumbnails: Thumbnails,
    /// Where things are kept.
    pub kept: Kept,
    /// Starts runs.
    pub launcher: Box<dyn Launcher>,
    /// The run under way.
    pub run: Option<Box<dyn RunProcess>>,
    /// The process that measures some steps.
    pub trial: Option<Box<dyn RunProcess>>,
    /// How often what they say is drawn.
    pub pace: Pace,
    /// For textures of the list, the clipboard and the window itself.
    pub ctx: egui::Context,
    /// Longest side of a picture that the graphics adapter can show, in pixels.
    pub largest_side: u32,
}

/// Where things are kept between two windows; `None` where the system has no such place.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Folder of the reports of checked data, for the runs to come.
    pub reports: Option<PathBuf>,
    /// Pictures that were calibrated by hand.
    pub calibrations: Option<PathBuf>,
    /// Database of the studies that were indexed.
    pub library: Option<PathBuf>,
}

/// Where models are looked for, and what computes.
#[derive(Debug, Clone, Default)]
pub struct ModelSource {
    /// Folder that is searched first.
    pub weights: Option<PathBuf>,
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
}

/// What follows by itself, once the commands of a frame are carried out.
pub fn follow(state: &mut ViewerState, services: &mut Services) {
    deidentify::follow(state, services);
}

/// Carries out one command.
pub fn apply(state: &mut ViewerState, services: &mut Services, command: Command) {
    match command {
        Command::Do(action) => act(state, services, action),
        Command::Open(paths) => files::open(state, services, paths),
        Command::Select(index) => files::select(state, services, index),
        Command::Step(by) => files::step(state, services, by),
        Command::RowsInSight(rows) => files::rows_in_sight(state, services, rows),
        Command::Listed(request, listing) => files::listed(state, services, request, listing),
        Command::Decoded(key, result) => files::decoded(state, services, &key, result),
        Command::Chosen(purpose, chosen) => files::chosen(state, services, purpose, chosen),
        Command::Screen(screen) => state.screen = screen,
        Command::Pointer(pointer) => state.pointer = pointer,
        Command::Zoom { factor, anchor } => placement::zoom(state, factor, anchor),
        Command::DragPicture(delta) => placement::pan(state, delta),
        Command::DragWindow(delta) => display::drag(state, delta),
        Command::Bare(held) => state.bare = held,
        Command::DropHover(hovering) => state.drop_hover = hovering,
        Command::Overlays(settings) => state.overlays = settings,
        Command::Overlay(overlay) => analysis::overlay(state, overlay),
        Command::Engine(event) => analysis::event(state, services, event),
        Command::Dialog(dialog) => state.dialog = dialog,
        Command::DismissNotice => state.notice = None,
        Command::Copy(text) => services.ctx.copy_text(text),
        Command::Ruler(command) => geometry::command(state, services, command),
        Command::Studies(command) => studies::command(state, services, command),
        Command::Train(command) => training::command(state, services, command),
        Command::Results(command) => results::command(state, services, command),
        Command::Tags(command) => tags::command(state, command),
        Command::Deidentify(command) => deidentify::command(state, command),
        Command::Errand(report) => errand(state, services, &report),
        Command::CloseAsked => run::close_asked(state, services),
        Command::ToggleCard => state.layout.card = !state.layout.card,
    }
    tags::follow(state, services);
}

/// Gives a report to whoever sent for it; one that nobody waits for any more is dropped.
fn errand(state: &mut ViewerState, services: &mut Services, report: &Report) {
    let _heard = training::errand(state, services, report)
        || results::errand(state, services, report)
        || studies::errand(state, services, report)
        || tags::errand(state, report)
        || deidentify::errand(state, report)
        || geometry::errand(state, services, report);
}

fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    if !action.info().can(state) {
        return;
    }
    match action {
        Action::OpenFiles
        | Action::OpenFolder
        | Action::OpenPath
        | Action::OpenSample
        | Action::CloseAll
        | Action::PreviousImage
        | Action::NextImage
        | Action::FirstImage
        | Action::LastImage
        | Action::PreviousFrame
        | Action::NextFrame => files::act(state, services, action),
        Action::OpenStudies
        | Action::OpenDirectory
        | Action::RescanStudies
        | Action::CancelIndex
        | Action::ForgetStudies
        | Action::ToggleStudies
        | Action::FilterStudies => studies::act(state, services, action),
        Action::Invert | Action::Reset | Action::Preset(_) | Action::Window(_) => display::act(state, action),
        Action::Fit | Action::OneToOne | Action::ZoomIn | Action::ZoomOut | Action::Pan(_) => {
            placement::act(state, action);
        }
        Action::TurnRight
        | Action::TurnLeft
        | Action::FlipAcross
        | Action::FlipDown
        | Action::RemoveRulers
        | Action::Calibrate
        | Action::ForgetCalibration => geometry::act(state, services, action),
        Action::ToggleMask | Action::ToggleMap | Action::Analyse | Action::CancelAnalysis => {
            analysis::act(state, services, action);
        }
        Action::ChooseData
        | Action::ImportEncoder
        | Action::CheckData
        | Action::CancelCheck
        | Action::SaveCheck
        | Action::Estimate
        | Action::CancelEstimate
        | Action::PreviewBatch
        | Action::StartRun
        | Action::PauseRun
        | Action::ContinueRun
        | Action::StopAfterBatch
        | Action::StopAfterEpoch => training::act(state, services, action),
        Action::Show(workspace) => {
            results::keep_notes(state, services);
            state.workspace = workspace;
            match workspace {
                Workspace::Read => {}
                // A run takes the installed segmenter where none is named.
                Workspace::Train => results::look_at_models(state, services),
                Workspace::Results => results::enter(state, services),
            }
        }
        Action::ReadRuns
        | Action::ResumeRun
        | Action::EvaluateRun
        | Action::AuditRun
        | Action::CancelWork
        | Action::ExportEvaluation
        | Action::ExportAudit
        | Action::PromoteRun
        | Action::DeleteRun => results::act(state, services, action),
        Action::ToggleOverlayPlanes => state.graphics.planes = !state.graphics.planes,
        Action::ToggleShutter => state.graphics.shutter = !state.graphics.shutter,
        Action::ToggleTags | Action::CompareTags => tags::act(state, action),
        Action::Deidentify
        | Action::PreviewDeidentification
        | Action::AddMask
        | Action::ChooseDeidentifiedFolder
        | Action::StartDeidentification
        | Action::CancelDeidentification => deidentify::act(state, services, action),
        Action::Use(_)
        | Action::ToggleImageList
        | Action::ToggleFindings
        | Action::CycleAnnotations
        | Action::ToggleIdentity
        | Action::ToggleFullScreen
        | Action::Shortcuts
        | Action::About
        | Action::Quit => layout::act(state, services, action),
    }
}
