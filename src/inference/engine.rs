//! A worker thread that owns the models: numbered requests in, events out, exactly one final event each.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use crate::findings::Findings;
use crate::imaging::Radiograph;

use super::cache::Key;
use super::models::{ClassifierName, Models};
use super::pipeline::{self, Stage};
use super::worker::{Outbox, Shared, Worker};

/// Stack of the worker: the networks' graphs are deep.
const STACK_BYTES: usize = 16 << 20;

/// Number of a request; later requests have larger numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the worker needs to load its models.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// `--weights`, searched first.
    pub weights: Option<PathBuf>,
    /// Which classifier.
    pub classifier: ClassifierName,
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
}

/// The models are loaded.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What computes, such as `CPU, 2 threads`, with the reason when it is not what was asked for.
    pub device: String,
    /// The classifier's name and version.
    pub classifier: crate::findings::ModelId,
    /// The classifier's card, as it stands in the file.
    pub card: serde_json::Value,
    /// The segmenter's name and version.
    pub segmenter: crate::findings::ModelId,
}

/// What the worker says.
#[derive(Debug, Clone)]
pub enum Event {
    /// The models are there; sent before any request ends in `Done`, after each switch to another classifier, and when
    /// they left a GPU that failed for the CPU.
    Loaded(Box<Loaded>),
    /// The models cannot be loaded; every request then ends in `Failed` with the same sentence.
    LoadFailed(String),
    /// The other classifier that was asked for cannot be loaded; the former goes on.
    SwitchFailed(String),
    /// A stage begins.
    Progress(RequestId, Stage),
    /// Final: the findings.
    Done(RequestId, Arc<Findings>),
    /// Final: why there are none, in a sentence.
    Failed(RequestId, String),
    /// Final: cancelled, or made stale by a later request.
    Cancelled(RequestId),
}

/// Computes findings on the worker: the models, or a stand-in under test.
pub trait Analyst {
    /// What was loaded.
    fn describe(&self) -> Loaded;

    /// Under which key the findings of an image are kept.
    fn key(&self, image: &Radiograph) -> Key;

    /// As [`pipeline::analyse`].
    ///
    /// # Errors
    /// As [`pipeline::analyse`].
    fn analyse(&self, image: &Radiograph, on_stage: &mut dyn FnMut(Stage) -> bool)
    -> Result<Findings, pipeline::Error>;

    /// The same on the CPU, for a GPU that failed and what it said; `None` where there is none to leave, or it was asked
    /// for by its number.
    fn leave_gpu(&self, _: &str) -> Option<Result<Self, String>>
    where
        Self: Sized,
    {
        None
    }
}

impl Analyst for Models {
    fn describe(&self) -> Loaded {
        Loaded {
            device: self.device_label.clone(),
            classifier: self.classifier_id(),
            card: serde_json::to_value(&self.classifier.1).unwrap_or_default(),
            segmenter: self.segmenter_id(),
        }
    }

    fn key(&self, image: &Radiograph) -> Key {
        Key::of(image, &self.classifier.1.sha256, &self.segmenter.1.sha256)
    }

    fn analyse(
        &self,
        image: &Radiograph,
        on_stage: &mut dyn FnMut(Stage) -> bool,
    ) -> Result<Findings, pipeline::Error> {
        pipeline::analyse(self, image, on_stage)
    }

    fn leave_gpu(&self, cause: &str) -> Option<Result<Self, String>> {
        let moved = self.on_cpu(cause)?;
        Some(moved.map_err(|error| error.to_string()))
    }
}

/// Handle of the worker; dropping it stops the worker after the stage under way.
pub struct Engine {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    latest: RequestId,
    /// Why there is no worker, if the system refused to start one.
    broken: Option<String>,
    /// Events of an engine without a worker.
    own_events: VecDeque<Event>,
}

impl Engine {
    /// Starts the worker; `wake` is called after every event (from the worker's thread).
    pub fn start(config: EngineConfig, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let EngineConfig {
            weights,
            classifier,
            device,
        } = config;
        let load =
            move |classifier| Models::load(weights.as_deref(), classifier, &device).map_err(|error| error.to_string());
        Self::start_switchable(classifier, load, wake)
    }

    /// Starts the worker with models that `load` makes on the worker's thread, or the sentence that says why not; it
    /// knows no other classifier.
    pub fn start_with<A: Analyst>(
        load: impl FnOnce() -> Result<A, String> + Send + 'static,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let mut load = Some(load);
        let once = move |_| match load.take() {
            Some(load) => load(),
            None => Err("there is no other classifier here".to_owned()),
        };
        Self::start_switchable(ClassifierName::RecovnetV1, once, wake)
    }

    /// Starts the worker with models that `load` makes on the worker's thread, anew for every [`Engine::switch`].
    pub fn start_switchable<A: Analyst>(
        first: ClassifierName,
        load: impl FnMut(ClassifierName) -> Result<A, String> + Send + 'static,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let (sender, events) = channel();
        let worker = Worker::new(Arc::clone(&shared), Outbox::new(sender, Box::new(wake)));
        let thread = std::thread::Builder::new()
            .name("inference".to_owned())
            .stack_size(STACK_BYTES);
        let broken = match thread.spawn(move || worker.run(first, load)) {
            Ok(_detached) => None,
            Err(error) => Some(format!("the inference worker cannot be started: {error}")),
        };
        let own_events = broken.iter().cloned().map(Event::LoadFailed).collect();
        Self {
            shared,
            events,
            latest: RequestId(0),
            broken,
            own_events,
        }
    }

    /// Queues an image for the findings panel; earlier unfinished requests end in `Cancelled`.
    pub fn submit(&mut self, image: Arc<Radiograph>) -> RequestId {
        self.latest = RequestId(self.latest.0 + 1);
        match &self.broken {
            Some(reason) => self.own_events.push_back(Event::Failed(self.latest, reason.clone())),
            None => self.shared.submit(self.latest, image),
        }
        self.latest
    }

    /// Asks for another classifier: ends in `Loaded` with it, or in `SwitchFailed` with the former going on. The request
    /// under way ends in `Cancelled`; the picture on the screen has to be submitted again.
    pub fn switch(&mut self, classifier: ClassifierName) {
        match &self.broken {
            Some(reason) => self.own_events.push_back(Event::LoadFailed(reason.clone())),
            None => self.shared.switch(classifier),
        }
    }

    /// Asks a request to end; its final event still comes.
    pub fn cancel(&mut self, id: RequestId) {
        self.shared.cancel(id);
    }

    /// The next event, if there is one; never waits.
    ///
    /// What was finished before a later request was submitted, but is read after, comes as `Cancelled`.
    pub fn try_recv(&mut self) -> Option<Event> {
        let event = self.own_events.pop_front().or_else(|| self.events.try_recv().ok())?;
        match event {
            Event::Done(id, _) | Event::Failed(id, _) if id < self.latest => Some(Event::Cancelled(id)),
            other => Some(other),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.close();
    }
}
