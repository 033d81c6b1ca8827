//! The prediction of the picture on the screen: where it stands, and who computes it. Knows no networks.

use std::sync::Arc;
use std::time::Instant;

use crate::findings::{Findings, ModelId};
use crate::imaging::Radiograph;
use crate::inference::engine::{Engine, Event, Loaded, RequestId};
use crate::inference::models::ClassifierName;
use crate::inference::pipeline::Stage;

/// Computes findings in the background: the engine, or a stand-in in tests.
pub trait Analyser {
    /// Queues an image; earlier unfinished requests end in `Cancelled`.
    fn submit(&mut self, image: Arc<Radiograph>) -> RequestId;
    /// Asks a request to end.
    fn cancel(&mut self, id: RequestId);
    /// The next event, if there is one; never waits.
    fn try_recv(&mut self) -> Option<Event>;
    /// Loads another classifier, or the same one anew.
    fn switch(&mut self, classifier: ClassifierName);
}

impl Analyser for Engine {
    fn submit(&mut self, image: Arc<Radiograph>) -> RequestId {
        Self::submit(self, image)
    }

    fn cancel(&mut self, id: RequestId) {
        Self::cancel(self, id);
    }

    fn try_recv(&mut self) -> Option<Event> {
        Self::try_recv(self)
    }

    fn switch(&mut self, classifier: ClassifierName) {
        Self::switch(self, classifier);
    }
}

/// Whether the models are there.
#[derive(Debug, Clone, Default)]
pub enum EngineStatus {
    /// Not yet.
    #[default]
    Loading,
    /// Yes.
    Ready(Box<Loaded>),
    /// They cannot be loaded, for a reason in a sentence.
    Failed(String),
}

impl EngineStatus {
    /// The loaded network of this name, if it is.
    pub fn in_use(&self, name: &str) -> Option<&ModelId> {
        let Self::Ready(loaded) = self else { return None };
        let both = [&loaded.classifier, &loaded.segmenter];
        both.into_iter().find(|model| model.name == name)
    }

    /// Name of the classifier that is loaded.
    pub fn classifier(&self) -> Option<&str> {
        match self {
            Self::Ready(loaded) => Some(&loaded.classifier.name),
            Self::Loading | Self::Failed(_) => None,
        }
    }
}

/// The prediction of the picture on the screen.
#[derive(Debug, Clone, Default)]
pub enum Analysis {
    /// There is no picture.
    #[default]
    None,
    /// Under way.
    Running {
        /// The request.
        id: RequestId,
        /// What is being computed; `None` while it waits.
        stage: Option<Stage>,
        /// Since when.
        since: Instant,
    },
    /// Finished: the findings lie beside the picture.
    Done,
    /// The user stopped it.
    Cancelled,
    /// It went wrong, for a reason in a sentence.
    Failed(String),
    /// The picture is not one for these networks, for a reason in a sentence.
    OutOfScope(String),
}

impl Analysis {
    /// Number of the request under way.
    pub fn running(&self) -> Option<RequestId> {
        match self {
            Self::Running { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// Stages in their order, for a progress bar.
pub const STAGES: [Stage; 4] = [Stage::Preprocess, Stage::Segment, Stage::Classify, Stage::Explain];

/// What is being done in a stage, in words.
pub fn stage_words(stage: Option<Stage>) -> &'static str {
    match stage {
        None => "Waiting for the models",
        Some(Stage::Preprocess) => "Preparing the picture",
        Some(Stage::Segment) => "Finding the lungs",
        Some(Stage::Classify) => "Scoring",
        Some(Stage::Explain) => "Computing the activation map",
    }
}

/// Findings of the picture on the screen; never of another one.
pub fn belong_to(findings: &Findings, image: &Radiograph) -> bool {
    findings.content_hash == image.content_hash
        && (findings.mask.width, findings.mask.height) == (image.width, image.height)
}
