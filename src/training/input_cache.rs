//! Network inputs that were decoded before, on disk: the second epoch and the second run map them instead of decoding
//! again, so that a large data set needs no memory of its own.
//!
//! An input is found by its files' name, size and time, else by their bytes. Packs are never changed, so any of them
//! may be deleted at any moment, also by hand. What cannot be cached is kept in memory, and [`InputCache::stats`] says
//! so.

use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};

use crate::nn::InputSpec;

use super::input_pack::{EXTENSION, Entry, Key, MappedLevels, Pack, Shape};
use super::sample::Sample;

/// Version of what `imaging` and `preprocess` make of a file, and of how a segmenter's output becomes a mask. Whoever
/// changes a pixel of an input raises it.
pub const PREPROCESSING: u32 = 2;
/// Bytes on disk that the cache may take: QaTa-COV19 with its control groups at 224 pixels takes 13 GB.
pub const DEFAULT_LIMIT: u64 = 20 << 30;
/// Bytes of inputs that are put into one pack.
const PACK_BYTES: usize = 32 << 20;
/// Largest file that is cached.
const MOST_BYTES: u64 = 1 << 30;
/// A file that was changed so lately may be changed again without its time showing it.
const UNSETTLED: Duration = Duration::from_secs(2);
/// Age of temporary files that nobody writes any more.
const ABANDONED: Duration = Duration::from_hours(24);

/// 16-bit greys of an input, in memory or in a mapped pack.
#[derive(Debug, Clone)]
pub enum Levels {
    /// In memory.
    Memory(Vec<u16>),
    /// In the cache.
    Mapped(MappedLevels),
}

impl Deref for Levels {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        match self {
            Self::Memory(levels) => levels,
            Self::Mapped(levels) => levels,
        }
    }
}

impl PartialEq for Levels {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// What a cache did since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Inputs that were there.
    pub hits: usize,
    /// Inputs that had to be decoded.
    pub decoded: usize,
    /// Of those, inputs that stay in memory because the cache has no room or cannot be written.
    pub in_memory: usize,
    /// Why it cannot be used or written, if so.
    pub problem: Option<String>,
}

/// What names an input's files.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Their paths, sizes and times; none if they were changed a moment ago.
    stamp: Option<Key>,
    /// The same as they were when the bytes were read.
    seen: Option<Key>,
    /// Their bytes.
    content: Key,
}

/// What all inputs of a cache have in common.
#[derive(Debug, Clone, Copy)]
pub struct Geometry<'a> {
    /// What the network is given.
    pub spec: &'a InputSpec,
    /// Whether there are lung masks beside the inputs.
    pub masks: bool,
    /// What found the lungs, where only a part of the picture is given: [`super::lungs::Lungs::name`].
    pub segmenter: Option<&'a str>,
}

/// Inputs of one geometry in a folder that caches of other geometries share.
pub struct InputCache {
    root: PathBuf,
    folder: PathBuf,
    /// Folder of another geometry that is in use, whose packs are not deleted.
    spared: Option<PathBuf>,
    shape: Shape,
    limit: u64,
    index: RwLock<Index>,
    stats: Mutex<Stats>,
}

#[derive(Default)]
struct Index {
    packs: Vec<Arc<Pack>>,
    by_stamp: HashMap<Key, Key>,
    by_content: HashMap<Key, (u32, u32)>,
    /// Names that were found for inputs of other names.
    aliases: Vec<Entry>,
}

impl Index {
    fn add(&mut self, pack: Pack) -> Arc<Pack> {
        let number = self.packs.len() as u32;
        for (i, entry) in pack.entries.iter().enumerate() {
            if entry.stamp != Key::default() {
                self.by_stamp.insert(entry.stamp, entry.content);
            }
            if pack.has_inputs {
                self.by_content.insert(entry.content, (number, i as u32));
            }
        }
        let pack = Arc::new(pack);
        self.packs.push(Arc::clone(&pack));
        pack
    }
}

impl InputCache {
    /// Opens the cache in a folder, which is made if need be, for inputs of one geometry. Damaged packs are deleted. A
    /// folder that cannot be used makes a cache that holds nothing and says why in its [`Stats`].
    ///
    /// `limit` bounds the bytes of all packs in the folder; the longest unused are deleted first, those of this run
    /// never.
    pub fn open(root: &Path, limit: u64, geometry: &Geometry<'_>) -> Self {
        let folder = root.join(folder_name(geometry));
        let shape = Shape {
            pixels: geometry.spec.width * geometry.spec.height,
            with_mask: geometry.masks,
        };
        let mut cache = Self {
            root: root.to_owned(),
            folder,
            spared: None,
            shape,
            limit,
            index: RwLock::default(),
            stats: Mutex::default(),
        };
        if let Err(cause) = fs::create_dir_all(&cache.folder) {
            cache.stats.get_mut().problem = Some(format!("{}: {cause}", cache.folder.display()));
            return cache;
        }
        remove_abandoned(&cache.folder);
        for (path, _) in packs_in(&cache.folder) {
            match Pack::open(&path, shape) {
                Ok(Some(pack)) => drop(cache.index.get_mut().add(pack)),
                Ok(None) => drop(fs::remove_file(&path)),
                // Deleted by someone else meanwhile: nothing is lost.
                Err(_) => {}
            }
        }
        cache
    }

    /// The same, but it makes no room for itself at the cost of another geometry: for inputs of later, beside those that
    /// are in use now.
    #[must_use]
    pub fn sparing(mut self, other: &Geometry<'_>) -> Self {
        self.spared = Some(self.root.join(folder_name(other)));
        self
    }

    /// What it did so far.
    pub fn stats(&self) -> Stats {
        self.stats.lock().clone()
    }

    /// The input that was made of these files (an image, and its mask if masks are used), or what to store it under
    /// once it is made. `None` if they cannot be read: whoever decodes them says why.
    pub fn find(&self, files: &[&Path]) -> Option<Result<(MappedLevels, Vec<u8>), Names>> {
        let before = stamp(files);
        if let Some((stamp, _)) = before {
            let content = self.index.read().by_stamp.get(&stamp).copied();
            if let Some(input) = content.and_then(|content| self.input(&content)) {
                return Some(Ok(input));
            }
        }
        let content = content(files)?;
        // Files that changed while they were read are known by what was read only.
        let settled = before.filter(|(stamp_before, settled)| {
            *settled && stamp(files).is_some_and(|(stamp_after, _)| stamp_after == *stamp_before)
        });
        let stamp = settled.map(|(stamp, _)| stamp);
        if let Some(input) = self.input(&content) {
            if stamp.is_some() {
                self.index.write().aliases.push(Entry::new(stamp, content, None));
            }
            return Some(Ok(input));
        }
        self.stats.lock().decoded += 1;
        let seen = before.map(|(stamp, _)| stamp);
        Some(Err(Names { stamp, seen, content }))
    }

    /// The same names, unless the files have changed since: what was made of them may not be of that content.
    pub fn confirmed(&self, names: Names, files: &[&Path]) -> Option<Names> {
        (names.seen.is_some() && stamp(files).map(|(stamp, _)| stamp) == names.seen).then_some(names)
    }

    /// Whether it has an input of that content, sound or not.
    pub fn has(&self, names: &Names) -> bool {
        self.index.read().by_content.contains_key(&names.content)
    }

    fn input(&self, content: &Key) -> Option<(MappedLevels, Vec<u8>)> {
        let (pack, number) = {
            let index = self.index.read();
            let &(pack, number) = index.by_content.get(content)?;
            (Arc::clone(&index.packs[pack as usize]), number as usize)
        };
        let input = pack.input(number);
        if input.is_some() {
            self.stats.lock().hits += 1;
        } else {
            // The rest of it is not to be trusted either; inputs that were handed out are sound.
            let _ = fs::remove_file(&pack.path);
            self.index.write().by_content.remove(content);
        }
        input
    }

    /// Inputs in a pack.
    pub fn pack_len(&self) -> usize {
        (PACK_BYTES / self.shape.bytes()).max(1)
    }

    /// Writes samples into a pack and makes them refer to it; without room for it they stay as they are.
    pub fn store(&self, samples: &mut [Sample], names: &[(usize, Names)]) {
        if names.is_empty() {
            return;
        }
        let entry = |&(at, names): &(usize, Names)| {
            let input = (samples[at].levels(), samples[at].mask.as_slice());
            (Entry::new(names.stamp, names.content, Some(input)), input)
        };
        let (entries, inputs): (Vec<Entry>, Vec<_>) = names.iter().map(entry).unzip();
        let written = if self.make_room((self.shape.bytes() * names.len()) as u64) {
            Pack::write(&self.folder, self.shape, &entries, &inputs).map_err(|cause| cause.to_string())
        } else {
            Err(format!("it holds {} GiB, which is its limit", self.limit >> 30))
        };
        match written {
            Ok(pack) => {
                let pack = self.index.write().add(pack);
                for (number, &(at, _)) in names.iter().enumerate() {
                    if let Some((levels, _)) = pack.input(number) {
                        samples[at].keep_in(levels);
                    }
                }
            }
            Err(cause) => {
                let mut stats = self.stats.lock();
                stats.in_memory += names.len();
                stats.problem = Some(format!("{}: {cause}", self.folder.display()));
            }
        }
    }

    /// Ends a loading: keeps names that were learned, and marks what was used as used now.
    pub fn finish(&self) {
        let aliases = std::mem::take(&mut self.index.write().aliases);
        if !aliases.is_empty()
            && let Ok(pack) = Pack::write(&self.folder, self.shape, &aliases, &[])
        {
            self.index.write().add(pack);
        }
        for pack in &self.index.read().packs {
            // Only the order of deletion depends on it.
            if let Ok(file) = File::options().append(true).open(&pack.path) {
                let _ = file.set_modified(SystemTime::now());
            }
        }
    }

    /// Deletes the longest unused packs of others until so many bytes have room.
    fn make_room(&self, bytes: u64) -> bool {
        let mut packs: Vec<(PathBuf, fs::Metadata)> = geometries(&self.root)
            .iter()
            .flat_map(|folder| packs_in(folder))
            .collect();
        let mut total: u64 = packs.iter().map(|(_, metadata)| metadata.len()).sum();
        let index = self.index.read();
        let own: std::collections::HashSet<&Path> = index.packs.iter().map(|pack| pack.path.as_path()).collect();
        let spared = |path: &Path| self.spared.is_some() && path.parent() == self.spared.as_deref();
        packs.retain(|(path, _)| !own.contains(path.as_path()) && !spared(path));
        packs.sort_by_key(|(_, metadata)| metadata.modified().unwrap_or(UNIX_EPOCH));
        for (path, metadata) in packs {
            if total + bytes <= self.limit {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                total -= metadata.len();
            }
        }
        total + bytes <= self.limit
    }
}

/// Name of the folder of all inputs that are made in the same way.
fn folder_name(geometry: &Geometry<'_>) -> String {
    let Geometry { spec, masks, segmenter } = geometry;
    // Every field is named, so that a new one cannot be forgotten here: does it change the greys?
    let InputSpec {
        width,
        height,
        aspect,
        mean: _,
        std: _,
        region,
    } = spec;
    let aspect = format!("{aspect:?}").to_lowercase();
    let masks = if *masks { "-masks" } else { "" };
    let part = if region.is_full() {
        String::new()
    } else {
        format!("-{region}-{}", segmenter.unwrap_or("unknown")).replace(' ', "-")
    };
    format!("{PREPROCESSING}-{width}x{height}-{aspect}{masks}{part}")
}

/// What names, sizes and times of files say, and whether the times are old enough to be trusted.
fn stamp(files: &[&Path]) -> Option<(Key, bool)> {
    let mut sha = Sha256::new();
    let mut settled = true;
    for file in files {
        let metadata = fs::metadata(file).ok().filter(fs::Metadata::is_file)?;
        let modified = metadata.modified().ok()?;
        settled &= modified.elapsed().is_ok_and(|age| age > UNSETTLED);
        let nanoseconds = modified.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        let path = fs::canonicalize(file).ok()?;
        sha.update(path.as_os_str().as_encoded_bytes());
        sha.update([0]);
        sha.update(metadata.len().to_le_bytes());
        sha.update(nanoseconds.to_le_bytes());
    }
    Some((sha.finalize().into(), settled))
}

fn content(files: &[&Path]) -> Option<Key> {
    let mut sha = Sha256::new();
    for file in files {
        let metadata = fs::metadata(file).ok()?;
        if !metadata.is_file() || metadata.len() > MOST_BYTES {
            return None;
        }
        let bytes = fs::read(file).ok()?;
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(&bytes);
    }
    Some(sha.finalize().into())
}

/// Folders of the cache's geometries.
fn geometries(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn packs_in(folder: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let pack = |entry: fs::DirEntry| {
        let path = entry.path();
        let named = path.extension().is_some_and(|extension| extension == EXTENSION);
        let metadata = entry.metadata().ok()?;
        (named && metadata.is_file()).then_some((path, metadata))
    };
    entries.filter_map(pack).collect()
}

/// Deletes what a process left that ended while it wrote.
fn remove_abandoned(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let temporary = entry.file_name().as_encoded_bytes().starts_with(b".recovnet-");
        let age = entry
            .metadata()
            .ok()
            .and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
        if temporary && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
