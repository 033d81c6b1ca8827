//! Everything the window shows, as data. Changed by `apply` alone; panels read it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use egui::{Pos2, TextureHandle};

use crate::findings::Findings;
use crate::imaging::{PixelSpacing, VoiTransform};

use super::analysis::{Analysis, EngineStatus};
use super::deidentify::DeidentifyState;
use super::overlays::file_graphics::GraphicsSettings;
use super::overlays::{OverlayPixels, OverlaySettings};
use super::picture::{Picture, PictureKey, Preset};
use super::results::ResultsState;
use super::ruler::{Line, RulerState};
use super::studies::StudiesState;
use super::tags::TagsState;
use super::tools::Tool;
use super::train::TrainState;
use super::turn::Turn;
use super::viewport::{ImageTransform, PictureShape, Placement, Screen};

/// What the window is used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Workspace {
    /// Pictures and what was found on them.
    #[default]
    Read,
    /// Data, network and a run.
    Train,
    /// Runs that are done.
    Results,
}

impl Workspace {
    /// In the order of the bar.
    pub const ALL: [Self; 3] = [Self::Read, Self::Train, Self::Results];

    /// Its name in the bar.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Train => "Train",
            Self::Results => "Results",
        }
    }
}

/// The window's state.
#[derive(Default)]
pub struct ViewerState {
    /// What it is used for now.
    pub workspace: Workspace,
    /// The workspace 'Train'.
    pub train: TrainState,
    /// The workspace 'Results'.
    pub results: ResultsState,
    /// The tag viewer.
    pub tags: TagsState,
    /// Lengths and calibrations.
    pub ruler: RulerState,
    /// The panel 'De-identify'.
    pub deidentify: DeidentifyState,
    /// The studies that were indexed.
    pub studies: StudiesState,
    /// The pictures that can be stepped through.
    pub list: ImageList,
    /// The picture on the screen.
    pub shown: Option<Shown>,
    /// Its prediction.
    pub analysis: Analysis,
    /// The models.
    pub engine: EngineStatus,
    /// How overlays are shown.
    pub overlays: OverlaySettings,
    /// Whether what a file draws on its picture is shown.
    pub graphics: GraphicsSettings,
    /// What is folded, hidden or open.
    pub layout: Layout,
    /// What a left drag does.
    pub tool: Tool,
    /// Where the picture is drawn.
    pub screen: Screen,
    /// Cursor over the viewport, in ui points.
    pub pointer: Option<Pos2>,
    /// The key that shows the bare picture is held.
    pub bare: bool,
    /// The window takes the whole screen.
    pub full_screen: bool,
    /// A file is being dragged over the window.
    pub drop_hover: bool,
    /// A dialog of our own.
    pub dialog: Option<Dialog>,
    /// Something the user should know, in a sentence, until it is dismissed.
    pub notice: Option<String>,
    /// How long the last prediction took: the next one is expected to take as long.
    pub last_total: Option<Duration>,
}

/// The pictures that can be stepped through.
#[derive(Default)]
pub struct ImageList {
    /// In order.
    pub entries: Vec<ImageEntry>,
    /// The chosen one, whether or not it is decoded yet.
    pub current: Option<usize>,
    /// Paths are being looked through.
    pub listing: bool,
    /// Number of the latest request to open something; what answers an earlier one is out of date.
    pub request: u64,
    /// The next listing is of files that were opened anew: nothing known of them counts any more.
    pub reread: bool,
    /// Rows of the list that can be seen: their thumbnails are wanted.
    pub rows_in_sight: std::ops::Range<usize>,
}

/// One picture of the list.
pub struct ImageEntry {
    /// Which one.
    pub key: PictureKey,
    /// What is known of it.
    pub status: EntryStatus,
    /// Its small picture, once it was decoded.
    pub thumbnail: Option<TextureHandle>,
    /// Window and placement it was left with.
    pub view: Option<ViewSettings>,
}

/// What is known of a picture of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryStatus {
    /// Not looked at yet.
    Unread,
    /// Can be shown.
    Good,
    /// Cannot be shown, for a reason in a sentence.
    Bad(String),
}

/// The picture on the screen, with all that belongs to it and to no other.
pub struct Shown {
    /// Which one.
    pub key: PictureKey,
    /// Its pixels.
    pub picture: Arc<Picture>,
    /// Window and placement.
    pub view: ViewSettings,
    /// Its findings.
    pub findings: Option<Arc<Findings>>,
    /// Its overlays.
    pub overlay: Option<Arc<OverlayPixels>>,
    /// The reader's own spacing.
    pub calibration: Option<PixelSpacing>,
}

/// How one picture is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewSettings {
    /// What makes it visible; `None` for a colour picture.
    pub voi: Option<VoiTransform>,
    /// The preset this is, until it is changed by hand.
    pub preset: Option<usize>,
    /// Black and white exchanged by the user.
    pub inverted: bool,
    /// Where it lies.
    pub placement: Placement,
    /// How it lies.
    pub turn: Turn,
    /// Lengths on it.
    pub rulers: Vec<Line>,
}

/// What is folded, hidden or open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The list of pictures on the left.
    pub image_list: bool,
    /// The findings on the right.
    pub findings: bool,
    /// Texts on the picture.
    pub annotations: Annotations,
    /// Whether the patient's name is on the picture.
    pub identity: IdentityDisplay,
    /// Details of the model card are unfolded.
    pub card: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            image_list: true,
            findings: true,
            annotations: Annotations::All,
            identity: IdentityDisplay::Shown,
            card: false,
        }
    }
}

/// What the picture's corner says of the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityDisplay {
    /// Name, number, birth date, sex.
    Shown,
    /// Only that there is an identity.
    Hidden,
}

/// Texts on the picture, in the three steps of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotations {
    /// Corners, scale bar, colour bar.
    All,
    /// Scale bar and colour bar only.
    Scales,
    /// Nothing.
    None,
}

/// A dialog of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialog {
    /// A path is typed.
    OpenPath {
        /// Why the field is there, if it is not by wish.
        reason: Option<String>,
    },
    /// The path of a folder of studies or of a DICOMDIR is typed.
    StudiesPath {
        /// Why the field is there.
        reason: String,
    },
    /// What this program is.
    About,
    /// Keys and mouse.
    Shortcuts,
    /// What becomes of the run when the window is closed.
    CloseDuringRun,
    /// Whether a run is to be moved to the trash.
    DeleteRun,
    /// How long the last ruler is.
    Calibrate,
}

impl Shown {
    /// Size and pixel shape.
    pub fn shape(&self) -> PictureShape {
        let radiograph = &self.picture.radiograph;
        PictureShape {
            size: [radiograph.width, radiograph.height],
            aspect: radiograph.pixel_aspect,
            turn: self.view.turn,
        }
    }

    /// What lengths are measured with: the reader's calibration, else the file's spacing.
    pub fn spacing(&self) -> Option<PixelSpacing> {
        self.calibration.or(self.picture.radiograph.spacing)
    }

    /// The map between image and ui.
    pub fn transform(&self, screen: Screen) -> ImageTransform {
        ImageTransform::new(self.view.placement, self.shape(), screen)
    }

    /// The preset that is active, if one is.
    pub fn preset(&self) -> Option<&Preset> {
        self.view.preset.and_then(|index| self.picture.presets.get(index))
    }

    /// Whether window/level applies.
    pub fn is_grey(&self) -> bool {
        self.view.voi.is_some()
    }
}

impl ViewSettings {
    /// How a picture is shown when it is opened.
    pub fn opening(picture: &Picture) -> Self {
        let preset = (!picture.presets.is_empty()).then_some(picture.default_preset);
        Self {
            voi: preset.map(|index| picture.presets[index].transform.clone()),
            preset,
            inverted: false,
            placement: Placement::Fit,
            turn: Turn::default(),
            rulers: Vec::new(),
        }
    }
}

impl ImageEntry {
    /// An entry not looked at yet.
    pub fn new(key: PictureKey) -> Self {
        Self {
            key,
            status: EntryStatus::Unread,
            thumbnail: None,
            view: None,
        }
    }
}

impl ImageList {
    /// The chosen entry.
    pub fn current_entry(&self) -> Option<&ImageEntry> {
        self.entries.get(self.current?)
    }

    /// The file of the chosen entry, if it is one.
    pub fn current_file(&self) -> Option<&Path> {
        self.current_entry()?.key.path()
    }
}

impl ViewerState {
    /// The chosen picture is not the one on the screen yet.
    pub fn is_decoding(&self) -> bool {
        self.list.current_entry().is_some_and(|entry| {
            entry.status != EntryStatus::Good && !matches!(entry.status, EntryStatus::Bad(_))
                || self.shown.as_ref().is_none_or(|shown| shown.key != entry.key) && entry.status == EntryStatus::Good
        })
    }

    /// Why the chosen picture cannot be shown.
    pub fn picture_error(&self) -> Option<&str> {
        match &self.list.current_entry()?.status {
            EntryStatus::Bad(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether overlay planes of files are drawn now.
    pub fn draws_planes(&self) -> bool {
        self.graphics.planes && !self.bare
    }

    /// Whether they are named: people write names of patients there.
    pub fn names_planes(&self) -> bool {
        self.draws_planes() && self.layout.identity == IdentityDisplay::Shown
    }

    /// Overlays that may be drawn now.
    pub fn visible_overlay(&self) -> Option<&Arc<OverlayPixels>> {
        let shown = self.shown.as_ref()?;
        shown.overlay.as_ref().filter(|_| !self.bare)
    }
}
