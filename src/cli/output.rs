//! Files and lines that commands write: files appear whole or not at all.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::atomic_file;

/// Writes a whole file; its folder is made if need be.
///
/// # Errors
/// If the folder cannot be made or the file not be written; nothing is left under `path` then that was not there.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    make_folder(path)?;
    atomic_file::write(path, bytes).with_context(|| cannot_write(path))
}

/// The same, readable by its owner alone.
///
/// # Errors
/// As [`write`].
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    make_folder(path)?;
    atomic_file::write_private(path, bytes).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("{}: cannot be written", path.display())
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::create_dir_all(folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))
}

/// Where JSON lines go.
pub enum Lines {
    /// Standard output, a line at a time.
    Stdout,
    /// A file that gets its name when all lines are there.
    File {
        /// The lines so far.
        file: io::BufWriter<NamedTempFile>,
        /// Its name in the end.
        path: PathBuf,
    },
    /// Nowhere: the caller prints words for a reader instead.
    Words,
}

impl Lines {
    /// What `--json` asks for: `-`, a file, or nothing, which means words on a terminal and JSON elsewhere.
    ///
    /// # Errors
    /// If the file cannot be begun.
    pub fn open(json: Option<&Path>) -> anyhow::Result<Self> {
        match json {
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout),
            Some(path) => {
                make_folder(path)?;
                let file = io::BufWriter::new(atomic_file::create(path).with_context(|| cannot_write(path))?);
                Ok(Self::File {
                    file,
                    path: path.to_owned(),
                })
            }
            None if io::stdout().is_terminal() => Ok(Self::Words),
            None => Ok(Self::Stdout),
        }
    }

    /// Writes one value as one line; does nothing where words are printed.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub fn write(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(value).context("the result cannot be written as JSON")?;
        line.push(b'\n');
        match self {
            Self::Words => Ok(()),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&line)
                    .and_then(|()| out.flush())
                    .context("standard output cannot be written")
            }
            Self::File { file, path } => file.write_all(&line).with_context(|| cannot_write(path)),
        }
    }

    /// Gives a file its name.
    ///
    /// # Errors
    /// If its last bytes cannot be written.
    pub fn close(self) -> anyhow::Result<()> {
        let Self::File { file, path } = self else { return Ok(()) };
        let file = file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .with_context(|| cannot_write(&path))?;
        atomic_file::keep(file, &path).with_context(|| cannot_write(&path))
    }
}

/// A bar on standard error; invisible if that is no terminal or there is one file only.
pub fn progress_bar(files: usize) -> ProgressBar {
    if files < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} images, {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(files as u64).with_style(style)
}
