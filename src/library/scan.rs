//! Looking through a folder or DICOMDIR: what changed since the last time is read on all cores and written as it
//! comes, what is gone is taken out at the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rayon::prelude::*;
use rusqlite::params;
use walkdir::{DirEntry, WalkDir};

use super::store::{self, Found, NEVER, Scope, Writer, bytes_of, path_of};
use super::{Error, Library};
use crate::imaging::header::{self, Head};
use crate::imaging::{self, dicomdir};

/// Files read, and then written in one transaction, at a time.
const BATCH: usize = 256;
/// Batches that may wait for the database.
const WAITING: usize = 4;
/// Deepest folders that are looked into.
const MAX_DEPTH: usize = 64;
/// Most files of one folder.
const MAX_FILES: usize = 2_000_000;
/// A file that was written this recently may be written again without a change of its time: some file systems count
/// in steps of two seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// How far a look through files is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files read so far.
    pub done: usize,
    /// Files to be read; 0 while they are being counted.
    pub total: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Canonical path of the folder or DICOMDIR.
    pub root: PathBuf,
    /// Files that are there, pictures or not.
    pub files: usize,
    /// Files whose headers were read now.
    pub read: usize,
    /// Files that were as they had been.
    pub unchanged: usize,
    /// Files taken out because they are gone.
    pub gone: usize,
    /// It was cancelled: what was read so far is kept, and nothing was taken out.
    pub cancelled: bool,
    /// What could not be looked at, a sentence each without the names of files, and how often.
    pub problems: BTreeMap<String, usize>,
    /// From the beginning to the last write.
    pub elapsed: Duration,
}

/// What there is to be read.
#[derive(Default)]
struct Listing {
    found: Vec<Found>,
    /// Folders and files that could not be looked at: what was known of them stays.
    closed: Vec<PathBuf>,
    problems: BTreeMap<String, usize>,
}

impl Listing {
    fn problem(&mut self, sentence: impl Into<String>) {
        *self.problems.entry(sentence.into()).or_default() += 1;
    }

    /// Whether a file that is not in the list is gone, and not only out of reach.
    fn lacks(&self, path: &Path) -> bool {
        // The list may not be of everything, and a file may have come back since it was made: only one that is not
        // there now is gone.
        let is_there = match fs::metadata(path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        };
        !is_there && !self.closed.iter().any(|closed| path.starts_with(closed))
    }
}

impl Library {
    /// Looks through a folder or DICOMDIR, and reads what is new or changed by size or time.
    ///
    /// # Errors
    /// If `root` cannot be looked through, or the database not be written; what was written before stays.
    pub fn index(
        &mut self,
        root: &Path,
        cancel: &AtomicBool,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Summary, Error> {
        let begin = Instant::now();
        let source = |cause| Error::Source {
            path: root.to_owned(),
            cause,
        };
        let root = root.canonicalize().map_err(source)?;
        let listing = if root.is_dir() {
            walk(&root, cancel).map_err(source)?
        } else {
            listed_by(&root)?
        };
        let mut summary = Summary {
            root: root.clone(),
            files: listing.found.len(),
            ..Summary::default()
        };
        self.begin(&root, &listing.found).map_err(|cause| self.failed(cause))?;
        let known = self.known(&root).map_err(|cause| self.failed(cause))?;
        let is_new = |found: &&Found| {
            known.get(&bytes_of(&found.path)) != Some(&(found.size, found.modified)) || found.modified == NEVER
        };
        let fresh: Vec<&Found> = listing.found.iter().filter(is_new).collect();
        summary.unchanged = listing.found.len() - fresh.len();
        summary.read = self.read(&root, &fresh, cancel, progress)?;
        summary.cancelled = cancel.load(Ordering::Relaxed);
        if !summary.cancelled {
            let ended = self.end(&root, &listing, &known);
            summary.gone = ended.map_err(|cause| self.failed(cause))?;
        }
        summary.problems = listing.problems;
        summary.elapsed = begin.elapsed();
        Ok(summary)
    }

    /// Notes that a root is being looked at and, of a DICOMDIR, which files it lists.
    fn begin(&mut self, root: &Path, found: &[Found]) -> rusqlite::Result<()> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let is_directory = Scope::of(root).directory.is_some();
        store::transaction(&mut self.connection, |transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO roots (path, opened, complete) VALUES (?1, ?2, 0)
                ON CONFLICT (path) DO UPDATE SET opened = ?2, complete = 0
                RETURNING id",
            )?;
            let values = params![bytes_of(root), now.as_micros() as i64];
            let id: i64 = insert.query_row(values, |row| row.get(0))?;
            transaction.execute("DELETE FROM listed WHERE root = ?", params![id])?;
            let mut list = transaction.prepare_cached("INSERT INTO listed (root, path) VALUES (?, ?)")?;
            for found in found.iter().filter(|_| is_directory) {
                list.execute(params![id, bytes_of(&found.path)])?;
            }
            Ok(())
        })
    }

    /// Size and time of the files that the database has below a root.
    fn known(&self, root: &Path) -> rusqlite::Result<HashMap<Vec<u8>, (i64, i64)>> {
        let scope = Scope::of(root);
        let mut query = self
            .connection
            .prepare_cached("SELECT path, size, modified FROM files WHERE path >= ?1 AND path < ?2")?;
        let rows = query.query_map(params![scope.from, scope.to], |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })?;
        rows.collect()
    }

    /// Reads files on all cores while this thread writes what comes of them; returns how many were written.
    fn read(
        &mut self,
        root: &Path,
        files: &[&Found],
        cancel: &AtomicBool,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<usize, Error> {
        let total = files.len();
        let done = AtomicUsize::new(0);
        // Where the database fails, the reader is told as when the user cancels.
        let failed = AtomicBool::new(false);
        let stop = || cancel.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
        let read_one = |found: &&Found| {
            let head = header::read(&found.path).map_err(reason);
            progress(Progress {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total,
            });
            head
        };
        let (sender, receiver) = sync_channel::<(&[&Found], Vec<Result<Head, String>>)>(WAITING);
        thread::scope(|scope| {
            let (stop, read_one) = (&stop, &read_one);
            // The sender goes with it: the receiver ends when the last batch is read.
            let read_all = move || {
                for batch in files.chunks(BATCH) {
                    if stop() || sender.send((batch, batch.par_iter().map(read_one).collect())).is_err() {
                        return;
                    }
                }
            };
            let reader = thread::Builder::new().name("read-headers".to_owned());
            let reader = reader.spawn_scoped(scope, read_all);
            if let Err(cause) = reader {
                let path = root.to_owned();
                return Err(Error::Source { path, cause });
            }
            let mut written = 0;
            for (batch, heads) in receiver {
                let stored = self.write(batch, &heads);
                if let Err(cause) = stored {
                    failed.store(true, Ordering::Relaxed);
                    return Err(self.failed(cause));
                }
                written += batch.len();
            }
            Ok(written)
        })
    }

    /// Writes what was read of some files.
    fn write(&mut self, batch: &[&Found], heads: &[Result<Head, String>]) -> rusqlite::Result<()> {
        store::transaction(&mut self.connection, |transaction| {
            let mut writer = Writer::new(transaction);
            let mut read = batch.iter().zip(heads);
            read.try_for_each(|(found, head)| writer.write(found, head))
        })
    }

    /// Takes out what is gone and notes that the look reached its end; returns how many files were taken out.
    fn end(&mut self, root: &Path, listing: &Listing, known: &HashMap<Vec<u8>, (i64, i64)>) -> rusqlite::Result<usize> {
        let there: HashSet<Vec<u8>> = listing.found.iter().map(|found| bytes_of(&found.path)).collect();
        let is_gone = |path: &&Vec<u8>| !there.contains(*path) && listing.lacks(&path_of((*path).clone()));
        let gone: Vec<&Vec<u8>> = known.keys().filter(is_gone).collect();
        store::transaction(&mut self.connection, |transaction| {
            for path in &gone {
                let mut delete = transaction.prepare_cached("DELETE FROM files WHERE path = ?")?;
                delete.execute(params![path])?;
            }
            // Also after a change: a file that was rewritten may have left its series empty.
            store::prune(transaction)?;
            transaction.execute("UPDATE roots SET complete = 1 WHERE path = ?", params![bytes_of(root)])?;
            Ok(gone.len())
        })
    }
}

/// Why a file gives no header, without its name: reasons are counted.
fn reason(error: imaging::Error) -> String {
    match error {
        imaging::Error::Read { cause, .. } => format!("cannot be read: {cause}"),
        imaging::Error::Undecodable { reason, .. } => reason,
    }
}

fn found(path: PathBuf, metadata: &Metadata, now: SystemTime) -> Found {
    let modified = metadata.modified().ok();
    let settled = modified.filter(|&modified| {
        // A time in the future says nothing of when the file was written.
        now.duration_since(modified).is_ok_and(|age| age >= SETTLED)
    });
    let nanoseconds = settled.and_then(|modified| match modified.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|before| -before),
    });
    Found {
        path,
        size: i64::try_from(metadata.len()).unwrap_or(i64::MAX),
        modified: nanoseconds.unwrap_or(NEVER),
    }
}

/// Every regular file below a folder; hidden ones, pipes, devices and loops of links are passed over.
fn walk(root: &Path, cancel: &AtomicBool) -> io::Result<Listing> {
    // A folder that cannot be read is a failure of its own, and nothing below it is gone.
    fs::read_dir(root)?;
    let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    let mut listing = Listing::default();
    let now = SystemTime::now();
    for entry in WalkDir::new(root)
        .follow_links(true)
        .max_depth(MAX_DEPTH)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(visible)
    {
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        let metadata = match entry {
            Ok(entry) if !entry.file_type().is_file() => continue,
            Ok(entry) => entry.metadata().map(|metadata| (entry.into_path(), metadata)),
            Err(error) => Err(error),
        };
        match metadata {
            Ok((path, metadata)) => listing.found.push(found(path, &metadata, now)),
            Err(error) => unwalkable(&error, &mut listing),
        }
        if listing.found.len() == MAX_FILES {
            listing.problem(format!("only the first {MAX_FILES} files were looked at"));
            break;
        }
    }
    Ok(listing)
}

fn unwalkable(error: &walkdir::Error, listing: &mut Listing) {
    if error.loop_ancestor().is_some() {
        listing.problem("a link leads back to a folder that it lies in");
        return;
    }
    let cause = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    let is_missing = error
        .io_error()
        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_missing {
        listing.problem("a link leads nowhere, or the file went away");
        return;
    }
    listing.problem(format!("a folder or file cannot be looked at: {cause}"));
    if let Some(path) = error.path() {
        listing.closed.push(path.to_owned());
    }
}

/// The files that a DICOMDIR lists.
fn listed_by(path: &Path) -> Result<Listing, Error> {
    let directory = dicomdir::read(path)?;
    let mut listing = Listing::default();
    for warning in directory.warnings {
        listing.problem(warning.trim_end_matches('.').to_owned());
    }
    for _ in directory.missing {
        listing.problem("a file that the DICOMDIR lists is not there");
    }
    let now = SystemTime::now();
    let mut seen = HashSet::new();
    for path in directory.files {
        if !seen.insert(path.clone()) {
            listing.problem("the DICOMDIR lists a file twice");
            continue;
        }
        match fs::metadata(&path) {
            Ok(metadata) => listing.found.push(found(path, &metadata, now)),
            Err(error) => listing.problem(format!("a listed file cannot be looked at: {error}")),
        }
    }
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_gone_only_if_it_is_not_there_now_and_its_place_can_be_seen() {
        let folder = tempfile::tempdir().unwrap();
        let [gone, there, closed, below] =
            ["gone", "there", "closed", "closed/below"].map(|name| folder.path().join(name));
        fs::write(&there, b"").unwrap();
        let listing = Listing {
            closed: vec![closed.clone()],
            ..Listing::default()
        };
        assert!(listing.lacks(&gone));
        assert!(
            listing.lacks(&there.join("below")),
            "a file stands in the place of its folder"
        );
        assert!(listing.lacks(folder.path()), "a folder stands in its place");
        assert!(!listing.lacks(&there), "it came back after the look");
        assert!(!listing.lacks(&closed), "the file itself cannot be looked at");
        assert!(!listing.lacks(&below), "nor can its folder");
    }
}
