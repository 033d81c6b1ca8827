//! The workspace 'Results' as data: the runs in a folder, what one of them can do, two of them side by side, and the
//! models that the viewer offers. Changed by `apply` alone.

pub mod evaluated;
pub mod models;
pub mod rows;
pub mod segmented;
pub mod threshold;
pub mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::errands::Pending;
use crate::inference::models::ClassifierName;
use crate::training::audit::Audit;
use crate::training::evaluation::Subject;
use crate::training::request::Request;
use crate::training::runs::promotion::Standing;
use crate::training::runs::{Comparison, Run};
use evaluated::{Cell, CellFiles, Evaluated, Found};
use models::ModelList;
use rows::Column;
use threshold::Taken;

/// What stands below the table of runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Settings, curves, notes.
    #[default]
    Run,
    /// Confusion matrix, curves, threshold, strata.
    Evaluation,
    /// Whether it needs the lungs.
    Audit,
    /// Two runs side by side.
    Compare,
    /// What the viewer offers.
    Models,
}

impl Tab {
    /// In the order of the bar.
    pub const ALL: [Self; 5] = [Self::Run, Self::Evaluation, Self::Audit, Self::Compare, Self::Models];

    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::Evaluation => "Evaluation",
            Self::Audit => "Shortcut audit",
            Self::Compare => "Compare two",
            Self::Models => "Installed models",
        }
    }
}

/// Parts of the data that a model is evaluated on, in the order of the menu.
pub const SPLITS: [&str; 4] = ["test", "val", "train", "all"];

/// The workspace's state.
pub struct ResultsState {
    /// Folder that runs are looked for in, as it is typed.
    pub root: String,
    /// The runs there; the former ones stay until they are read again.
    pub runs: Arc<Vec<Run>>,
    /// They are being read.
    pub reading: Pending<Vec<Run>>,
    /// What belongs to the chosen run is read again after them.
    pub reread: bool,
    /// Column that they are sorted by, and whether its largest value comes first.
    pub sort: (Column, bool),
    /// The run that is looked at.
    pub selected: Option<PathBuf>,
    /// The run beside it.
    pub second: Option<PathBuf>,
    /// What stands below.
    pub tab: Tab,
    /// Notes of the selected run, as they are typed.
    pub notes: String,
    /// Data folder for evaluations and audits of the selected run, as it is typed.
    pub data: String,
    /// Data folders that were typed, by the run that they were typed for.
    pub typed_data: BTreeMap<PathBuf, String>,
    /// Part of the data that is looked at.
    pub split: &'static str,
    /// The selected run's evaluation on it.
    pub evaluation: Pending<Found>,
    /// An evaluation or audit under way.
    pub working: Pending<()>,
    /// What it is, and the folder of the run that it is of.
    pub work: (Work, PathBuf),
    /// Threshold of the slider.
    pub threshold: f64,
    /// What it was chosen on: another evaluation begins at its card's.
    pub threshold_of: Option<Subject>,
    /// The selected run's audit; `None` inside where it was not audited.
    pub audit: Pending<Option<Audit>>,
    /// Whether it may be promoted.
    pub standing: Pending<Standing>,
    /// Reason for promoting it against a red light, as it is typed.
    pub reason: String,
    /// Changes of the model list and the disk: promotion, roll back, deletion, notes, export; a sentence when done.
    pub change: Pending<String>,
    /// The change is one of the model list.
    pub changes_models: bool,
    /// Files of a cell of the confusion matrix, while they are looked up.
    pub cell: Pending<CellFiles>,
    /// What the selected run was asked for, while it is read to be made once more.
    pub repeat: Pending<Request>,
    /// Both runs side by side.
    pub comparison: Pending<Comparison>,
    /// The models that the viewer offers.
    pub models: Pending<ModelList>,
}

/// What is computed in the background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Work {
    /// An evaluation.
    #[default]
    Evaluation,
    /// An audit.
    Audit,
}

impl Work {
    /// What is done to a run, in a word.
    pub fn words(self) -> &'static str {
        match self {
            Self::Evaluation => "Evaluating",
            Self::Audit => "Auditing",
        }
    }
}

impl Default for ResultsState {
    fn default() -> Self {
        Self {
            root: String::new(),
            runs: Arc::default(),
            reading: Pending::default(),
            reread: false,
            sort: (Column::Changed, true),
            selected: None,
            second: None,
            tab: Tab::default(),
            notes: String::new(),
            data: String::new(),
            typed_data: BTreeMap::new(),
            split: SPLITS[0],
            evaluation: Pending::default(),
            working: Pending::default(),
            work: Default::default(),
            threshold: 0.5,
            threshold_of: None,
            audit: Pending::default(),
            standing: Pending::default(),
            reason: String::new(),
            change: Pending::default(),
            changes_models: false,
            cell: Pending::default(),
            repeat: Pending::default(),
            comparison: Pending::default(),
            models: Pending::default(),
        }
    }
}

impl ResultsState {
    /// The run that is looked at.
    pub fn run(&self) -> Option<&Run> {
        self.by_folder(self.selected.as_deref()?)
    }

    /// The run beside it.
    pub fn other(&self) -> Option<&Run> {
        self.by_folder(self.second.as_deref()?)
    }

    /// Takes the data folder that is typed, for the selected run alone.
    pub fn type_data(&mut self, folder: String) {
        if let Some(run) = &self.selected {
            if folder.trim().is_empty() {
                self.typed_data.remove(run);
            } else {
                self.typed_data.insert(run.clone(), folder.clone());
            }
        }
        self.data = folder;
    }

    /// The data folder of the selected run: what was typed for it, else its own; `None` where nobody knows one.
    pub fn own_data(&self) -> Option<String> {
        let run = self.run()?;
        let typed = self.typed_data.get(&run.folder).cloned();
        typed.or_else(|| run.data.as_ref().map(|data| data.display().to_string()))
    }

    /// Whether this is under way for the run that is looked at.
    pub fn is_at(&self, work: Work) -> bool {
        let (kind, run) = &self.work;
        self.working.running().is_some() && *kind == work && self.selected.as_ref() == Some(run)
    }

    fn by_folder(&self, folder: &Path) -> Option<&Run> {
        self.runs.iter().find(|run| run.folder == folder)
    }

    /// The evaluation on the screen, if it is a classifier's.
    pub fn evaluated(&self) -> Option<&Evaluated> {
        match self.evaluation.done().map(AsRef::as_ref) {
            Some(Found::Classifier(evaluated)) => Some(evaluated),
            _ => None,
        }
    }

    /// Whether the evaluation on the screen holds anything to draw.
    pub fn has_figures(&self) -> bool {
        match self.evaluation.done().map(AsRef::as_ref) {
            Some(Found::Classifier(_)) => true,
            Some(Found::Segmenter { report, .. }) => !report.masks.is_empty(),
            Some(Found::Nothing) | None => false,
        }
    }

    /// What a promotion makes of the slider's threshold.
    pub fn taken(&self) -> Taken {
        let evaluated = self.evaluated();
        evaluated.map_or(Taken::Card, |evaluated| Taken::of(evaluated, self.threshold))
    }
}

/// A change in the workspace.
#[derive(Debug, Clone)]
pub enum ResultsCommand {
    /// Type the folder of runs.
    Root(String),
    /// Read the runs again.
    Refresh,
    /// Sort by a column; a second time the other way round.
    Sort(Column),
    /// Look at a run.
    Select(PathBuf),
    /// Put a run beside it, or none.
    Second(Option<PathBuf>),
    /// Show something else below.
    Tab(Tab),
    /// Type the notes.
    Notes(String),
    /// Keep the notes.
    KeepNotes,
    /// Type the data folder.
    Data(String),
    /// Look at another part of the data.
    Split(&'static str),
    /// Move the threshold.
    Threshold(f64),
    /// Open the images of a cell of the confusion matrix.
    OpenCell(Cell),
    /// Fill the form of 'Train' with what the chosen run was asked for.
    Repeat,
    /// Move the chosen run to the trash.
    Delete,
    /// Type the reason for a promotion.
    Reason(String),
    /// Go back to another version of a model, by its hash; `None` for the one before.
    RollBack(String, Option<String>),
    /// Predict with another installed model.
    Use(ClassifierName),
}
