//! De-identification as the window has it: a form, rectangles to be masked, a preview and a batch under way.

use std::path::{Path, PathBuf};

use super::errands::{Errand, Pending};
use super::picture::PictureKey;
use super::state::ViewerState;
use crate::atomic_file;
use crate::deidentify::batch::{self, Batch, Sources};
use crate::deidentify::report::{self, Report};
use crate::deidentify::{Change, Detection, Key, Masking, Options, Region, Settings, deidentify};

/// What becomes of text in the pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TextInPixels {
    /// It stays; the report says where it seems to be.
    #[default]
    Stays,
    /// What is found in each picture is masked.
    Found,
    /// The rectangles on the picture are masked, in every file.
    Rectangles,
}

/// What the user has chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// The options of the profile.
    pub options: Options,
    /// Every file of the list, not only the one on the screen.
    pub whole_list: bool,
    /// Text in the pixels.
    pub text: TextInPixels,
    /// Folder that is written into.
    pub out: String,
    /// File of the key; empty for a key of this batch alone.
    pub key_file: String,
    /// File that the report is written to, `.json` or `.csv`; empty for none.
    pub report_file: String,
    /// Go on with what was written before.
    pub resume: bool,
}

/// A rectangle on the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marked {
    /// In image pixels.
    pub region: Region,
    /// How surely it is text; `None` for one that the user drew.
    pub confidence: Option<f32>,
    /// It is to be masked.
    pub on: bool,
}

/// What one file would become.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Which picture.
    pub key: PictureKey,
    /// With which options.
    pub options: Options,
    /// Every change, with old and new values.
    pub changes: Vec<Change>,
    /// What is to be looked at.
    pub warnings: Vec<String>,
    /// Text in its pixels.
    pub detections: Vec<Detection>,
}

/// The state of the panel.
#[derive(Default)]
pub struct DeidentifyState {
    /// The panel is there.
    pub open: bool,
    /// What is chosen.
    pub form: Form,
    /// Rectangles, and the picture that they are on.
    pub marked: Vec<Marked>,
    /// See `marked`.
    pub marked_on: Option<PictureKey>,
    /// The next drag on the picture makes a rectangle.
    pub adding: bool,
    /// Corners of the rectangle being drawn, in image pixels.
    pub drawing: Option<[[f64; 2]; 2]>,
    /// What the picture's file would become.
    pub preview: Pending<Preview>,
    /// The picture whose file was looked at last, whatever came of it.
    pub looked_at: Option<PictureKey>,
    /// The batch.
    pub batch: Pending<Report>,
}

/// A change of the panel's state.
#[derive(Debug, Clone)]
pub enum DeidentifyCommand {
    /// The form is filled in otherwise.
    Form(Box<Form>),
    /// A rectangle is to be masked, or not.
    Mark(usize, bool),
    /// A rectangle is taken away.
    Unmark(usize),
    /// A rectangle is being drawn between these corners, in image pixels.
    Draw([[f64; 2]; 2]),
    /// It is drawn.
    Drawn,
}

impl DeidentifyState {
    /// Whether the rectangles are those of a picture.
    pub fn is_marked(&self, key: &PictureKey) -> bool {
        self.marked_on.as_ref() == Some(key)
    }

    /// Rectangles that are to be masked.
    pub fn regions(&self) -> Vec<Region> {
        let on = self.marked.iter().filter(|marked| marked.on);
        on.map(|marked| marked.region).collect()
    }
}

/// The files that the form is about: frames of one file stand side by side in the list.
fn paths(state: &ViewerState) -> impl Iterator<Item = &Path> {
    let whole_list = state.deidentify.form.whole_list;
    let listed = state.list.entries.iter().filter(move |_| whole_list);
    let listed = listed.filter_map(|entry| entry.key.path());
    let mut last = None;
    let listed = listed.filter(move |path| last.replace(*path) != Some(*path));
    listed.chain(state.list.current_file().filter(move |_| !whole_list))
}

/// The files that the form is about.
pub fn files(state: &ViewerState) -> Vec<PathBuf> {
    paths(state).map(Path::to_owned).collect()
}

/// How many they are.
pub fn file_count(state: &ViewerState) -> usize {
    paths(state).count()
}

/// Whether there are any.
pub fn has_files(state: &ViewerState) -> bool {
    paths(state).next().is_some()
}

/// Whether the rectangles are those of the file on the screen, whichever of its frames is.
fn is_marked_here(state: &ViewerState) -> bool {
    let marked_on = state.deidentify.marked_on.as_ref().and_then(PictureKey::path);
    marked_on.is_some() && marked_on == state.list.current_file()
}

/// The picture whose rectangles would be masked in others, if there are some.
pub fn rectangles_from(state: &ViewerState) -> Option<&PictureKey> {
    let DeidentifyState { form, marked_on, .. } = &state.deidentify;
    let spreads = form.whole_list && form.text == TextInPixels::Rectangles && !state.deidentify.regions().is_empty();
    marked_on.as_ref().filter(|_| spreads)
}

/// Why the form cannot be carried out, in a sentence.
pub fn problem(state: &ViewerState) -> Option<&'static str> {
    let DeidentifyState { form, .. } = &state.deidentify;
    let report_file = form.report_file.trim();
    if form.out.trim().is_empty() {
        Some("Name a folder to write into.")
    } else if form.resume && form.key_file.trim().is_empty() {
        Some("Going on needs the key file of the files that are there.")
    } else if !report_file.is_empty() && report::Form::of(Path::new(report_file)).is_none() {
        Some("The report's name must end in .json or .csv.")
    } else if form.text == TextInPixels::Rectangles && state.deidentify.regions().is_empty() {
        Some("No rectangle is chosen: look for text, or draw one.")
    } else if form.text == TextInPixels::Rectangles && !form.whole_list && !is_marked_here(state) {
        Some("The rectangles are those of another picture.")
    } else {
        None
    }
}

/// The batch that the form asks for, less its key.
pub struct Asked {
    /// The form.
    pub form: Form,
    /// The files.
    pub files: Vec<PathBuf>,
    /// Text in the pixels.
    pub masking: Masking,
}

/// What the form asks for.
pub fn asked(state: &ViewerState) -> Asked {
    let form = state.deidentify.form.clone();
    let masking = match form.text {
        TextInPixels::Stays => Masking::Warn,
        TextInPixels::Found => Masking::Auto,
        TextInPixels::Rectangles => Masking::Regions(state.deidentify.regions()),
    };
    Asked {
        files: files(state),
        masking,
        form,
    }
}

/// Carries out a batch and writes its report.
///
/// # Errors
/// In a sentence.
pub fn run(asked: Asked, errand: &Errand<'_>) -> Result<Report, String> {
    let Asked { form, files, masking } = asked;
    let named = |path: &str| (!path.trim().is_empty()).then(|| PathBuf::from(path.trim()));
    let (out, report_file) = (PathBuf::from(form.out.trim()), named(&form.report_file));
    let key_file = named(&form.key_file);
    let apart = batch::kept_apart(&out, &[key_file.as_deref(), report_file.as_deref()]);
    apart.map_err(|error| error.to_string())?;
    let Sources { files, notes } = batch::sources(&files, &out);
    if files.is_empty() {
        return Err(format!("There is no file to work on. {}", notes.join(" ")));
    }
    let batch = Batch {
        files,
        out,
        settings: Settings {
            options: form.options,
            key: key(form.key_file.trim())?,
            masking,
            old_values: false,
        },
        resume: form.resume,
    };
    let progress = |done, total| errand.progress(done, total);
    let mut report = batch::run(&batch, &progress, errand.cancel()).map_err(|error| error.to_string())?;
    report.notes = notes;
    if let Some(path) = report_file {
        let form = report::Form::of(&path).ok_or("the report's name must end in .json or .csv")?;
        let written = atomic_file::write_private(&path, &report.to_bytes(form)?);
        written.map_err(|error| format!("{}: the report cannot be written: {error}", path.display()))?;
    }
    Ok(report)
}

fn key(path: &str) -> Result<Key, String> {
    let key = if path.is_empty() {
        Key::random()
    } else {
        Key::load_or_create(Path::new(path))
    };
    key.map_err(|error| error.to_string())
}

/// What a picture's file would become; writes nothing.
///
/// # Errors
/// In a sentence.
pub fn preview(key: PictureKey, path: &Path, form: &Form) -> Result<Preview, String> {
    let is_there = Path::new(form.key_file.trim()).is_file();
    let settings = Settings {
        options: form.options,
        // A key that is not there yet is made by the batch, not by looking.
        key: self::key(if is_there { form.key_file.trim() } else { "" })?,
        masking: Masking::Warn,
        old_values: true,
    };
    let made = batch::read(path).and_then(|bytes| deidentify(path, &bytes, &settings));
    let made = made.map_err(|reason| format!("{}: {reason}", path.display()))?;
    Ok(Preview {
        key,
        options: form.options,
        changes: made.changes,
        warnings: made.warnings,
        detections: made.detections,
    })
}
