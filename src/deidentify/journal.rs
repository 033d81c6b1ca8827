//! What a batch has written, so that it can go on: kept in the output folder, and useless without the key: sources stand
//! there as keyed hashes, and its first line tells which key that is. A line is there before its file is: a batch that is
//! killed between the two knows the file's name as its own, and writes it again.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Key;

/// Its name in the output folder.
pub(super) const NAME: &str = ".recovnet-deidentify.jsonl";

/// One line: a file that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Keyed hash of the source's place, length and time of change, and of the settings.
    pub source: String,
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
    /// It cannot be read.
    Unreadable(io::Error),
    /// It belongs to another key, or to none that it names.
    OtherKey,
    /// Another batch is writing it.
    InUse,
}

/// The journal of an output folder.
pub(super) struct Journal {
    path: PathBuf,
    head: Head,
    /// Open and locked while this batch writes: from the beginning if it goes on, else from its first entry.
    file: Option<File>,
    /// Its first line is written.
    has_head: bool,
    entries: HashMap<String, Entry>,
    /// Names of the files of all entries, those that later ones took the place of as well.
    files: HashSet<String>,
}

impl Journal {
    /// Reads the journal of a key, if there is one; a line that was cut off is passed over. Nothing is written before
    /// the first entry is.
    pub(super) fn open(folder: &Path, key: &Key) -> Result<Self, Fault> {
        let mut journal = Self {
            path: folder.join(NAME),
            head: Head { key: key.mark() },
            file: None,
            has_head: false,
            entries: HashMap::new(),
            files: HashSet::new(),
        };
        match File::open(&journal.path) {
            Ok(file) => journal.read(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(journal),
            Err(error) => return Err(Fault::Unreadable(error)),
        }
        journal.lock()?;
        Ok(journal)
    }

    fn read(&mut self, file: File) -> Result<(), Fault> {
        let mut is_ours = false;
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(Fault::Unreadable)?;
            if let Ok(found) = serde_json::from_slice::<Head>(&line) {
                is_ours = found == self.head;
            } else if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
                self.know(entry);
            } else {
                continue;
            }
            if !is_ours {
                return Err(Fault::OtherKey);
            }
        }
        Ok(())
    }

    /// Opens the file for writing, if it is not, for this batch alone.
    fn lock(&mut self) -> Result<&mut File, Fault> {
        let open = || {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)
                .map_err(Fault::Unreadable)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => Err(Fault::InUse),
                // Some file systems know no locks.
                Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
            }
        };
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(open()?)),
        }
    }

    fn know(&mut self, entry: Entry) {
        self.files.insert(entry.file.clone());
        self.entries.insert(entry.source.clone(), entry);
    }

    /// What is known of a source.
    pub(super) fn entry(&self, source: &str) -> Option<&Entry> {
        self.entries.get(source)
    }

    /// Whether the journal knows a file of the folder.
    pub(super) fn knows(&self, file: &str) -> bool {
        self.files.contains(file)
    }

    /// Adds a line.
    pub(super) fn add(&mut self, entry: Entry) -> io::Result<()> {
        let mut lines = Vec::new();
        if !self.has_head {
            // Behind a line that was cut off, the next one begins anew.
            lines.push(b'\n');
            lines.extend(serde_json::to_vec(&self.head)?);
            lines.push(b'\n');
        }
        lines.extend(serde_json::to_vec(&entry)?);
        lines.push(b'\n');
        let file = self.lock().map_err(|fault| match fault {
            Fault::Unreadable(error) => error,
            Fault::OtherKey | Fault::InUse => io::Error::other("another batch is writing into this folder"),
        })?;
        file.write_all(&lines)?;
        self.has_head = true;
        self.know(entry);
        Ok(())
    }
}

impl Entry {
    /// Whether the file is there as it was written.
    pub(super) fn is_whole(&self, folder: &Path) -> bool {
        let is_name = !self.file.contains(['/', '\\']);
        let bytes = is_name.then(|| std::fs::read(folder.join(&self.file)).ok()).flatten();
        bytes.is_some_and(|bytes| blake3::hash(&bytes).to_hex().as_str() == self.hash)
    }
}
