//! What a batch has written, so that it can go on: kept in the output folder, and useless without the key: sources stand
//! there as keyed hashes, and its first line tells which key that is.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Key;

/// Its name in the output folder.
pub(super) const NAME: &str = ".recovnet-deidentify.jsonl";

/// One line: a file that was written.
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
}

/// The journal of an output folder.
pub(super) struct Journal {
    path: PathBuf,
    head: Head,
    /// Open once something was written.
    file: Option<File>,
    entries: HashMap<String, Entry>,
}

impl Journal {
    /// Reads the journal of a key, if there is one; a line that was cut off is passed over. Nothing is written before
    /// the first entry is.
    pub(super) fn open(folder: &Path, key: &Key) -> Result<Self, Fault> {
        let path = folder.join(NAME);
        let head = Head { key: key.mark() };
        let mut entries = HashMap::new();
        match File::open(&path) {
            Ok(file) => {
                let mut is_ours = false;
                for line in BufReader::new(file).split(b'\n') {
                    let line = line.map_err(Fault::Unreadable)?;
                    if let Ok(found) = serde_json::from_slice::<Head>(&line) {
                        is_ours = found == head;
                    } else if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
                        entries.insert(entry.source.clone(), entry);
                    } else {
                        continue;
                    }
                    if !is_ours {
                        return Err(Fault::OtherKey);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::Unreadable(error)),
        }
        Ok(Self {
            path,
            head,
            file: None,
            entries,
        })
    }

    /// What is known of a source.
    pub(super) fn entry(&self, source: &str) -> Option<&Entry> {
        self.entries.get(source)
    }

    /// Whether the journal knows a file of the folder.
    pub(super) fn knows(&self, file: &str) -> bool {
        self.entries.values().any(|entry| entry.file == file)
    }

    /// Adds a line.
    pub(super) fn add(&mut self, entry: Entry) -> io::Result<()> {
        let mut lines = Vec::new();
        if self.file.is_none() {
            // Behind a line that was cut off, the next one begins anew.
            lines.push(b'\n');
            lines.extend(serde_json::to_vec(&self.head)?);
            lines.push(b'\n');
        }
        lines.extend(serde_json::to_vec(&entry)?);
        lines.push(b'\n');
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().create(true).append(true).open(&self.path)?),
        };
        file.write_all(&lines)?;
        self.entries.insert(entry.source.clone(), entry);
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
