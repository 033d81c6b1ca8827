//! What is done with the index on a thread of its own: read, look through, forget. Knows no window.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::library::{Catalogue, Counts, Library, Patient, Root, Series, Study, Summary};
use crate::viewer::errands::Errand;

/// What the index holds of one root.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The root; `None` for everything.
    pub root: Option<PathBuf>,
    /// Patients, studies, series, instances.
    pub catalogue: Catalogue,
    /// How many there are, and what could not be read.
    pub counts: Counts,
    /// What a series is found by, in small letters, by its number.
    pub texts: HashMap<i64, String>,
    /// All that was indexed, the last opened first.
    pub roots: Vec<Root>,
    /// What the user should know of the database, in a sentence.
    pub notice: Option<String>,
}

/// What came of a look through a folder or DICOMDIR.
#[derive(Debug)]
pub struct Indexed {
    /// Figures of it.
    pub summary: Summary,
}

/// Reads the index as it is: of a root, of the last opened one if `root` is `None`, or of everything.
///
/// # Errors
/// A sentence if the database cannot be used.
pub fn load(database: &Path, wanted: Wanted) -> Result<Shelf, String> {
    let library = open(database)?;
    shelf(&library, wanted)
}

/// Which root is read.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// The one that was opened last.
    Last,
    /// Everything.
    All,
    /// This one.
    Root(PathBuf),
}

/// Looks through a folder or DICOMDIR; what was read before a cancellation is kept.
///
/// # Errors
/// A sentence if it cannot be looked through, or the database not be used.
pub fn index(database: &Path, source: &Path, errand: &Errand<'_>) -> Result<Indexed, String> {
    let mut library = open(database)?;
    let told = |progress: crate::library::Progress| errand.progress(progress.done, progress.total);
    let summary = library
        .index(source, errand.cancel(), &told)
        .map_err(|error| error.to_string())?;
    Ok(Indexed { summary })
}

/// Takes a root out of the index and reads what is left.
///
/// # Errors
/// A sentence if the database cannot be used.
pub fn forget(database: &Path, root: &Path) -> Result<Shelf, String> {
    let mut library = open(database)?;
    library.forget(root).map_err(|error| error.to_string())?;
    shelf(&library, Wanted::Last)
}

fn open(database: &Path) -> Result<Library, String> {
    Library::open(database).map_err(|error| error.to_string())
}

fn shelf(library: &Library, wanted: Wanted) -> Result<Shelf, String> {
    let read = || {
        let roots = library.roots()?;
        let root = match wanted {
            Wanted::Last => roots.first().map(|root| root.path.clone()),
            Wanted::All => None,
            Wanted::Root(root) => Some(root),
        };
        let catalogue = library.catalogue(root.as_deref())?;
        let counts = library.counts(root.as_deref())?;
        Ok(Shelf {
            texts: texts(&catalogue),
            root,
            catalogue,
            counts,
            roots,
            notice: library.notice().map(str::to_owned),
        })
    };
    read().map_err(|error: crate::library::Error| error.to_string())
}

fn texts(catalogue: &Catalogue) -> HashMap<i64, String> {
    let mut texts = HashMap::new();
    for patient in &catalogue.patients {
        for study in &patient.studies {
            for series in &study.series {
                texts.insert(series.id, text(patient, study, series));
            }
        }
    }
    texts
}

/// Everything a series may be looked for by.
fn text(patient: &Patient, study: &Study, series: &Series) -> String {
    let mut parts = vec![patient.name.as_str(), &patient.patient_id, &patient.birth_date];
    let date = study.date.as_deref().map(crate::viewer::wording::date);
    parts.extend(date.as_deref());
    let optional = [
        &study.date,
        &study.description,
        &study.accession,
        &series.modality,
        &series.description,
        &series.body_part,
    ];
    parts.extend(optional.into_iter().flatten().map(String::as_str));
    let names = series.instances.iter().filter_map(|instance| instance.path.file_name());
    let names: Vec<_> = names.map(std::ffi::OsStr::to_string_lossy).collect();
    parts.extend(names.iter().map(AsRef::as_ref));
    parts.join("\n").to_lowercase()
}
