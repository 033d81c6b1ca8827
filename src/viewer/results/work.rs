//! What takes time in the workspace 'Results': evaluating, auditing, exporting, changing the model list. Runs on
//! threads; knows no window.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::atomic_file;
use crate::inference::models::Models;
use crate::report;
use crate::training;
use crate::training::audit::{self, Audit};
use crate::training::dataset::{self, Options};
use crate::training::evaluation::measure::{self, Chosen};
use crate::training::evaluation::{Report, SegmenterReport, Selection, names_of_folders, saved};
use crate::training::manifest::Manifest;
use crate::training::runs;
use crate::training::runs::promotion::{self, Request};
use crate::training::runs::registry::Registry;
use crate::viewer::errands::Errand;

use super::evaluated::Evaluated;
use super::segmented;
use super::threshold::Taken;

/// What is evaluated or audited, and where.
#[derive(Debug, Clone)]
pub struct Task {
    /// The run.
    pub run: PathBuf,
    /// First data folder.
    pub data: PathBuf,
    /// What to take beside it, and how it is parted, if the run was trained on other data.
    pub options: Options,
    /// `train`, `val`, `test` or `all`.
    pub split: String,
    /// Folder that is searched first for the segmenter.
    pub weights: Option<PathBuf>,
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
}

impl Task {
    /// The data, their folders as reports name them, and the part.
    fn open(&self) -> Result<(Manifest, String, Selection), String> {
        let split: Selection = self.split.parse()?;
        // Any other split of the run's own data would show it images that it learned from.
        let options = runs::own_options(&self.run, &self.data, &[]).unwrap_or_else(|| self.options.clone());
        let manifest = dataset::open(&self.data, &options).map_err(|e| e.to_string())?;
        let folders = std::iter::once(&self.data).chain(&options.beside);
        Ok((manifest, names_of_folders(folders), split))
    }

    fn models(&self) -> Result<Models, String> {
        let weights = runs::best_weights(&self.run);
        Models::load_file(self.weights.as_deref(), &weights, &self.device).map_err(|e| e.to_string())
    }

    fn refuse_empty(&self, chosen: &Chosen<'_>) -> Result<(), String> {
        if chosen.rows.is_empty() {
            return Err(format!("{}: no images in part '{}'", self.data.display(), self.split));
        }
        Ok(())
    }

    /// Evaluates the run's best weights and keeps the result in its folder.
    ///
    /// # Errors
    /// In a sentence.
    pub fn evaluate(&self, errand: &Errand<'_>) -> Result<(), String> {
        let (manifest, data, split) = self.open()?;
        let chosen = Chosen::of(&manifest, split);
        self.refuse_empty(&chosen)?;
        let card = runs::card(&self.run).map_err(|e| e.to_string())?;
        if card.task == training::Task::Segmenter {
            return self.segment(errand, &chosen, (data, split));
        }
        let mut models = self.models()?;
        let total = chosen.rows.len();
        let measured = measure::records(&mut models, &chosen.rows, errand.cancel(), &mut |done, _| {
            errand.progress(done, total);
        });
        if errand.cancel().load(Ordering::Relaxed) {
            return Err("cancelled".to_owned());
        }
        let report = Report::of(&models, data, split, &chosen, &measured);
        let folder = runs::evaluation_folder(&self.run, split.name());
        saved::write(&folder, &report, &measured.records).map_err(|e| e.to_string())
    }

    /// As [`Task::evaluate`], for a segmenter, by its masks.
    fn segment(
        &self,
        errand: &Errand<'_>,
        chosen: &Chosen<'_>,
        (data, split): (String, Selection),
    ) -> Result<(), String> {
        let weights = runs::best_weights(&self.run);
        let (segmenter, device) = Models::load_segmenter_file(&weights, &self.device).map_err(|e| e.to_string())?;
        let total = chosen.rows.iter().filter(|row| row.mask.is_some()).count();
        let models = (&segmenter, &device);
        let (images, failures) = measure::segmented(models, &chosen.rows, errand.cancel(), &mut |done, _| {
            errand.progress(done, total);
        });
        if errand.cancel().load(Ordering::Relaxed) {
            return Err("cancelled".to_owned());
        }
        let report = SegmenterReport::of(models, data, split, chosen, (&images, failures));
        let folder = runs::evaluation_folder(&self.run, split.name());
        saved::write_segmented(&folder, &report, &images).map_err(|e| e.to_string())
    }

    /// Audits the run's best weights and keeps the result in its folder.
    ///
    /// # Errors
    /// In a sentence.
    pub fn audit(&self, errand: &Errand<'_>) -> Result<(), String> {
        let (manifest, data, split) = self.open()?;
        let chosen = Chosen::of(&manifest, split);
        self.refuse_empty(&chosen)?;
        let mut models = self.models()?;
        let total = chosen.rows.len();
        let made = audit::measure::audit(&mut models, data, split, &chosen, errand.cancel(), &mut |done, _| {
            errand.progress(done, total);
        });
        let made = made.ok_or_else(|| "cancelled".to_owned())?;
        audit::saved::write(&runs::audit_folder(&self.run), &made).map_err(|e| e.to_string())
    }
}

/// A run's audit; `None` where it has none.
///
/// # Errors
/// In a sentence, if there is one that cannot be read.
pub fn read_audit(run: &Path) -> Result<Option<Audit>, String> {
    audit::saved::read(&runs::audit_folder(run)).map_err(|e| e.to_string())
}

/// Puts a run's best weights into the user's model list; returns what was done in a sentence. `weights` is the folder
/// that is searched before the list.
///
/// # Errors
/// In a sentence.
pub fn promote(run: &Path, taken: &Taken, reason: Option<String>, weights: Option<&Path>) -> Result<String, String> {
    promote_into(&user_list()?, run, taken, reason, weights)
}

/// As [`promote`], into another list.
///
/// # Errors
/// In a sentence.
pub fn promote_into(
    registry: &Registry,
    run: &Path,
    taken: &Taken,
    reason: Option<String>,
    weights: Option<&Path>,
) -> Result<String, String> {
    let request = Request {
        threshold: taken.choice().cloned(),
        reason,
    };
    let promoted = promotion::promote(run, &request, registry).map_err(|e| e.to_string())?;
    let replaces = match &promoted.replaces {
        Some(version) => format!(" It replaces version {version}, which is kept."),
        None => String::new(),
    };
    let hidden = match promoted.hidden_by(weights) {
        Some(first) => format!(" It is not used yet: {} is searched first.", first.display()),
        None => String::new(),
    };
    let card = &promoted.card;
    Ok(format!(
        "{} {} is installed with threshold {:.3}{}.{replaces}{hidden}",
        card.name,
        card.version,
        card.threshold,
        taken.words()
    ))
}

/// Goes back to another version of a model; returns what was done in a sentence.
///
/// # Errors
/// In a sentence.
pub fn roll_back(name: &str, to: Option<&str>) -> Result<String, String> {
    let card = user_list()?.roll_back(name, to).map_err(|e| e.to_string())?;
    Ok(format!("{name} is version {} again.", card.version))
}

fn user_list() -> Result<Registry, String> {
    Registry::of_user().ok_or_else(|| "this system knows no home folder to keep a model list in".to_owned())
}

/// Writes the drawings of an evaluation as PNG and SVG beside its tables; returns where they lie, in a sentence.
///
/// # Errors
/// In a sentence.
pub fn export_evaluation(evaluated: &Evaluated, threshold: f64) -> Result<String, String> {
    let drawings = report::evaluation_drawings(&evaluated.report, &evaluated.records, threshold);
    write_drawings(&evaluated.folder, &drawings)
}

/// As [`export_evaluation`], of a segmenter's in a folder.
///
/// # Errors
/// In a sentence.
pub fn export_segmenter(folder: &Path, figures: &SegmenterReport) -> Result<String, String> {
    let images = segmented::read_images(folder)?;
    write_drawings(folder, &report::segmenter_drawings(figures, &images))
}

/// As [`export_evaluation`], of an audit.
///
/// # Errors
/// In a sentence.
pub fn export_audit(run: &Path, audit: &Audit) -> Result<String, String> {
    let folder = runs::audit_folder(run);
    let said = write_drawings(&folder, &report::audit_drawings(audit))?;
    audit::saved::write_tables(&folder, audit).map_err(|e| e.to_string())?;
    Ok(said)
}

fn write_drawings(folder: &Path, drawings: &[(&str, report::Drawing)]) -> Result<String, String> {
    let put = |name: String, bytes: &[u8]| {
        let path = folder.join(name);
        atomic_file::write(&path, bytes).map_err(|e| format!("{}: cannot be written: {e}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|e| format!("{}: the folder cannot be made: {e}", folder.display()))?;
    for (name, drawing) in drawings {
        put(format!("{name}.svg"), drawing.svg().as_bytes())?;
        put(format!("{name}.png"), &drawing.png().map_err(|e| e.to_string())?)?;
    }
    let figures = match drawings.len() {
        1 => "1 figure".to_owned(),
        several => format!("{several} figures"),
    };
    Ok(format!(
        "{figures} as PNG and SVG, and the tables as CSV, lie in {}.",
        folder.display()
    ))
}
