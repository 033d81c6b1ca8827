//! The application: `logic` brings in what workers say and what was typed, `ui` draws and collects commands. Both
//! hand every change to `apply`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use egui::{self, CentralPanel, Context, Panel, Ui};

use super::analysis::Analyser;
use super::apply::{Kept, ModelSource, Services, apply, follow};
use super::command::Command;
use super::dialogs::Dialogs;
use super::errands::Errands;
use super::keyboard;
use super::pace::Pace;
use super::panels::{
    about, calibrate, deidentify, empty, findings, image_list, menu_bar, notice, open_path, results, shortcuts,
    status_bar, studies, tags, train, viewport,
};
use super::render::{self, Canvas};
use super::ruler::calibrations::Calibrations;
use super::state::{Dialog, ViewerState, Workspace};
use super::studies::StudiesCommand;
use super::studies::thumbnails::Thumbnails;
use super::theme;
use super::trace::Trace;
use super::train::TrainCommand;
use super::train::launcher::Launcher;
use super::worker::{Loader, LoaderEvent, PictureCache, Wake};

/// The window.
pub struct ViewerApp {
    state: ViewerState,
    services: Services,
    canvas: Option<Canvas>,
    commands: Vec<Command>,
    trace: Option<Trace>,
}

/// Height of the tag viewer until it is dragged, in ui points.
const TAGS_HEIGHT: f32 = 300.0;

impl ViewerApp {
    /// Builds the window's content and opens `paths`; what lasts is in `kept`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(
        creation: &eframe::CreationContext<'_>,
        analyser: impl FnOnce(Wake) -> Box<dyn Analyser>,
        launcher: Box<dyn Launcher>,
        models: ModelSource,
        kept: Kept,
        paths: Vec<PathBuf>,
    ) -> std::io::Result<Self> {
        let ctx = creation.egui_ctx.clone();
        theme::install(&ctx);
        let waking = ctx.clone();
        let wake: Wake = Arc::new(move || waking.request_repaint());
        let canvas = creation.wgpu_render_state.as_ref().map(Canvas::new);
        let mut services = Services {
            loader: Loader::start(&wake)?,
            cache: PictureCache::default(),
            analyser: analyser(Arc::clone(&wake)),
            errands: Errands::new(Arc::clone(&wake)),
            thumbnails: Thumbnails::start(kept.library.clone(), Arc::clone(&wake))?,
            dialogs: Dialogs::new(wake),
            models,
            kept,
            launcher,
            run: None,
            trial: None,
            pace: Pace::new(
                creation.wgpu_render_state.as_ref().is_some_and(render::is_in_software),
                Instant::now(),
            ),
            ctx,
            largest_side: canvas.as_ref().map_or(u32::MAX, Canvas::largest_side),
        };
        // A window without pictures shows the studies of the last one.
        let load = StudiesCommand::Load(paths.is_empty());
        let commands = vec![Command::Studies(load), Command::Open(paths)];
        let mut state = ViewerState::default();
        recall_calibrations(&mut state, &mut services.kept.calibrations);
        Ok(Self {
            state,
            services,
            canvas,
            commands,
            trace: Trace::asked(),
        })
    }

    /// What the window shows.
    pub fn state(&self) -> &ViewerState {
        &self.state
    }

    /// Queues a command, as a menu would.
    pub fn send(&mut self, command: Command) {
        self.commands.push(command);
        self.services.ctx.request_repaint();
    }

    fn apply_all(&mut self) {
        // A handler may be slow to see itself in the queue again: commands sent meanwhile wait for the next round.
        for command in std::mem::take(&mut self.commands) {
            apply(&mut self.state, &mut self.services, command);
        }
        follow(&mut self.state, &mut self.services);
    }

    fn hear_workers(&mut self) {
        while let Some(event) = self.services.loader.try_recv() {
            self.commands.push(match event {
                LoaderEvent::Listed(request, listing) => Command::Listed(request, listing),
                LoaderEvent::Decoded(key, result) => Command::Decoded(key, result),
                LoaderEvent::Overlay(overlay) => Command::Overlay(overlay),
            });
        }
        while let Some(made) = self.services.thumbnails.try_recv() {
            let made = StudiesCommand::Thumbnail(Box::new(made));
            self.commands.push(Command::Studies(made));
        }
        while let Some(event) = self.services.analyser.try_recv() {
            self.commands.push(Command::Engine(event));
        }
        if let Some((purpose, chosen)) = self.services.dialogs.try_recv() {
            self.commands.push(Command::Chosen(purpose, chosen));
        }
        while let Some(report) = self.services.errands.try_recv() {
            self.commands.push(Command::Errand(report));
        }
        while let Some(line) = self.services.run.as_mut().and_then(|run| run.next()) {
            self.commands.push(Command::Train(TrainCommand::Event(Box::new(line))));
        }
        while let Some(line) = self.services.trial.as_mut().and_then(|trial| trial.next()) {
            self.commands
                .push(Command::Train(TrainCommand::Estimated(Box::new(line))));
        }
    }

    fn zones(&mut self, ui: &mut Ui) {
        let Self { state, commands, .. } = self;
        let frame = theme::bar_frame();
        Panel::top("menu")
            .frame(frame)
            .show(ui, |ui| menu_bar::ui(ui, state, commands));
        let status = Panel::bottom("status").frame(frame).exact_size(theme::STATUS_HEIGHT);
        status.show(ui, |ui| status_bar::ui(ui, state));
        if let Some(text) = &state.notice {
            Panel::top("notice")
                .frame(frame)
                .show(ui, |ui| notice::ui(ui, text, commands));
        }
        match state.workspace {
            Workspace::Read => self.read(ui),
            Workspace::Train => train::ui(ui, state, commands),
            Workspace::Results => results::ui(ui, state, commands),
        }
    }

    fn read(&mut self, ui: &mut Ui) {
        let Self { state, commands, .. } = self;
        if state.studies.shown {
            let panel = Panel::left("studies").frame(theme::panel_frame()).resizable(true);
            panel
                .default_size(theme::STUDIES_WIDTH)
                .size_range(theme::IMAGE_LIST_WIDTH..=2.0 * theme::STUDIES_WIDTH)
                .show(ui, |ui| studies::ui(ui, state, commands));
        }
        if state.list.entries.is_empty() {
            CentralPanel::no_frame().show(ui, |ui| {
                ui.painter().rect_filled(ui.max_rect(), 0.0, theme::VIEWPORT);
                empty::ui(ui, state, commands);
            });
            return;
        }
        if state.layout.image_list && !state.studies.shown {
            let panel = Panel::left("images").frame(theme::panel_frame()).resizable(false);
            panel
                .exact_size(theme::IMAGE_LIST_WIDTH)
                .show(ui, |ui| image_list::ui(ui, state, commands));
        }
        if state.deidentify.open {
            let panel = Panel::right("deidentify").frame(theme::panel_frame()).resizable(false);
            panel
                .exact_size(theme::STEPS_WIDTH)
                .show(ui, |ui| deidentify::ui(ui, state, commands));
        } else if state.layout.findings {
            let panel = Panel::right("findings").frame(theme::panel_frame()).resizable(false);
            panel
                .exact_size(theme::FINDINGS_WIDTH)
                .show(ui, |ui| findings::ui(ui, state, commands));
        }
        if state.tags.open {
            let panel = Panel::bottom("tags").frame(theme::panel_frame()).resizable(true);
            panel
                .default_size(TAGS_HEIGHT)
                .min_size(TAGS_HEIGHT / 2.0)
                .show(ui, |ui| tags::ui(ui, state, commands));
        }
        CentralPanel::no_frame().show(ui, |ui| self.viewport(ui));
    }

    fn viewport(&mut self, ui: &mut Ui) {
        viewport::input(ui, &self.state, &mut self.commands);
        // Applied at once: what is drawn below already follows the mouse. The bars follow in the next frame.
        if !self.commands.is_empty() {
            ui.ctx().request_repaint();
        }
        self.apply_all();
        viewport::paint(ui, &self.state, self.canvas.as_mut());
        viewport::message(ui, &self.state, &mut self.commands);
    }

    fn dialogs(&mut self, ui: &Ui) {
        let Self { state, commands, .. } = self;
        match &state.dialog {
            Some(Dialog::OpenPath { reason }) => open_path::ui(ui, reason.as_deref(), commands),
            Some(Dialog::StudiesPath { reason }) => open_path::studies_ui(ui, reason, commands),
            Some(Dialog::About) => about::ui(ui, commands),
            Some(Dialog::Shortcuts) => shortcuts::ui(ui, commands),
            Some(Dialog::Calibrate) => calibrate::ui(ui, state, commands),
            Some(Dialog::DeleteRun) => results::delete::ui(ui, state, commands),
            Some(Dialog::CloseDuringRun) => train::close::ui(ui, state, commands),
            None => open_path::closed(ui),
        }
        if state.drop_hover {
            empty::drop_hint(ui);
        }
    }
}

impl eframe::App for ViewerApp {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        if let Some(trace) = &mut self.trace {
            trace.begin(Instant::now());
        }
        let waits = self.state.train.session.asked.is_some();
        let is_touched = ctx.input(|input| !input.events.is_empty());
        self.services.pace.frame(is_touched, waits, Instant::now());
        self.hear_workers();
        if ctx.input(|input| input.viewport().close_requested()) {
            self.commands.push(Command::CloseAsked);
        }
        keyboard::read(ctx, &self.state, &mut self.commands);
        self.apply_all();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.zones(ui);
        self.dialogs(ui);
        if let Some(trace) = &mut self.trace {
            trace.frame(&self.state, self.canvas.as_ref(), ui.ctx());
        }
        if !self.commands.is_empty() {
            // Applied by `logic` of the next frame.
            ui.ctx().request_repaint();
        }
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        theme::cleared(self.canvas.as_ref().is_some_and(Canvas::wants_linear))
    }

    fn persist_egui_memory(&self) -> bool {
        false
    }
}

/// Takes up the calibrations of earlier windows. A file that cannot be read is not written to either.
fn recall_calibrations(state: &mut ViewerState, kept: &mut Option<PathBuf>) {
    let Some(path) = kept.take() else { return };
    match Calibrations::read(&path) {
        Ok(read) => {
            state.ruler.calibrations = read;
            *kept = Some(path);
        }
        Err(error) => {
            state.notice = Some(format!(
                "{}: earlier calibrations cannot be read: {error}. New ones last until this window is closed; move \
                 the file away to begin anew.",
                path.display()
            ));
        }
    }
}
