//! The thread that makes small pictures for the studies panel: from the database if they are there, else by the opener
//! that every picture goes through. Only what is in sight is wanted; what is no longer wanted is never begun.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::library::{self, Instance, Library};
use crate::viewer::picture::{PictureKey, Thumbnail};
use crate::viewer::worker::{Wake, decode};

/// A small picture that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The instance as it was listed when the picture was wanted.
    pub instance: Instance,
    /// `None` where its file gives none.
    pub picture: Option<Thumbnail>,
}

/// Asks the thread, and hears it.
pub struct Thumbnails {
    shared: Arc<Shared>,
    made: Receiver<Made>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Most urgent first.
    wanted: Vec<Instance>,
    /// In work, or made and not taken yet.
    begun: Vec<Instance>,
    closed: bool,
}

impl Thumbnails {
    /// Starts the thread; what it makes is kept in `database`, if there is one.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(database: Option<PathBuf>, wake: Wake) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (sender, made) = channel();
        let theirs = Arc::clone(&shared);
        thread::Builder::new()
            .name("thumbnails".to_owned())
            .spawn(move || work(&theirs, database.as_deref(), &sender, &wake))?;
        Ok(Self { shared, made })
    }

    /// Replaces what is wanted; what is in work already is not made twice.
    pub fn want(&self, wanted: Vec<Instance>) {
        let mut queue = self.shared.lock();
        queue.wanted = wanted;
        queue.leave_out_begun();
        drop(queue);
        self.shared.work.notify_one();
    }

    /// The picture of an instance has come to the window: wanted from now on, it is made again.
    pub fn taken(&self, instance: &Instance) {
        self.shared.lock().begun.retain(|begun| begun != instance);
    }

    /// The next one, if there is one; never waits.
    pub fn try_recv(&self) -> Option<Made> {
        self.made.try_recv().ok()
    }
}

impl Drop for Thumbnails {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
    }
}

impl Queue {
    fn leave_out_begun(&mut self) {
        let Self { wanted, begun, .. } = self;
        wanted.retain(|instance| !begun.contains(instance));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while the lock is held; if it did, the queue would still be whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Instance> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if !queue.wanted.is_empty() {
                let instance = queue.wanted.remove(0);
                queue.begun.push(instance.clone());
                return Some(instance);
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(shared: &Shared, database: Option<&Path>, made: &Sender<Made>, wake: &Wake) {
    // Opened with the first picture: most windows never need it.
    let mut library = None;
    while let Some(instance) = shared.next() {
        if library.is_none() {
            library = database.and_then(|database| Library::open(database).ok());
        }
        // A database that cannot be read is said when it is listed; pictures are made all the same.
        let kept = library
            .as_ref()
            .and_then(|library| library.thumbnail(&instance).ok().flatten());
        let picture = shown(kept.unwrap_or_else(|| make(&mut library, &instance)));
        if made.send(Made { instance, picture }).is_err() {
            return;
        }
        wake();
    }
}

fn shown(thumbnail: library::Thumbnail) -> Option<Thumbnail> {
    match thumbnail {
        library::Thumbnail::None => None,
        library::Thumbnail::Picture(size, rgb) => Some(Thumbnail {
            size: size.map(|side| side as usize),
            rgb,
        }),
    }
}

/// Opens the file as any other, and keeps what comes of it.
fn make(library: &mut Option<Library>, instance: &Instance) -> library::Thumbnail {
    let is_there = File::open(&instance.path).is_ok();
    let picture = decode(&PictureKey::file(&instance.path)).map(|picture| picture.thumbnail.clone());
    let thumbnail = picture.map_or(library::Thumbnail::None, |Thumbnail { size, rgb }| {
        library::Thumbnail::Picture(size.map(|side| side as u32), rgb)
    });
    // Of a medium that is not there now, nothing is known.
    if let Some(library) = library.as_mut().filter(|_| is_there) {
        // It is made again when it was not kept.
        let _ = library.keep_thumbnail(instance, &thumbnail);
    }
    thumbnail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: i64, modified: i64) -> Instance {
        Instance {
            id,
            path: PathBuf::from(format!("/nowhere/{id}")),
            modified,
            ..Instance::default()
        }
    }

    #[test]
    fn what_is_in_work_is_not_made_twice_until_it_was_taken() {
        let (_, made) = channel();
        let shared = Arc::new(Shared::default());
        let thumbnails = Thumbnails {
            shared: Arc::clone(&shared),
            made,
        };
        thumbnails.want(vec![instance(1, 1), instance(2, 1)]);
        assert_eq!(shared.next(), Some(instance(1, 1)));
        // The file of the first was changed meanwhile.
        thumbnails.want(vec![instance(1, 1), instance(1, 2), instance(2, 1)]);
        assert_eq!(shared.next(), Some(instance(1, 2)));
        thumbnails.taken(&instance(1, 1));
        thumbnails.want(vec![instance(1, 1), instance(1, 2)]);
        assert_eq!(shared.next(), Some(instance(1, 1)));
        assert!(shared.lock().wanted.is_empty());
    }
}
