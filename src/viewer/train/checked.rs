//! The check of the data as the window needs it: made or read on a thread, its small pictures decoded there.

use std::fs;
use std::path::Path;

use crate::atomic_file;
use crate::training::check::report::{CheckReport, VERSION};
use crate::training::check::{self, Options, Progress, Stage, gate, html, words};
use crate::training::dataset;
use crate::viewer::errands::Errand;
use crate::viewer::picture::Thumbnail;

use super::dataset::look;

/// Pairs of copies and odd images that are drawn.
const MOST_PICTURES: usize = 48;

/// A report with its pictures.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The report.
    pub report: CheckReport,
    /// Both pictures of the first copies, in the report's order.
    pub copies: Vec<[Option<Thumbnail>; 2]>,
    /// The first odd images, in the report's order.
    pub odd: Vec<Option<Thumbnail>>,
}

impl Checked {
    /// Decodes a report's pictures.
    pub fn new(report: CheckReport) -> Self {
        let of_pair = |pair: &Option<[check::Thumbnail; 2]>| match pair {
            Some([first, second]) => [decode(first), decode(second)],
            None => [None, None],
        };
        let copies = report.copies.first.iter().take(MOST_PICTURES);
        let odd = report.odd.first.iter().take(MOST_PICTURES);
        Self {
            copies: copies.map(|copy| of_pair(&copy.thumbnails)).collect(),
            odd: odd.map(|odd| odd.thumbnail.as_ref().and_then(decode)).collect(),
            report,
        }
    }
}

fn decode(thumbnail: &check::Thumbnail) -> Option<Thumbnail> {
    let grey = image::load_from_memory(&thumbnail.png).ok()?.into_luma8();
    Some(Thumbnail {
        size: [grey.width() as usize, grey.height() as usize],
        rgb: grey.pixels().map(|pixel| [pixel.0[0]; 3]).collect(),
    })
}

/// Checks the data and keeps the report in `reports`, where runs on the very same rows and files find it; the stages
/// count as one errand.
///
/// # Errors
/// In a sentence.
pub fn make(
    folder: &Path,
    options: &dataset::Options,
    reports: Option<&Path>,
    errand: &Errand<'_>,
) -> Result<Checked, String> {
    let manifest = look(folder, options)?;
    let mut listener = |progress: Progress| {
        // Comparing counts pairs, of which there are few; reading is what takes time.
        if progress.stage == Stage::Reading {
            errand.progress(progress.done, progress.total);
        }
    };
    // Half of the cores: the window and a reader go on beside it.
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    // The system's folder for temporary files may be in memory; reports lie on a disk.
    let scratch = reports.filter(|reports| fs::create_dir_all(reports).is_ok());
    let how = Options {
        threads: Some(threads),
        scratch: scratch.map(Path::to_owned),
    };
    let report = check::run(&manifest.rows, &how, errand.cancel(), &mut listener).map_err(|e| e.to_string())?;
    if let Some(reports) = reports {
        // A report that cannot be kept is made again by the run.
        let _ = gate::keep(reports, &report);
    }
    Ok(Checked::new(report))
}

/// Writes a report to a file: HTML with pictures, Markdown, or JSON, by the file's ending.
///
/// # Errors
/// In a sentence.
pub fn save(report: &CheckReport, path: &Path) -> Result<String, String> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let text = match ending.to_lowercase().as_str() {
        "html" | "htm" => html::html(report),
        "md" => words::markdown(report),
        "json" => serde_json::to_string_pretty(report).map_err(|e| e.to_string())?,
        _ => return Err("the ending must be html, md or json".to_owned()),
    };
    atomic_file::write(path, text.as_bytes()).map_err(|e| format!("{}: cannot be written: {e}", path.display()))?;
    Ok(format!("The report (version {VERSION}) lies in {}.", path.display()))
}
