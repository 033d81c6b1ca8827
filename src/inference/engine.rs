//! A worker thread that owns the models: numbered requests in, events out, exactly one final event each.

use std::path::PathBuf;
use std::sync::Arc;

use crate::findings::Findings;
use crate::imaging::Radiograph;

use super::models::ClassifierName;
use super::pipeline::Stage;

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
}

/// What the worker says.
#[derive(Debug, Clone)]
pub enum Event {
    /// The models are there; sent once, before any request ends in `Done`.
    Loaded(Loaded),
    /// The models cannot be loaded; every request then ends in `Failed` with the same sentence.
    LoadFailed(String),
    /// A stage begins.
    Progress(RequestId, Stage),
    /// Final: the findings.
    Done(RequestId, Arc<Findings>),
    /// Final: why there are none, in a sentence.
    Failed(RequestId, String),
    /// Final: cancelled, or made stale by a later request.
    Cancelled(RequestId),
}

/// Handle of the worker; dropping it stops the worker after the stage under way.
pub struct Engine {
    _private: (),
}

impl Engine {
    /// Starts the worker; `wake` is called after every event (from the worker's thread).
    pub fn start(config: EngineConfig, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let _ = (config, wake);
        Self { _private: () }
    }

    /// Queues an image for the findings panel; earlier unfinished requests end in `Cancelled`.
    pub fn submit(&mut self, image: Arc<Radiograph>) -> RequestId {
        let _ = image;
        RequestId(0)
    }

    /// Asks a request to end; its final event still comes.
    pub fn cancel(&mut self, id: RequestId) {
        let _ = id;
    }

    /// The next event, if there is one; never waits.
    pub fn try_recv(&mut self) -> Option<Event> {
        None
    }
}
