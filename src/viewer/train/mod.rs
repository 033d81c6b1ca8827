//! The workspace 'Train' as data: three steps (data, model, run), and the charts beside them. Changed by `apply` alone.

pub mod asked;
pub mod batch_tiles;
pub mod checked;
pub mod dataset;
pub mod form;
pub mod launcher;
pub mod series;
pub mod session;
pub mod settings;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use egui::TextureHandle;

use super::errands::Pending;
use crate::training::check::gate::OnLeakage;
use crate::training::event::{Estimate, Line};
use crate::training::recipe::Recipe;
use crate::training::start_weights::{ImportedEncoder, StartWeights};
use crate::training::{BackboneKind, Task};
use batch_tiles::BatchTiles;
use dataset::{DataState, Parting};
use form::{Form, Initial, Priority, Text};
use session::Session;
use watch::WatchedEpoch;

/// The steps to a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Step {
    /// Folders, what they hold, what is wrong with them.
    #[default]
    Data,
    /// Network, initial weights, settings, device.
    Model,
    /// Start, pause, stop, progress.
    Run,
}

impl Step {
    /// In their order.
    pub const ALL: [Self; 3] = [Self::Data, Self::Model, Self::Run];

    /// Number and name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Data => "1  Data",
            Self::Model => "2  Model",
            Self::Run => "3  Train",
        }
    }
}

/// What stands below the charts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Lower {
    /// Images of the watch-list after every epoch.
    #[default]
    Watch,
    /// The next batch as the network will see it.
    Batch,
}

/// What the second chart draws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Second {
    /// Metrics of the validation part.
    #[default]
    Metrics,
    /// In-lung activation of the watch-list.
    InLung,
    /// Learning rate.
    Rate,
    /// Norm of the gradient.
    Gradient,
    /// Images per second.
    Speed,
}

impl Second {
    /// In the order of the menu.
    pub const ALL: [Self; 5] = [Self::Metrics, Self::InLung, Self::Rate, Self::Gradient, Self::Speed];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Metrics => "Validation metrics",
            Self::InLung => "In-lung activation",
            Self::Rate => "Learning rate",
            Self::Gradient => "Gradient norm",
            Self::Speed => "Images per second",
        }
    }
}

/// How the charts are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartSettings {
    /// The loss over epochs instead of batches.
    pub per_epoch: bool,
    /// The loss on a logarithmic axis.
    pub log: bool,
    /// Weight of the exponential mean over batches, 0 to 0.99.
    pub smoothing: f64,
    /// What the second chart draws.
    pub second: Second,
}

impl Default for ChartSettings {
    fn default() -> Self {
        Self {
            per_epoch: false,
            log: false,
            smoothing: 0.9,
            second: Second::Metrics,
        }
    }
}

/// The workspace's state.
#[derive(Default)]
pub struct TrainState {
    /// The step that is open.
    pub step: Step,
    /// Where the data lie.
    pub data: DataState,
    /// What is to be trained.
    pub form: Form,
    /// The run.
    pub session: Session,
    /// What an interrupted run wrote down, while it is read.
    pub earlier: Pending<Session>,
    /// How the charts are drawn.
    pub charts: ChartSettings,
    /// What stands below them.
    pub lower: Lower,
    /// What the file of initial weights is.
    pub start: Pending<StartWeights>,
    /// Weights of the segmenter that the viewer offers, once they were looked for.
    pub installed_segmenter: Option<PathBuf>,
    /// An encoder trained elsewhere, while it is imported.
    pub import: Pending<ImportedEncoder>,
    /// What the run would take.
    pub estimate: Estimating,
    /// The next batch, while it is made.
    pub preview: Pending<BatchTiles>,
    /// The batch that is drawn, with a picture a tile.
    pub batch: Option<(Arc<BatchTiles>, Vec<TextureHandle>)>,
    /// The watch-list.
    pub watch: WatchView,
    /// The window is to be closed when the run has ended.
    pub closing: bool,
}

/// What a run would take, measured by a few steps in a process.
#[derive(Debug, Default)]
pub enum Estimating {
    /// Not asked for.
    #[default]
    Nothing,
    /// Under way since then.
    Running(Instant),
    /// Measured.
    Done(Box<Estimate>),
    /// Not measured, for a reason in a sentence.
    Failed(String),
}

impl Estimating {
    /// Whether a process is at work.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Running(_))
    }
}

/// Which epoch of the watch-list is looked at.
#[derive(Default)]
pub struct WatchView {
    /// The epoch that was chosen; `None` follows the latest.
    pub at: Option<usize>,
    /// The epoch on the screen; it stays until the next one is read.
    pub shown: Option<Arc<WatchedEpoch>>,
    /// Its pictures, one a tile; `None` where a file could not be read.
    pub textures: Vec<Option<TextureHandle>>,
    /// The epoch that is being read.
    pub reading: Pending<WatchedEpoch>,
}

impl TrainState {
    /// What keeps the run from being started, in a sentence.
    pub fn problem(&self) -> Option<String> {
        // A run that is gone on with knows its data.
        let of_data = if self.form.resume { None } else { self.data.problem() };
        of_data.or_else(|| self.form.problem())
    }

    /// Counts in the table of the data what the form's settings make of the training part.
    pub fn count_augmented(&mut self) {
        if let Pending::Done(overview) = &mut self.data.overview {
            Arc::make_mut(overview).augment(&self.form.config);
        }
    }
}

/// A change in the workspace.
#[derive(Debug, Clone)]
pub enum TrainCommand {
    /// Open a step.
    Open(Step),
    /// Type the path of a data folder.
    Folder(usize, String),
    /// See what the data folders hold.
    Look,
    /// Take and part the data otherwise.
    Part(Parting),
    /// What a run does where something is in two parts.
    OnLeakage(Option<OnLeakage>),
    /// Type where the report of the check is to lie.
    ReportFile(String),
    /// One more data folder.
    AddFolder,
    /// One data folder less.
    RemoveFolder(usize),
    /// Another network or recipe.
    Choose(Task, BackboneKind, Recipe),
    /// Type a setting.
    Set(&'static str, String),
    /// Type a text that is no setting.
    Type(Text, String),
    /// Begin elsewhere.
    Begin(Initial),
    /// See what the file of initial weights is.
    LookAtStart,
    /// Share the machine otherwise.
    Priority(Priority),
    /// Fold or unfold the settings.
    Unfold(bool),
    /// Go on with the run in the folder, or not.
    Resume(bool),
    /// The run says something.
    Event(Box<Line>),
    /// The process that measures some steps says something.
    Estimated(Box<Line>),
    /// Draw the charts otherwise.
    Charts(ChartSettings),
    /// Show something else below them.
    Lower(Lower),
    /// Look at an epoch of the watch-list; `None` follows the latest.
    Watch(Option<usize>),
    /// A folder was chosen in the system's dialog, or dropped.
    DataFolder(PathBuf),
    /// What becomes of the run when the window closes.
    Close(OnClose),
}

/// What becomes of a run when the window closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnClose {
    /// It is stopped after the batch under way and can be resumed.
    Stop,
    /// It goes on by itself.
    Leave,
    /// The window stays.
    Stay,
}
