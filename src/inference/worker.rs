//! The engine's thread: takes requests from the inbox, runs the analyst, sends events. Knows no network.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::findings::Findings;
use crate::imaging::Radiograph;

use super::cache::{CACHE_BYTES, Cache};
use super::engine::{Analyst, Event, RequestId};
use super::fallback::or_on_cpu;
use super::names::ClassifierName;
use super::pipeline::Error;

/// Requests on their way to the worker.
#[derive(Default)]
struct Inbox {
    /// In order of submission; no image means that the request was cancelled while it waited.
    waiting: VecDeque<(RequestId, Option<Arc<Radiograph>>)>,
    /// Another classifier is wanted; it goes before what waits.
    switch: Option<ClassifierName>,
    /// The one that the worker has in hand.
    running: Option<RequestId>,
    /// The one in hand is to end in `Cancelled`.
    stop_running: bool,
    /// The handle is gone.
    closed: bool,
}

/// What the worker does next.
enum Order {
    /// Answer a request; without an image it was cancelled while it waited.
    Answer(RequestId, Option<Arc<Radiograph>>),
    /// Load another classifier.
    Switch(ClassifierName),
}

/// The inbox with the bell that wakes the worker.
#[derive(Default)]
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    bell: Condvar,
}

impl Shared {
    /// Queues an image and makes every earlier request stale.
    pub(super) fn submit(&self, id: RequestId, image: Arc<Radiograph>) {
        let mut inbox = self.lock();
        for (_, waiting) in &mut inbox.waiting {
            *waiting = None;
        }
        inbox.stop_running = inbox.running.is_some();
        inbox.waiting.push_back((id, Some(image)));
        self.bell.notify_one();
    }

    /// Asks for another classifier; what is in hand ends in `Cancelled`, what waits is answered by the new one.
    pub(super) fn switch(&self, classifier: ClassifierName) {
        let mut inbox = self.lock();
        inbox.switch = Some(classifier);
        inbox.stop_running = inbox.running.is_some();
        self.bell.notify_one();
    }

    /// Makes one request end in `Cancelled`, if it has not ended yet.
    pub(super) fn cancel(&self, id: RequestId) {
        let mut inbox = self.lock();
        if inbox.running == Some(id) {
            inbox.stop_running = true;
        }
        for (waiting, image) in &mut inbox.waiting {
            if *waiting == id {
                *image = None;
            }
        }
    }

    /// Lets the worker end.
    pub(super) fn close(&self) {
        let mut inbox = self.lock();
        inbox.closed = true;
        inbox.stop_running = true;
        self.bell.notify_one();
    }

    /// Waits for the next order and takes it in hand; `None` when the handle is gone.
    fn next(&self) -> Option<Order> {
        let mut inbox = self.lock();
        loop {
            if inbox.closed {
                return None;
            }
            if let Some(classifier) = inbox.switch.take() {
                return Some(Order::Switch(classifier));
            }
            if let Some((id, image)) = inbox.waiting.pop_front() {
                inbox.running = Some(id);
                inbox.stop_running = false;
                return Some(Order::Answer(id, image));
            }
            inbox = self.bell.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn may_go_on(&self) -> bool {
        !self.lock().stop_running
    }

    /// Puts the request in hand down; whether its result is still wanted.
    fn finish(&self) -> bool {
        let mut inbox = self.lock();
        inbox.running = None;
        !std::mem::take(&mut inbox.stop_running)
    }

    /// The inbox; its plain fields are whole even if a thread panicked while it held them.
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where events go.
pub(super) struct Outbox {
    sender: Sender<Event>,
    wake: Box<dyn Fn() + Send>,
}

impl Outbox {
    pub(super) fn new(sender: Sender<Event>, wake: Box<dyn Fn() + Send>) -> Self {
        Self { sender, wake }
    }

    fn send(&self, event: Event) {
        // Nobody listens any more once the handle is gone; the worker then ends by itself.
        let _unheard = self.sender.send(event);
        (self.wake)();
    }
}

/// The thread's own state.
pub(super) struct Worker {
    shared: Arc<Shared>,
    outbox: Outbox,
    cache: Cache,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, outbox: Outbox) -> Self {
        Self {
            shared,
            outbox,
            cache: Cache::new(CACHE_BYTES),
        }
    }

    /// Loads the first classifier, then follows orders until the handle is gone.
    pub(super) fn run<A: Analyst>(
        mut self,
        first: ClassifierName,
        mut load: impl FnMut(ClassifierName) -> Result<A, String>,
    ) {
        let mut load = |classifier| {
            catch_unwind(AssertUnwindSafe(|| load(classifier))).unwrap_or_else(|panic| Err(internal_error(&*panic)))
        };
        let mut loaded = load(first);
        self.outbox.send(match &loaded {
            Ok(analyst) => Event::Loaded(Box::new(analyst.describe())),
            Err(reason) => Event::LoadFailed(reason.clone()),
        });
        while let Some(order) = self.shared.next() {
            match order {
                Order::Switch(classifier) => self.switch(&mut loaded, load(classifier)),
                Order::Answer(id, image) => {
                    let outcome = match (&mut loaded, image) {
                        (_, None) => Event::Cancelled(id),
                        (Err(reason), Some(_)) => Event::Failed(id, reason.clone()),
                        (Ok(analyst), Some(image)) => self.answer(analyst, id, &image),
                    };
                    let wanted = self.shared.finish();
                    self.outbox.send(if wanted { outcome } else { Event::Cancelled(id) });
                }
            }
        }
    }

    /// Puts other models in place, unless they could not be loaded while there are some.
    fn switch<A: Analyst>(&self, loaded: &mut Result<A, String>, next: Result<A, String>) {
        self.outbox.send(match (&next, &loaded) {
            (Ok(analyst), _) => Event::Loaded(Box::new(analyst.describe())),
            (Err(reason), Ok(_)) => Event::SwitchFailed(reason.clone()),
            (Err(reason), Err(_)) => Event::LoadFailed(reason.clone()),
        });
        if next.is_ok() || loaded.is_err() {
            *loaded = next;
        }
    }

    fn answer(&mut self, analyst: &mut impl Analyst, id: RequestId, image: &Radiograph) -> Event {
        let key = analyst.key(image);
        if let Some(findings) = self.cache.get(&key) {
            return Event::Done(id, findings);
        }
        match self.analyse(analyst, id, image) {
            Ok(findings) => {
                let findings = Arc::new(findings);
                self.cache.insert(key, Arc::clone(&findings));
                Event::Done(id, findings)
            }
            Err(None) => Event::Cancelled(id),
            Err(Some(reason)) => Event::Failed(id, reason),
        }
    }

    /// The findings, or why there are none; no reason means that the request was cancelled. An analyst that leaves its
    /// GPU is told of.
    fn analyse<A: Analyst>(
        &self,
        analyst: &mut A,
        id: RequestId,
        image: &Radiograph,
    ) -> Result<Findings, Option<String>> {
        let mut on_stage = |stage| {
            let go_on = self.shared.may_go_on();
            if go_on {
                self.outbox.send(Event::Progress(id, stage));
            }
            go_on
        };
        let leave_gpu = |analyst: &A, cause: &str| {
            let moved = analyst.leave_gpu(cause);
            if let Some(Ok(moved)) = &moved {
                self.outbox.send(Event::Loaded(Box::new(moved.describe())));
            }
            moved
        };
        let run = || or_on_cpu(analyst, leave_gpu, |analyst| analyst.analyse(image, &mut on_stage));
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(findings)) => Ok(findings),
            Ok(Err(Error::Cancelled)) => Err(None),
            Ok(Err(error)) => Err(Some(error.to_string())),
            Err(panic) => Err(Some(internal_error(&*panic))),
        }
    }
}

fn internal_error(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("internal error, please report it: {}", text.unwrap_or("no message"))
}
