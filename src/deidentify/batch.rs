//! Many files, one after the other on all cores: each is written whole or not at all, named by its new SOP Instance UID,
//! and an error of one does not keep the others.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rayon::prelude::*;

use super::journal::{self, Entry, Fault, Journal};
use super::names::{Contest, Names};
use super::report::{FileReport, Report, Status};
use super::{Deidentified, Settings, deidentify};
use crate::atomic_file;
use crate::imaging::{self, Walked};

/// Largest file that is read.
const MOST_BYTES: u64 = 1 << 30;

const TOO_LARGE: &str = "the file is larger than 1 GiB, more than this program opens";

/// Files beyond this are not treated beside each other.
const LARGE_BYTES: u64 = 64 << 20;

/// A batch to be done.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The files; see [`sources`].
    pub files: Vec<PathBuf>,
    /// Folder that is written into; it is made if need be.
    pub out: PathBuf,
    /// How files are treated.
    pub settings: Settings,
    /// Files that a batch with the same key and settings wrote here before are kept.
    pub resume: bool,
}

/// Why a batch does not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made, or its journal not be written.
    #[error("{0}: cannot be written into: {1}")]
    Folder(PathBuf, std::io::Error),
    /// Something is there, and it was not said to go on.
    #[error("{0}: there are de-identified files here already; go on with them, or choose an empty folder")]
    NotEmpty(PathBuf),
    /// What is there was made with another key, which gives the same patients other names.
    #[error("{0}: the files here were de-identified with another key; name that one, or choose an empty folder")]
    OtherKey(PathBuf),
    /// The key or the report would go out with the files.
    #[error("{0}: this leads back to the patients; put it outside the folder that is written into")]
    Inside(PathBuf),
    /// Another batch writes into it at this moment.
    #[error("{0}: another de-identification is writing into this folder; wait for its end, or choose another folder")]
    InUse(PathBuf),
}

/// What arguments name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The files, each once.
    pub files: Vec<PathBuf>,
    /// Sentences about what was passed over.
    pub notes: Vec<String>,
}

/// Files that arguments name, folders walked: without those below `out`, whose files are given away, and without the
/// DICOMDIR of a folder, which is no object of a patient.
pub fn sources(arguments: &[PathBuf], out: &Path) -> Sources {
    let mut sources = Sources::default();
    for argument in arguments {
        if !argument.is_dir() {
            sources.files.push(argument.clone());
            continue;
        }
        let Walked { files, unread, is_cut } = imaging::walked(argument);
        let name = argument.display();
        if unread > 0 {
            let note = format!("{name}: {unread} files or folders in it cannot be read, and were passed over.");
            sources.notes.push(note);
        }
        if is_cut {
            let note = format!("{name}: only its first {} files were taken.", wording(files.len()));
            sources.notes.push(note);
        }
        let (directories, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| is_dicomdir(path));
        let passed = |path: PathBuf| {
            let name = path.display();
            format!("{name}: this lists patients and was passed over; make a new one of the files that are written.")
        };
        sources.notes.extend(directories.into_iter().map(passed));
        sources.files.extend(files);
    }
    let out = resolved(out);
    let files = distinct(std::mem::take(&mut sources.files));
    let (inside, outside): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, place)| place.starts_with(&out));
    // Those of an earlier batch are no surprise.
    if !inside.is_empty() && !journal::is_begun(&out) {
        sources.notes.push(format!(
            "What lies in the folder that is written into was passed over (files: {}): choose a folder of its own.",
            wording(inside.len())
        ));
    }
    sources.files = outside.into_iter().map(|(path, _)| path).collect();
    sources
}

/// Whether a file has the name that a DICOMDIR has (PS3.10 8.6).
fn is_dicomdir(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"))
}

/// A number with its thousands apart.
fn wording(number: usize) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1000),
    }
}

/// Each file once, by whatever name or link it is named, with its place without links.
fn distinct(files: Vec<PathBuf>) -> Vec<(PathBuf, PathBuf)> {
    let mut seen = HashSet::new();
    let placed = files.into_iter().map(|path| {
        let place = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        (path, place)
    });
    placed.filter(|(_, place)| seen.insert(place.clone())).collect()
}

/// Refuses a key or a report in the folder that is written into, whose files are given away.
///
/// # Errors
/// [`Error::Inside`].
pub fn kept_apart(out: &Path, private: &[Option<&Path>]) -> Result<(), Error> {
    let out = resolved(out);
    for path in private.iter().copied().flatten() {
        let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = folder.parent().map(resolved).unwrap_or_default();
        if folder.starts_with(&out) || resolved(path).starts_with(&out) {
            return Err(Error::Inside(path.to_owned()));
        }
    }
    Ok(())
}

/// The path without links and dots, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, fs::canonicalize(ancestor).ok()?)));
    match there {
        Some((ancestor, real)) => match path.strip_prefix(ancestor) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path,
    }
}

/// The bytes of a source, if it is a file and not too large.
///
/// # Errors
/// In a sentence.
pub fn read(source: &Path) -> Result<Vec<u8>, String> {
    let length = checked(source)?.len();
    let mut bytes = Vec::with_capacity(length as usize);
    // It may have grown since it was looked at.
    let read = File::open(source).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(TOO_LARGE.to_owned());
    }
    Ok(bytes)
}

fn checked(source: &Path) -> Result<fs::Metadata, String> {
    let metadata = fs::metadata(source).map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("this is a folder, a pipe or a device, not a file".to_owned());
    }
    if metadata.len() > MOST_BYTES {
        return Err(TOO_LARGE.to_owned());
    }
    Ok(metadata)
}

/// A file to be treated, looked at once.
struct Source {
    path: PathBuf,
    /// Without links.
    place: PathBuf,
    /// What the file system says of it, or why it cannot be treated.
    metadata: Result<fs::Metadata, String>,
}

impl Source {
    fn is_large(&self) -> bool {
        self.metadata
            .as_ref()
            .is_ok_and(|metadata| metadata.len() > LARGE_BYTES)
    }
}

fn looked_at(files: &[PathBuf]) -> Vec<Source> {
    let files = distinct(files.to_vec()).into_par_iter();
    files
        .map(|(path, place)| Source {
            metadata: checked(&path),
            path,
            place,
        })
        .collect()
}

/// What files of a batch share while they are treated.
///
/// No two of its locks are held at once.
struct Shared<'b> {
    batch: &'b Batch,
    /// Its files in their order, by which they are numbered.
    sources: Vec<Source>,
    /// Version and settings, as far as they decide what is written.
    settings: String,
    journal: Mutex<Journal>,
    names: Mutex<Names>,
}

/// Treats every file; `progress` hears how many are done, from any thread. Of several files with one SOP Instance UID, the
/// first is written. Ends early when `cancel` is set: what was written by then stays and is known to a batch that goes on.
///
/// # Errors
/// If the folder cannot be written into, or holds files of an earlier batch and `resume` is not set or its key was
/// another one, or another batch is writing into it.
pub fn run(batch: &Batch, progress: &(dyn Fn(usize, usize) + Sync), cancel: &AtomicBool) -> Result<Report, Error> {
    let shared = Shared::open(batch)?;
    if batch.resume {
        shared.remove_unfinished();
        shared.reserve();
    }
    let done = AtomicUsize::new(0);
    let total = shared.sources.len();
    let mut files = shared.each((0..total).collect(), cancel, &|| {
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    });
    files.sort_by_key(|(number, _)| *number);
    let mut report = Report::new(batch.settings.options, batch.settings.masking.clone());
    report.files = files.into_iter().map(|(_, file)| file).collect();
    report.cancelled = report.files.len() < total;
    if !report.cancelled {
        shared.settle(&mut report.files, cancel);
    }
    Ok(report)
}

impl<'b> Shared<'b> {
    fn open(batch: &'b Batch) -> Result<Self, Error> {
        let Batch { out, settings, .. } = batch;
        let failed = |error| Error::Folder(out.clone(), error);
        fs::create_dir_all(out).map_err(failed)?;
        let journal = Journal::open(out, &settings.key, batch.resume).map_err(|fault| match fault {
            Fault::Unusable(error) => failed(error),
            Fault::NotEmpty => Error::NotEmpty(out.clone()),
            Fault::OtherKey => Error::OtherKey(out.clone()),
            Fault::InUse => Error::InUse(out.clone()),
        })?;
        let Settings { options, masking, .. } = settings;
        Ok(Self {
            batch,
            sources: looked_at(&batch.files),
            settings: format!("{} {options:?} {masking:?}", env!("CARGO_PKG_VERSION")),
            journal: Mutex::new(journal),
            names: Mutex::new(Names::default()),
        })
    }

    /// Takes away what a batch that was killed had not finished; the journal's lock says that no other is at work.
    fn remove_unfinished(&self) {
        if !self.journal.lock().is_locked() {
            return;
        }
        let entries = fs::read_dir(&self.batch.out).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| atomic_file::is_unfinished(&entry.file_name())) {
            // One that stays is of no use, and does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Treats sources until `cancel` is set; those that were treated come with their numbers, in any order.
    fn each(&self, numbers: Vec<usize>, cancel: &AtomicBool, done: &(dyn Fn() + Sync)) -> Vec<(usize, FileReport)> {
        let treat = |&number: &usize| {
            if cancel.load(Ordering::Relaxed) {
                return None;
            }
            let report = self.one(&self.sources[number], number);
            done();
            Some((number, report))
        };
        let (large, small): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|&number| self.sources[number].is_large());
        let mut files: Vec<_> = small.par_iter().filter_map(treat).collect();
        // One at a time: together, they may be more than there is memory.
        files.extend(large.iter().filter_map(treat));
        files
    }

    fn one(&self, source: &Source, number: usize) -> FileReport {
        let mut report = FileReport::new(&source.path, Status::Written);
        if let Err(reason) = self.treat(source, number, &mut report) {
            report.status = Status::Failed(reason);
        }
        report
    }

    /// Writes the first of several sources with one SOP Instance UID, where another was the faster: which of them is
    /// given away is not left to chance.
    fn settle(&self, reports: &mut [FileReport], cancel: &AtomicBool) {
        let contests = self.names.lock().settle();
        let firsts = contests.iter().map(|contest| contest.first).collect();
        let mut again: HashMap<usize, FileReport> = self.each(firsts, cancel, &|| ()).into_iter().collect();
        for Contest { first, others } in contests {
            let Some(report) = again.remove(&first) else { continue };
            // If it cannot be written, what is there stays.
            if report.status == Status::Written {
                for other in others {
                    let status = Status::Failed(self.same_instance(first));
                    reports[other] = FileReport::new(&self.sources[other].path, status);
                }
            }
            reports[first] = report;
        }
    }

    fn same_instance(&self, holder: usize) -> String {
        let holder = self.sources[holder].path.display();
        format!("it has the SOP Instance UID of {holder}, which was written under the same name")
    }

    fn treat(&self, source: &Source, number: usize, report: &mut FileReport) -> Result<(), String> {
        let fingerprint = self.fingerprint(source)?;
        if let Some(file) = self.kept(&fingerprint, number) {
            report.status = Status::Kept;
            report.output = Some(file);
            return Ok(());
        }
        let bytes = read(&source.path)?;
        let Deidentified {
            bytes,
            sop_instance_uid,
            changes,
            masked,
            detections,
            warnings,
        } = deidentify(&source.path, &bytes, &self.batch.settings)?;
        let place = source.place.as_os_str().as_encoded_bytes();
        let entry = Entry {
            source: fingerprint,
            place: self.batch.settings.key.fingerprint(&[place]),
            file: format!("{sop_instance_uid}.dcm"),
            hash: blake3::hash(&bytes).to_hex().to_string(),
        };
        self.claim(&entry, number)?;
        let unwritable = |error: std::io::Error| format!("cannot be written: {error}");
        // Before the file: what is killed in between is this batch's own, and not somebody else's file.
        self.journal.lock().add(&entry).map_err(unwritable)?;
        atomic_file::write(&self.batch.out.join(&entry.file), &bytes).map_err(unwritable)?;
        report.output = Some(entry.file);
        (report.changes, report.masked) = (changes, masked);
        (report.detections, report.warnings) = (detections, warnings);
        Ok(())
    }

    /// Takes for each source the name that it was written under before, so that no other takes it first.
    fn reserve(&self) {
        let known = |(number, source): (usize, &Source)| {
            let fingerprint = self.fingerprint(source).ok()?;
            let entry = self.journal.lock().entry(&fingerprint).cloned()?;
            Some((entry.file, number))
        };
        let known: Vec<Option<(String, usize)>> = self.sources.par_iter().enumerate().map(known).collect();
        let mut names = self.names.lock();
        for (file, number) in known.into_iter().flatten() {
            names.reserve(file, number);
        }
    }

    /// Name of the file that an earlier batch wrote of a source, if it is there, whole, and this source's.
    fn kept(&self, fingerprint: &str, number: usize) -> Option<String> {
        if !self.batch.resume {
            return None;
        }
        let entry = self.journal.lock().entry(fingerprint).cloned()?;
        let is_own = self.names.lock().is_of(&entry.file, number);
        (is_own && entry.is_whole(&self.batch.out)).then_some(entry.file)
    }

    /// Takes the entry's name in the output folder for its source; what is there already is replaced only if a batch
    /// wrote it, and an earlier one wrote it of the file at the same place.
    fn claim(&self, entry: &Entry, number: usize) -> Result<(), String> {
        let name = &entry.file;
        if self.batch.out.join(name).exists() {
            let journal = self.journal.lock();
            if !journal.knows(name) {
                return Err(format!(
                    "{name} is there already, and no batch is known to have written it"
                ));
            }
            if journal.has_other(entry) {
                return Err(format!(
                    "{name} is there already, written before of another file with the same SOP Instance UID; write this \
                     one into another folder"
                ));
            }
        }
        let taken = self.names.lock().take(name, number);
        taken.map_err(|holder| self.same_instance(holder))
    }

    /// Tells a source as it was looked at, treated as it is to be, from every other.
    ///
    /// # Errors
    /// If it is none that can be treated, in a sentence.
    fn fingerprint(&self, source: &Source) -> Result<String, String> {
        let metadata = source.metadata.as_ref().map_err(Clone::clone)?;
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |since| since.as_nanos());
        Ok(self.batch.settings.key.fingerprint(&[
            source.place.as_os_str().as_encoded_bytes(),
            &metadata.len().to_le_bytes(),
            &changed.to_le_bytes(),
            self.settings.as_bytes(),
        ]))
    }
}
