//! The model list: the user's folder of weights, and beside it every version that was ever promoted. Weights that are
//! replaced stay as a version; nothing is deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::inference::models;
use crate::nn::{ModelCard, weights};

use super::Error;

/// Folder below the list that holds versions: `versions/NAME/VERSION-HASH/NAME.safetensors`.
const VERSIONS: &str = "versions";
/// Which versions were active, oldest first, a SHA-256 a line.
const HISTORY: &str = "history.json";
/// Digits of the hash in a version's folder.
const HASH_DIGITS: usize = 8;

/// A version of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    /// Version in its card.
    pub version: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// Threshold in its card.
    pub threshold: f64,
    /// Its weights.
    pub weights: PathBuf,
    /// Whether it is the one that the list offers.
    pub active: bool,
}

/// What was active, for the way back.
#[derive(Debug, Default, Serialize, Deserialize)]
struct History {
    activated: Vec<String>,
}

/// The folder of the model list.
#[derive(Debug, Clone)]
pub struct Registry {
    folder: PathBuf,
}

impl Registry {
    /// The list in a folder.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The user's own list, which programs look into before the weights beside them; `None` where the system knows no
    /// home.
    pub fn of_user() -> Option<Self> {
        models::user_folder().map(|folder| Self { folder })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every version of a model, oldest first; empty if the list never held one.
    pub fn versions(&self, name: &str) -> Vec<Version> {
        let active = self.active(name);
        let mut found = Vec::new();
        let folders = fs::read_dir(self.versions_folder(name)).into_iter().flatten().flatten();
        for entry in folders {
            let path = weights_in(&entry.path(), name);
            if let Ok(card) = ModelCard::beside(&path)
                && path.is_file()
            {
                let modified = entry.metadata().and_then(|about| about.modified()).ok();
                found.push((modified, version(card, path, active.as_ref())));
            }
        }
        found.sort_by(|a, b| (a.0, &a.1.version).cmp(&(b.0, &b.1.version)));
        let mut versions: Vec<Version> = found.into_iter().map(|(_, version)| version).collect();
        // What was put into the list by hand has no folder among the versions yet.
        if let Some(card) = active.filter(|card| versions.iter().all(|v| v.sha256 != card.sha256)) {
            let sha256 = card.sha256.clone();
            let mut own = version(card, weights_in(&self.folder, name), None);
            own.active = own.sha256 == sha256;
            versions.push(own);
        }
        versions
    }

    /// The card of what the list offers under a name.
    pub fn active(&self, name: &str) -> Option<ModelCard> {
        let path = weights_in(&self.folder, name);
        ModelCard::beside(&path).ok().filter(|_| path.is_file())
    }

    /// Puts weights into the list under their card's name; returns where they lie, the card as it was written and the
    /// version that was replaced. A version that other weights have already gets a number behind it.
    ///
    /// # Errors
    /// If the weights are not the card's, or the folder cannot be written.
    pub fn install(&self, source: &Path, mut card: ModelCard) -> Result<(PathBuf, ModelCard, Option<String>), Error> {
        check_name(&card.name)?;
        let former = self.keep_active(&card.name)?;
        card.version = self.unique_version(&card);
        let folder = self.version_folder(&card);
        make_folder(&folder)?;
        let kept = weights_in(&folder, &card.name);
        copy_verified(source, &kept, &card.sha256)?;
        write_card(&kept, &card)?;
        let active = self.activate(&kept, &card)?;
        let replaces = former.filter(|former| former.sha256 != card.sha256);
        Ok((active, card, replaces.map(|former| former.version)))
    }

    /// Goes back to another version of a model: the one named (by version or beginning of its SHA-256), or the one
    /// that was active before.
    ///
    /// # Errors
    /// If there is none, its weights are not its card's, or the folder cannot be written.
    pub fn roll_back(&self, name: &str, to: Option<&str>) -> Result<ModelCard, Error> {
        self.keep_active(name)?;
        let versions = self.versions(name);
        let chosen = match to {
            Some(to) => self.named(name, &versions, to)?,
            None => self.former(name, &versions)?,
        };
        let card = ModelCard::beside(&chosen.weights)?;
        weights::verify(&chosen.weights, &card.sha256)?;
        self.activate(&chosen.weights, &card)?;
        Ok(card)
    }

    /// Takes a model out of the list, so that weights elsewhere are used again; it stays among the versions.
    ///
    /// # Errors
    /// If the list holds none, or the folder cannot be written.
    pub fn withdraw(&self, name: &str) -> Result<(), Error> {
        if self.keep_active(name)?.is_none() {
            let folder = self.folder.display();
            return Err(Error::NoVersion(format!("{folder}: the model list holds no {name}")));
        }
        let active = weights_in(&self.folder, name);
        // The card last: without weights it stands for nothing.
        for path in [active.clone(), active.with_extension("json")] {
            fs::remove_file(&path).map_err(|e| cannot_write(&path, &e))?;
        }
        Ok(())
    }

    fn named<'a>(&self, name: &str, versions: &'a [Version], to: &str) -> Result<&'a Version, Error> {
        let fits = |v: &&Version| v.version == to || (to.len() >= HASH_DIGITS && v.sha256.starts_with(to));
        versions.iter().find(fits).ok_or_else(|| {
            let have: Vec<String> = versions.iter().map(describe).collect();
            Error::NoVersion(format!(
                "{}: there is no version '{to}' of {name}; there are: {}",
                self.folder.display(),
                if have.is_empty() {
                    "none".to_owned()
                } else {
                    have.join(", ")
                }
            ))
        })
    }

    /// The version that was active before the one that is now.
    fn former<'a>(&self, name: &str, versions: &'a [Version]) -> Result<&'a Version, Error> {
        let active = weights_in(&self.folder, name);
        let now = self.active(name).map(|card| card.sha256);
        // Weights that are not their card's are nothing that could be gone back from.
        let now = now.filter(|sha256| weights::verify(&active, sha256).is_ok());
        let history = self.history(name);
        let before = history.activated.iter().rev().filter(|sha| Some(*sha) != now.as_ref());
        let mut found = before.filter_map(|sha| versions.iter().find(|version| version.sha256 == *sha));
        found.next().ok_or_else(|| {
            Error::NoVersion(format!(
                "{}: {name} has no former version to go back to",
                self.folder.display()
            ))
        })
    }

    /// Keeps what the list offers now among the versions, so that it is not lost; returns its card.
    fn keep_active(&self, name: &str) -> Result<Option<ModelCard>, Error> {
        let Some(card) = self.active(name) else {
            return Ok(None);
        };
        let kept = weights_in(&self.version_folder(&card), name);
        let active = weights_in(&self.folder, name);
        // Weights that are not their card's were left by an interrupted change: there is nothing to keep.
        if !kept.is_file() && weights::verify(&active, &card.sha256).is_ok() {
            make_folder(&self.version_folder(&card))?;
            copy_verified(&active, &kept, &card.sha256)?;
            copy_card(&active, &kept)?;
        }
        self.remember(&card)?;
        Ok(Some(card))
    }

    /// Makes a version the one that the list offers. A change that is interrupted between the two files leaves weights
    /// that are not their card's, which nothing loads; rolling back mends it.
    fn activate(&self, kept: &Path, card: &ModelCard) -> Result<PathBuf, Error> {
        let active = weights_in(&self.folder, &card.name);
        copy_verified(kept, &active, &card.sha256)?;
        copy_card(kept, &active)?;
        self.remember(card)?;
        Ok(active)
    }

    /// Puts a version behind those that were active.
    fn remember(&self, card: &ModelCard) -> Result<(), Error> {
        let mut history = self.history(&card.name);
        if history.activated.last() == Some(&card.sha256) {
            return Ok(());
        }
        history.activated.push(card.sha256.clone());
        self.write_history(&card.name, &history)
    }

    /// The card's version, with a number behind it if other weights of the name have it already.
    fn unique_version(&self, card: &ModelCard) -> String {
        let versions = self.versions(&card.name);
        let is_free = |candidate: &String| {
            let same = |v: &Version| v.version == *candidate && v.sha256 != card.sha256;
            !versions.iter().any(same)
        };
        let numbered = (2_usize..).map(|number| format!("{}-{number}", card.version));
        let mut candidates = std::iter::once(card.version.clone()).chain(numbered);
        candidates.find(is_free).expect("there is no last number")
    }

    fn versions_folder(&self, name: &str) -> PathBuf {
        self.folder.join(VERSIONS).join(name)
    }

    fn version_folder(&self, card: &ModelCard) -> PathBuf {
        let plain = |c: char| {
            if c.is_alphanumeric() || ".-_".contains(c) {
                c
            } else {
                '_'
            }
        };
        let version: String = card.version.chars().map(plain).collect();
        let hash = card.sha256.get(..HASH_DIGITS).unwrap_or(&card.sha256);
        self.versions_folder(&card.name).join(format!("{version}-{hash}"))
    }

    fn history(&self, name: &str) -> History {
        let text = fs::read_to_string(self.versions_folder(name).join(HISTORY));
        text.ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    fn write_history(&self, name: &str, history: &History) -> Result<(), Error> {
        let folder = self.versions_folder(name);
        make_folder(&folder)?;
        let path = folder.join(HISTORY);
        let json = serde_json::to_vec_pretty(history).map_err(|e| cannot_write(&path, &e.into()))?;
        atomic_file::write(&path, &json).map_err(|e| cannot_write(&path, &e))
    }
}

/// A name becomes a file's: it must be a network's and nothing else.
fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_plain && !name.is_empty() {
        return Ok(());
    }
    Err(Error::NoVersion(format!(
        "'{name}' in the model card is no network's name"
    )))
}

fn weights_in(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.safetensors"))
}

fn version(card: ModelCard, weights: PathBuf, active: Option<&ModelCard>) -> Version {
    Version {
        active: active.is_some_and(|active| active.sha256 == card.sha256),
        version: card.version,
        sha256: card.sha256,
        threshold: card.threshold,
        weights,
    }
}

fn describe(version: &Version) -> String {
    let hash = version.sha256.get(..HASH_DIGITS).unwrap_or(&version.sha256);
    format!("{} ({hash})", version.version)
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        reason: format!("cannot be written: {error}"),
    }
}

fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|e| cannot_write(path, &e))
}

fn write_card(weights: &Path, card: &ModelCard) -> Result<(), Error> {
    let path = weights.with_extension("json");
    let text = serde_json::to_string_pretty(card).map_err(|e| cannot_write(&path, &e.into()))?;
    atomic_file::write(&path, format!("{text}\n").as_bytes()).map_err(|e| cannot_write(&path, &e))
}

/// Copies the card beside weights byte by byte, so that no number in it changes.
fn copy_card(from: &Path, to: &Path) -> Result<(), Error> {
    let (from, to) = (from.with_extension("json"), to.with_extension("json"));
    let bytes = fs::read(&from).map_err(|e| Error::File {
        path: from,
        reason: format!("cannot be read: {e}"),
    })?;
    atomic_file::write(&to, &bytes).map_err(|e| cannot_write(&to, &e))
}

/// Copies weights whole or not at all; refuses bytes that are not the card's, before and after.
fn copy_verified(from: &Path, to: &Path, sha256: &str) -> Result<(), Error> {
    if weights::verify(to, sha256).is_ok() {
        return Ok(());
    }
    weights::verify(from, sha256)?;
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    let mut file = atomic_file::create(to).map_err(|e| cannot_write(to, &e))?;
    let mut source = fs::File::open(from).map_err(|e| Error::File {
        path: from.to_owned(),
        reason: format!("cannot be read: {e}"),
    })?;
    io::copy(&mut source, &mut file).map_err(|e| cannot_write(to, &e))?;
    atomic_file::keep(file, to).map_err(|e| cannot_write(to, &e))?;
    Ok(weights::verify(to, sha256)?)
}
