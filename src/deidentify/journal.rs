//! What a batch has written, so that it can go on: kept in the output folder, and useless without the key: sources stand
//! there as keyed hashes, and its first line tells which key that is. A line is there before its file is: a batch that is
//! killed between the two knows the file's name as its own, and writes it again.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Key;

/// Its name in the output folder.
const NAME: &str = ".recovnet-deidentify.jsonl";

/// One line: a file that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Keyed hash of the source's place, length and time of change, and of the settings.
    pub source: String,
    /// Keyed hash of the source's place alone.
    pub place: String,
    /// Name of the file in the output folder.
    pub file: String,
    /// BLAKE3 of the file, in hexadecimal digits.
    pub hash: String,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// Tells the key; see [`super::Key::mark`].
    key: String,
}

/// Why there is no journal.
#[derive(Debug)]
pub(super) enum Fault {
    /// It cannot be read, written or locked.
    Unusable(io::Error),
    /// It has entries, and it was not said to go on.
    NotEmpty,
    /// It belongs to another key, or to none that it names.
    OtherKey,
    /// Another batch is writing it.
    InUse,
}

/// Whether a folder has a journal with anything in it; a batch that was killed before its first entry leaves an empty one.
pub(super) fn is_begun(folder: &Path) -> bool {
    fs::metadata(folder.join(NAME)).is_ok_and(|metadata| metadata.len() > 0)
}

/// The journal of an output folder, this batch's alone for as long as it is open.
pub(super) struct Journal {
    path: PathBuf,
    head: Head,
    file: File,
    is_locked: bool,
    /// The next line follows a head and a line that is whole.
    has_head: bool,
    /// What earlier batches wrote, by source.
    sources: HashMap<String, Entry>,
    /// What earlier batches wrote last, by file.
    files: HashMap<String, Entry>,
    /// Names of the files that this batch writes.
    added: HashSet<String>,
}

impl Journal {
    /// Opens the journal of a key for this batch alone, and reads it; a line that was cut off is passed over. Nothing is
    /// written before the first entry is.
    pub(super) fn open(folder: &Path, key: &Key, goes_on: bool) -> Result<Self, Fault> {
        let path = folder.join(NAME);
        // Read through the handle that is locked; one that can only be appended to cannot be locked on Windows.
        let mut options = OpenOptions::new();
        let opened = options.read(true).append(true).create(true).open(&path);
        let file = opened.map_err(Fault::Unusable)?;
        let is_locked = is_locked(file.try_lock())?;
        if is_gone(&file, &path) {
            return Err(Fault::InUse);
        }
        if !goes_on && file.metadata().map_err(Fault::Unusable)?.len() > 0 {
            return Err(Fault::NotEmpty);
        }
        let mut journal = Self {
            path,
            head: Head { key: key.mark() },
            file,
            is_locked,
            has_head: false,
            sources: HashMap::new(),
            files: HashMap::new(),
            added: HashSet::new(),
        };
        for entry in journal.read()? {
            journal.files.insert(entry.file.clone(), entry.clone());
            journal.sources.insert(entry.source.clone(), entry);
        }
        Ok(journal)
    }

    fn read(&self) -> Result<Vec<Entry>, Fault> {
        let mut entries = Vec::new();
        let mut is_ours = false;
        for line in BufReader::new(&self.file).split(b'\n') {
            let line = line.map_err(Fault::Unusable)?;
            if let Ok(found) = serde_json::from_slice::<Head>(&line) {
                is_ours = found == self.head;
            } else if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
                entries.push(entry);
            } else {
                continue;
            }
            if !is_ours {
                return Err(Fault::OtherKey);
            }
        }
        Ok(entries)
    }

    /// Whether no other batch can be at work in the folder; where the file system knows no locks, one may be.
    pub(super) fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// What earlier batches wrote of a source, unless it was another place's file that was last written under the name.
    pub(super) fn entry(&self, source: &str) -> Option<&Entry> {
        let entry = self.sources.get(source)?;
        let last = self.files.get(&entry.file)?;
        (last.place == entry.place).then_some(entry)
    }

    /// Whether the journal knows a file of the folder.
    pub(super) fn knows(&self, file: &str) -> bool {
        self.files.contains_key(file) || self.added.contains(file)
    }

    /// Whether an earlier batch wrote something else under the entry's name, of a file at another place.
    pub(super) fn has_other(&self, entry: &Entry) -> bool {
        let last = self.files.get(&entry.file);
        last.is_some_and(|last| last.place != entry.place && last.hash != entry.hash)
    }

    /// Adds a line.
    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let mut lines = Vec::new();
        if !self.has_head {
            // Behind a line that was cut off, the next one begins anew.
            lines.push(b'\n');
            lines.extend(serde_json::to_vec(&self.head)?);
            lines.push(b'\n');
        }
        lines.extend(serde_json::to_vec(entry)?);
        lines.push(b'\n');
        let written = self.file.write_all(&lines);
        // What a full disk cut off is not to swallow the next line.
        self.has_head = written.is_ok();
        written?;
        self.added.insert(entry.file.clone());
        Ok(())
    }
}

impl Drop for Journal {
    /// Takes away a journal in which nothing stands.
    fn drop(&mut self) {
        if self.is_locked && self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            // One that stays is passed over by the next batch.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a lock that was tried for is held: some file systems know none, and two batches there are the user's business.
fn is_locked(tried: Result<(), TryLockError>) -> Result<bool, Fault> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Err(Fault::InUse),
        Err(TryLockError::Error(error)) if knows_no_locks(&error) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Fault::Unusable(error)),
    }
}

fn knows_no_locks(error: &io::Error) -> bool {
    // What a network file system without a lock server answers has no kind of its own.
    #[cfg(unix)]
    let is_without_server = error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error());
    #[cfg(not(unix))]
    let is_without_server = false;
    error.kind() == io::ErrorKind::Unsupported || is_without_server
}

/// Whether a batch that ended took the file away after it was opened here and before it was locked.
fn is_gone(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    let has_name = file
        .metadata()
        .is_ok_and(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) > 0);
    #[cfg(not(unix))]
    let has_name = file.metadata().is_ok();
    !(has_name && path.exists())
}

impl Entry {
    /// Whether the file is there as it was written.
    pub(super) fn is_whole(&self, folder: &Path) -> bool {
        let is_name = !self.file.contains(['/', '\\']);
        let bytes = is_name.then(|| fs::read(folder.join(&self.file)).ok()).flatten();
        bytes.is_some_and(|bytes| blake3::hash(&bytes).to_hex().as_str() == self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        let text = |kind: &str| format!("{kind} of {name}");
        Entry {
            source: text("source"),
            place: text("place"),
            file: name.to_owned(),
            hash: text("hash"),
        }
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_take_the_next_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::of(b"a secret of some length");
        let mut journal = Journal::open(folder.path(), &key, false).unwrap();
        journal.add(&entry("first")).unwrap();
        // As on a full disk: half a line is written, then an error.
        let unwritable = File::open(&journal.path).unwrap();
        let mut file = std::mem::replace(&mut journal.file, unwritable);
        file.write_all(b"{\"source\":\"source of se").unwrap();
        assert!(journal.add(&entry("second")).is_err());
        journal.file = file;
        journal.add(&entry("third")).unwrap();
        drop(journal);
        let journal = Journal::open(folder.path(), &key, true).unwrap();
        assert!(journal.knows("first") && journal.knows("third") && !journal.knows("second"));
        assert_eq!(journal.entry("source of third"), Some(&entry("third")));
    }

    #[test]
    fn a_name_is_the_place_s_that_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::of(b"a secret of some length");
        let mut journal = Journal::open(folder.path(), &key, false).unwrap();
        let (first, mut later) = (entry("name"), entry("later"));
        later.file.clone_from(&first.file);
        journal.add(&first).unwrap();
        journal.add(&later).unwrap();
        // Within a batch, it is not the journal that decides.
        assert!(!journal.has_other(&first) && !journal.has_other(&later));
        drop(journal);
        let journal = Journal::open(folder.path(), &key, true).unwrap();
        assert_eq!(journal.entry(&first.source), None);
        assert_eq!(journal.entry(&later.source), Some(&later));
        assert!(journal.has_other(&first) && !journal.has_other(&later));
        // The same bytes from elsewhere are the same object.
        let moved = Entry {
            place: first.place,
            ..later
        };
        assert!(!journal.has_other(&moved));
    }

    #[test]
    fn only_a_file_system_without_locks_goes_without_one() {
        let fails = |kind: io::ErrorKind| is_locked(Err(TryLockError::Error(kind.into())));
        assert!(matches!(is_locked(Ok(())), Ok(true)));
        assert!(matches!(is_locked(Err(TryLockError::WouldBlock)), Err(Fault::InUse)));
        assert!(matches!(fails(io::ErrorKind::Unsupported), Ok(false)));
        assert!(matches!(
            fails(io::ErrorKind::PermissionDenied),
            Err(Fault::Unusable(_))
        ));
    }

    #[test]
    fn a_journal_that_was_taken_away_before_it_was_locked_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let file = File::create(&path).unwrap();
        assert!(!is_gone(&file, &path));
        fs::remove_file(&path).unwrap();
        assert!(is_gone(&file, &path));
        // Another batch has made its own since.
        #[cfg(unix)]
        {
            File::create(&path).unwrap();
            assert!(is_gone(&file, &path));
        }
    }
}
