//! Everything the user can do, once: menus, keyboard and buttons read this table and send what it names.

mod table;

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Key, KeyboardShortcut, Pos2, Vec2};

use super::dialogs::Chosen;
use super::listing::Listing;
use super::overlays::{OverlayPixels, OverlaySettings};
use super::picture::{Picture, PictureKey};
use super::state::{Dialog, ViewerState};
use super::tools::Tool;
use super::viewport::Screen;
use crate::inference::engine::Event;

pub use table::ACTIONS;

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
    Chosen(Chosen),
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
    /// Exchange black and white.
    Invert,
    /// Window and placement as opened.
    Reset,
    /// A preset of the picture, 0 = automatic.
    Preset(u8),
    /// Choose what a left drag does.
    Use(Tool),
    /// Lung mask on or off.
    ToggleMask,
    /// Activation map on or off.
    ToggleMap,
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
    /// Keys and mouse.
    Shortcuts,
    /// What this program is.
    About,
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
    Results,
    /// Help.
    Help,
}

impl Menu {
    /// In the order of the menu bar.
    pub const ALL: [Self; 5] = [Self::File, Self::Image, Self::View, Self::Results, Self::Help];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Image => "Image",
            Self::View => "View",
            Self::Results => "Results",
            Self::Help => "Help",
        }
    }
}

/// One line of the table.
pub struct ActionInfo {
    /// What it does.
    pub action: Action,
    /// Menu, and the group in it.
    pub menu: (Menu, u8),
    /// Text of menu and button.
    pub text: &'static str,
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
