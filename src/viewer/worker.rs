//! The threads that read files for the window: listing, decoding ahead, making overlays ready. Knows no networks.
//!
//! The window says what it wants, most urgent first; whatever it no longer wants is never begun. That is how a
//! decoding job is cancelled.

use std::collections::{HashMap, HashSet, VecDeque};
use std::error::Error;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::findings::Findings;
use crate::imaging::{self, Radiograph, phantom};

use super::listing::{Listing, list};
use super::overlays::OverlayPixels;
use super::picture::{Picture, PictureKey};

/// What the workers say.
#[derive(Debug)]
pub enum LoaderEvent {
    /// Paths were looked through, for the request of this number.
    Listed(u64, Listing),
    /// A picture is ready, or cannot be shown, for a reason in a sentence.
    Decoded(PictureKey, Result<Arc<Picture>, String>),
    /// Overlays are ready.
    Overlay(Arc<OverlayPixels>),
}

/// Called from a worker after every event.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Handle of the worker threads; they end when it is dropped.
pub struct Loader {
    shared: Arc<Shared>,
    events: Receiver<LoaderEvent>,
}

struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    listing: Option<(u64, Vec<PathBuf>)>,
    overlays: VecDeque<Arc<Findings>>,
    wanted: Vec<PictureKey>,
    urgent: Option<PictureKey>,
    under_way: HashSet<PictureKey>,
    /// What was read before it last grew is out of date.
    generation: u64,
    closed: bool,
}

enum Job {
    List(u64, Vec<PathBuf>),
    Overlay(Arc<Findings>),
    Decode(u64, PictureKey),
}

/// One thread for the picture on the screen, one for those beside it.
const THREADS: usize = 2;
/// Decoders recurse over nested sequences.
const STACK: usize = 16 << 20;

impl Loader {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(wake: &Wake) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
        });
        let (sender, events) = channel();
        for number in 1..=THREADS {
            let (shared, sender, wake) = (Arc::clone(&shared), sender.clone(), Arc::clone(wake));
            thread::Builder::new()
                .name(format!("pictures-{number}"))
                .stack_size(STACK)
                .spawn(move || work(&shared, &sender, &*wake))?;
        }
        Ok(Self { shared, events })
    }

    /// Looks through paths; a request that was not begun is replaced.
    pub fn list(&self, request: u64, paths: Vec<PathBuf>) {
        self.shared.lock().listing = Some((request, paths));
        self.shared.work.notify_one();
    }

    /// Files may have changed: what is being read now will not be reported.
    pub fn reread(&self) {
        self.shared.lock().generation += 1;
    }

    /// Makes the overlays of findings ready; only the latest are of interest.
    pub fn prepare_overlay(&self, findings: Arc<Findings>) {
        let mut queue = self.shared.lock();
        queue.overlays.clear();
        queue.overlays.push_back(findings);
        drop(queue);
        self.shared.work.notify_one();
    }

    /// Replaces the list of pictures to decode, in order; `urgent` is the one that the user waits for.
    pub fn want(&self, keys: Vec<PictureKey>, urgent: Option<PictureKey>) {
        let mut queue = self.shared.lock();
        queue.wanted = keys;
        queue.urgent = urgent;
        drop(queue);
        self.shared.work.notify_all();
    }

    /// The next event, if there is one; never waits.
    pub fn try_recv(&self) -> Option<LoaderEvent> {
        self.events.try_recv().ok()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while the lock is held; if it did, the queue would still be whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; `None` when the window is closed.
    fn next_job(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.take() {
                return Some(job);
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queue {
    fn take(&mut self) -> Option<Job> {
        if let Some((request, paths)) = self.listing.take() {
            return Some(Job::List(request, paths));
        }
        if let Some(findings) = self.overlays.pop_front() {
            return Some(Job::Overlay(findings));
        }
        // One picture at a time is decoded ahead: a thread stays free for what the user waits for.
        let may = |key: &PictureKey| self.under_way.is_empty() || self.urgent.as_ref() == Some(key);
        let next = self
            .wanted
            .iter()
            .position(|key| !self.under_way.contains(key) && may(key))?;
        let key = self.wanted.remove(next);
        self.under_way.insert(key.clone());
        Some(Job::Decode(self.generation, key))
    }
}

fn work(shared: &Shared, events: &Sender<LoaderEvent>, wake: &dyn Fn()) {
    while let Some(job) = shared.next_job() {
        let event = match job {
            Job::List(request, paths) => {
                // The file itself is decoded while its folder is looked through.
                if let Some(first) = Listing::at_once(&paths) {
                    let _ = events.send(LoaderEvent::Listed(request, first));
                    wake();
                }
                LoaderEvent::Listed(request, list(&paths))
            }
            Job::Overlay(findings) => LoaderEvent::Overlay(Arc::new(OverlayPixels::new(findings))),
            Job::Decode(generation, key) => {
                let result = decode(&key);
                let mut queue = shared.lock();
                queue.under_way.remove(&key);
                let is_stale = generation != queue.generation;
                drop(queue);
                shared.work.notify_one();
                if is_stale {
                    continue;
                }
                LoaderEvent::Decoded(key, result)
            }
        };
        if events.send(event).is_err() {
            return;
        }
        wake();
    }
}

/// Reads and prepares one picture; a decoder that panics costs its file, not the thread.
pub(super) fn decode(key: &PictureKey) -> Result<Arc<Picture>, String> {
    let begin = Instant::now();
    let prepared = catch_unwind(AssertUnwindSafe(|| {
        read(key).map(|radiograph| Arc::new(Picture::new(radiograph, begin.elapsed())))
    }));
    prepared.unwrap_or_else(|_| Err(format!("{}: the decoder broke down on this file.", key.label())))
}

fn read(key: &PictureKey) -> Result<Radiograph, String> {
    match key {
        PictureKey::File { path, frame } => imaging::open_frame(path, *frame).map_err(|error| error.to_string()),
        PictureKey::Sample => sample().map_err(|reason| format!("The sample cannot be made: {reason}.")),
    }
}

/// The phantom takes the way of every file, through a temporary one.
fn sample() -> Result<Radiograph, Box<dyn Error>> {
    let side = phantom::DEFAULT_SIZE;
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&phantom::dicom_bytes(side, side)?)?;
    let mut radiograph = imaging::open(file.path())?;
    radiograph.file = PictureKey::Sample.label().into();
    Ok(radiograph)
}

/// Decoded pictures beside the one on the screen, least recently used out first.
#[derive(Default)]
pub struct PictureCache {
    pictures: HashMap<PictureKey, (u64, Arc<Picture>)>,
    clock: u64,
}

/// Most bytes of decoded pictures kept.
const CACHE_BYTES: usize = 256 << 20;

impl PictureCache {
    /// A picture, if it is there.
    pub fn get(&mut self, key: &PictureKey) -> Option<Arc<Picture>> {
        self.clock += 1;
        let clock = self.clock;
        self.pictures.get_mut(key).map(|(used, picture)| {
            *used = clock;
            Arc::clone(picture)
        })
    }

    /// Whether a picture is there.
    pub fn contains(&self, key: &PictureKey) -> bool {
        self.pictures.contains_key(key)
    }

    /// Drops all pictures but these.
    pub fn keep_only(&mut self, keys: &[&PictureKey]) {
        self.pictures.retain(|key, _| keys.contains(&key));
    }

    /// Whether one more picture, as large as the largest, fits without dropping another.
    pub fn has_room(&self) -> bool {
        let sizes = || self.pictures.values().map(|(_, picture)| picture.bytes());
        sizes().sum::<usize>() + sizes().max().unwrap_or(0) <= CACHE_BYTES
    }

    /// Adds a picture, and drops the oldest until the rest fits; the newest always stays.
    pub fn insert(&mut self, key: PictureKey, picture: Arc<Picture>) {
        self.clock += 1;
        self.pictures.insert(key, (self.clock, picture));
        let bytes = |cache: &Self| {
            cache
                .pictures
                .values()
                .map(|(_, picture)| picture.bytes())
                .sum::<usize>()
        };
        while self.pictures.len() > 1 && bytes(self) > CACHE_BYTES {
            let oldest = self
                .pictures
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.pictures.remove(&oldest);
        }
    }
}
