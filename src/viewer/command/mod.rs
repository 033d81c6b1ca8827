//! Everything the user can do, once: menus, keyboard and buttons read this table and send what it names.

mod conditions;
mod deidentify_table;
mod geometry_table;
mod graphics_table;
mod results_table;
mod studies_table;
mod table;
mod tags_table;
mod training_table;

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Key, KeyboardShortcut, Pos2, Vec2};

use super::deidentify::DeidentifyCommand;
use super::dialogs::{Chosen, Purpose};
use super::errands::Report;
use super::listing::Listing;
use super::overlays::{OverlayPixels, OverlaySettings};
use super::picture::{Picture, PictureKey};
use super::results::ResultsCommand;
use super::ruler::RulerCommand;
use super::state::{Dialog, ViewerState, Workspace};
use super::studies::StudiesCommand;
use super::tags::TagsCommand;
use super::tools::Tool;
use super::train::TrainCommand;
use super::viewport::Screen;
use crate::inference::engine::Event;

/// Every action, in the order of the menus.
pub const ACTIONS: &[ActionInfo] = &JOINED;

const PARTS: &[&[ActionInfo]] = &[
    table::ACTIONS,
    geometry_table::ACTIONS,
    graphics_table::ACTIONS,
    studies_table::ACTIONS,
    tags_table::ACTIONS,
    deidentify_table::ACTIONS,
    training_table::ACTIONS,
    results_table::ACTIONS,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

const JOINED: [ActionInfo; COUNT] = {
    let mut joined = [table::PLAIN; COUNT];
    let (mut part, mut first, mut at) = (0, 0, 0);
    while at < joined.len() {
        if at - first == PARTS[part].len() {
            first = at;
            part += 1;
        } else {
            joined[at] = PARTS[part][at - first];
            at += 1;
        }
    }
    joined
};

/// Group of the menu 'View' with what is there in every workspace.
const WINDOW_GROUP: u8 = 4;

/// A change of the window's state; `apply` alone carries it out.
#[derive(Debug, Clone)]
pub enum Command {
    /// Something from the table below.
    Do(Action),
    /// Open files or folders.
    Open(Vec<PathBuf>),
    /// Show a picture of the list.
    Select(usize),
    /// Step through the list by so many pictures.
    Step(isize),
    /// Rows of the list that can be seen.
    RowsInSight(std::ops::Range<usize>),
    /// The viewport lies elsewhere.
    Screen(Screen),
    /// The cursor is over the viewport, or not.
    Pointer(Option<Pos2>),
    /// The key for the bare picture is held, or not.
    Bare(bool),
    /// Files are dragged over the window, or not.
    DropHover(bool),
    /// Window/level was dragged by so many ui points.
    DragWindow(Vec2),
    /// The picture was dragged by so many ui points.
    DragPicture(Vec2),
    /// Zoom by a factor about a ui position.
    Zoom {
        /// Above 1 is larger.
        factor: f64,
        /// What stays where it is.
        anchor: Pos2,
    },
    /// The overlays are shown otherwise.
    Overlays(OverlaySettings),
    /// Open or close a dialog of our own.
    Dialog(Option<Dialog>),
    /// The notice was read.
    DismissNotice,
    /// Put a text on the clipboard.
    Copy(String),
    /// Fold or unfold the model card.
    ToggleCard,
    /// A worker looked through paths.
    Listed(u64, Listing),
    /// A worker decoded a picture, or could not.
    Decoded(PictureKey, Result<Arc<Picture>, String>),
    /// A worker made overlays ready.
    Overlay(Arc<OverlayPixels>),
    /// The engine says something.
    Engine(Event),
    /// The system's file dialog ended.
    Chosen(Purpose, Chosen),
    /// A length on the picture.
    Ruler(RulerCommand),
    /// Something in the studies panel.
    Studies(StudiesCommand),
    /// Something in the workspace 'Train'.
    Train(TrainCommand),
    /// Something in the workspace 'Results'.
    Results(ResultsCommand),
    /// Something in the panel 'De-identify'.
    Deidentify(DeidentifyCommand),
    /// Something in the tag viewer.
    Tags(TagsCommand),
    /// Work in the background came further or ended.
    Errand(Report),
    /// The user wants to close the window.
    CloseAsked,
}

/// What menus, keys and buttons offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Choose files.
    OpenFiles,
    /// Choose a folder.
    OpenFolder,
    /// Type a path.
    OpenPath,
    /// Show the synthetic phantom.
    OpenSample,
    /// Choose a folder of studies.
    OpenStudies,
    /// Choose a DICOMDIR.
    OpenDirectory,
    /// Look through the listed folder or DICOMDIR once more.
    RescanStudies,
    /// Stop looking through files.
    CancelIndex,
    /// Take the listed folder out of the index.
    ForgetStudies,
    /// Studies on or off.
    ToggleStudies,
    /// Type words that a study must hold.
    FilterStudies,
    /// Empty the list.
    CloseAll,
    /// End the program.
    Quit,
    /// One picture back.
    PreviousImage,
    /// One picture on.
    NextImage,
    /// First picture of the list.
    FirstImage,
    /// Last picture of the list.
    LastImage,
    /// One frame back.
    PreviousFrame,
    /// One frame on.
    NextFrame,
    /// The whole picture.
    Fit,
    /// One image pixel on one screen pixel.
    OneToOne,
    /// Larger.
    ZoomIn,
    /// Smaller.
    ZoomOut,
    /// Move the picture.
    Pan(Direction),
    /// Change the window.
    Window(WindowStep),
    /// Go to a workspace.
    Show(Workspace),
    /// Exchange black and white.
    Invert,
    /// Window and placement as opened.
    Reset,
    /// A preset of the picture, 0 = automatic.
    Preset(u8),
    /// A quarter clockwise.
    TurnRight,
    /// A quarter counter-clockwise.
    TurnLeft,
    /// Exchange left and right.
    FlipAcross,
    /// Exchange top and bottom.
    FlipDown,
    /// Take all lengths off the picture.
    RemoveRulers,
    /// Say how long the last ruler is.
    Calibrate,
    /// Back to the file's spacing.
    ForgetCalibration,
    /// Choose what a left drag does.
    Use(Tool),
    /// Lung mask on or off.
    ToggleMask,
    /// Activation map on or off.
    ToggleMap,
    /// Overlay planes of the file on or off.
    ToggleOverlayPlanes,
    /// Shutter of the file on or off.
    ToggleShutter,
    /// Predict this picture again.
    Analyse,
    /// Stop the prediction.
    CancelAnalysis,
    /// Image list on or off.
    ToggleImageList,
    /// Findings on or off.
    ToggleFindings,
    /// Texts on the picture: all, scales, none.
    CycleAnnotations,
    /// Patient's name on the picture or not.
    ToggleIdentity,
    /// Whole screen or not.
    ToggleFullScreen,
    /// Tags of the file on or off.
    ToggleTags,
    /// Compare tags with this file's, or no more.
    CompareTags,
    /// Keys and mouse.
    Shortcuts,
    /// What this program is.
    About,
    /// The panel that de-identifies, on or off.
    Deidentify,
    /// Show what a file would become.
    PreviewDeidentification,
    /// Draw a rectangle to be masked, or do not.
    AddMask,
    /// Choose the folder of de-identified files.
    ChooseDeidentifiedFolder,
    /// Write de-identified files.
    StartDeidentification,
    /// End that.
    CancelDeidentification,
    /// Choose a data folder.
    ChooseData,
    /// Make an encoder trained elsewhere initial weights.
    ImportEncoder,
    /// Read every image of the data.
    CheckData,
    /// End the check.
    CancelCheck,
    /// Write the report of the check to a file.
    SaveCheck,
    /// Measure time and memory by a few steps.
    Estimate,
    /// End the estimate.
    CancelEstimate,
    /// Draw the next batch as the network will see it.
    PreviewBatch,
    /// Begin the run.
    StartRun,
    /// Let the run wait.
    PauseRun,
    /// Let a waiting run go on.
    ContinueRun,
    /// End the run after the batch under way.
    StopAfterBatch,
    /// End the run after the epoch under way.
    StopAfterEpoch,
    /// Look through the folder of runs once more.
    ReadRuns,
    /// Go on with the chosen run.
    ResumeRun,
    /// Measure the chosen run's best weights.
    EvaluateRun,
    /// Find out whether they need the lungs.
    AuditRun,
    /// End the evaluation or audit.
    CancelWork,
    /// Write the evaluation's figures.
    ExportEvaluation,
    /// Write the audit's figures.
    ExportAudit,
    /// Put the chosen run's best weights into the model list.
    PromoteRun,
    /// Move the chosen run to the trash, after asking.
    DeleteRun,
}

/// Where the picture moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// How the window changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowStep {
    /// Less contrast.
    Wider,
    /// More contrast.
    Narrower,
    /// Lower centre of a picture with normal polarity.
    Brighter,
    /// Higher centre of a picture with normal polarity.
    Darker,
}

/// Where a command stands in the menu bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// Opening and closing.
    File,
    /// The picture.
    Image,
    /// The window.
    View,
    /// Predictions.
    Prediction,
    /// Training.
    Training,
    /// Help.
    Help,
}

impl Menu {
    /// In the order of the menu bar.
    pub const ALL: [Self; 6] = [
        Self::File,
        Self::Image,
        Self::View,
        Self::Prediction,
        Self::Training,
        Self::Help,
    ];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Image => "Image",
            Self::View => "View",
            Self::Prediction => "Prediction",
            Self::Training => "Training",
            Self::Help => "Help",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy)]
pub struct ActionInfo {
    /// What it does.
    pub action: Action,
    /// Menu, and the group in it.
    pub menu: (Menu, u8),
    /// Text of menu and button.
    pub text: &'static str,
    /// Its text where the state makes something else of it.
    pub text_now: Option<fn(&ViewerState) -> Option<&'static str>>,
    /// One sentence more.
    pub tooltip: &'static str,
    /// Keys; the first is the one that is shown.
    pub shortcuts: &'static [KeyboardShortcut],
    /// Whether holding the key repeats it.
    pub repeats: bool,
    /// Whether it can be done now.
    pub enabled: fn(&ViewerState) -> bool,
    /// Whether it is on, for what is on or off.
    pub checked: Option<fn(&ViewerState) -> bool>,
}

impl ActionInfo {
    /// Whether it can be done now: it belongs to the workspace in sight, and there is something to do it with.
    pub fn can(&self, state: &ViewerState) -> bool {
        self.belongs_to(state.workspace) && (self.enabled)(state)
    }

    /// Text of menu and button now.
    pub fn text_in(&self, state: &ViewerState) -> &'static str {
        let now = self.text_now.and_then(|text_now| text_now(state));
        now.unwrap_or(self.text)
    }

    /// What concerns pictures is there in 'Read' only.
    fn belongs_to(&self, workspace: Workspace) -> bool {
        match self.menu.0 {
            Menu::Image | Menu::Prediction => workspace == Workspace::Read,
            Menu::View => workspace == Workspace::Read || self.menu.1 == WINDOW_GROUP,
            Menu::File | Menu::Training | Menu::Help => true,
        }
    }
}

/// The key that shows the bare picture while it is held.
pub const BARE_KEY: Key = Key::X;

impl Action {
    /// Its line of the table.
    ///
    /// # Panics
    /// If the table has no such action, which a test rules out.
    pub fn info(self) -> &'static ActionInfo {
        ACTIONS
            .iter()
            .find(|info| info.action == self)
            .expect("every action has a line in the table")
    }
}
