//! A segmenter at work for a training: lung masks of labelled images, for classifiers that are given the lungs alone
//! and for the watch-list; and the one place that chooses between whole pictures and the part that has the lungs.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::findings::Mask;
use crate::imaging::{self, Radiograph};
use crate::inference::pipeline;
use crate::nn::card::Task;
use crate::nn::weights;
use crate::nn::{Device, InputSpec, ModelCard, Segmenter};
use crate::preprocess;

use super::input_cache::InputCache;
use super::manifest::Row;
use super::sample::{self, Sample};
use super::{Error, Region};

/// Where the network inputs of labelled images come from.
pub struct Source<'a> {
    /// What the network is given.
    pub spec: &'a InputSpec,
    /// Whether lung masks are read as well.
    pub masks: bool,
    /// Inputs that were made before, of this spec and what finds the lungs.
    pub cache: Option<&'a InputCache>,
    /// Finds the lungs where only a part of the picture is given.
    pub lungs: Option<&'a Lungs>,
    /// Inputs of later that need lungs: made of the same masks, so that no picture is segmented for each image size.
    pub later: &'a [Later],
}

/// Inputs that will be asked for later in a run, and where they are kept until then.
pub struct Later {
    /// What the network will be given.
    pub spec: InputSpec,
    /// Where it is kept.
    pub cache: InputCache,
}

impl Source<'_> {
    /// Loads rows in their order: whole pictures, or the part that the network is given.
    ///
    /// # Errors
    /// If a part is wanted and nothing finds the lungs, naming the first file that cannot be used, or if `cancel` was
    /// set.
    pub fn load(
        &self,
        rows: &[&Row],
        cancel: &AtomicBool,
        on_progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Sample>, Error> {
        let spec = self.spec;
        if spec.region.is_full() {
            return Ok(sample::load_through(
                self.cache,
                rows,
                spec,
                self.masks,
                cancel,
                on_progress,
            )?);
        }
        let lungs = self.lungs.ok_or_else(|| Lungs::missing(spec.region))?;
        let later: Vec<&InputCache> = self.later.iter().map(|later| &later.cache).collect();
        let specs = std::iter::once(spec).chain(self.later.iter().map(|later| &later.spec));
        let specs: Vec<&InputSpec> = specs.collect();
        Ok(sample::load_with(
            (self.cache, &later),
            rows,
            |row| lungs.samples(row, &specs),
            cancel,
            on_progress,
        )?)
    }
}

/// A verified segmenter.
pub struct Lungs {
    /// One image at a time: the network computes on all threads by itself.
    segmenter: Mutex<(Segmenter, ModelCard)>,
    device: Device,
    sha256: String,
    name: String,
}

impl Lungs {
    /// Reads a segmenter's weights, whose card lies beside them.
    ///
    /// # Errors
    /// If they cannot be read, are not what the card says, or are no segmenter's.
    pub fn open(weights: &Path, device: &Device) -> Result<Self, Error> {
        let card = ModelCard::beside(weights)?;
        if card.task != Task::Segmenter {
            return Err(Error::Init {
                path: weights.to_owned(),
                reason: "these weights find no lungs; name a segmenter's with --segmenter".to_owned(),
            });
        }
        let network = Segmenter::load_verified(weights, &card.sha256, card.backbone, card.graph, device)?;
        Ok(Self {
            name: name(&card, device),
            sha256: card.sha256.clone(),
            segmenter: Mutex::new((network, card)),
            device: device.clone(),
        })
    }

    /// What is wrong where a network is given a part of the picture and nobody names a segmenter.
    pub fn missing(region: Region) -> Error {
        Error::Usage(format!(
            "the input is {region}, so that the lungs must be found: name a segmenter's weights with --segmenter"
        ))
    }

    /// SHA-256 of the weights.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What tells these lungs from those that another segmenter finds, in 32 hexadecimal digits: weights, what its card
    /// says of their use, and whether a GPU computes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lung mask of an image.
    ///
    /// # Errors
    /// If the image is no grey chest X-ray, or the network fails.
    pub fn mask(&self, image: &Radiograph) -> Result<Mask, pipeline::Error> {
        pipeline::lung_mask(&self.segmenter.lock(), &self.device, image)
    }

    /// A labelled image as classifiers are given it that see a part of the picture only, for each spec; it is segmented
    /// once.
    ///
    /// # Errors
    /// Naming the file.
    pub fn samples(&self, row: &Row, specs: &[&InputSpec]) -> Result<Vec<Sample>, sample::Error> {
        let image = imaging::open(&row.path)?;
        let lungs = self.mask(&image).map_err(|cause| sample::Error::Lungs {
            path: row.path.clone(),
            cause: Box::new(cause),
        })?;
        let sample = |spec: &&InputSpec| {
            let input = preprocess::grey_of_region(&image, spec, &lungs.pixels);
            let input = input.map_err(|cause| sample::Error::Input {
                path: row.path.clone(),
                cause,
            })?;
            Ok(Sample::new(&input.pixels, Vec::new(), row.class))
        };
        specs.iter().map(sample).collect()
    }
}

/// See [`Lungs::name`].
fn name(card: &ModelCard, device: &Device) -> String {
    let ModelCard {
        name: _,
        version: _,
        task: _,
        backbone,
        graph,
        input,
        threshold,
        sha256,
        details: _,
    } = card;
    // Masks of a GPU and of a CPU may differ by a pixel: a run is to be the same, whichever made the cache before.
    let about = format!(
        "{sha256} {backbone:?} {graph:?} {input:?} {threshold} {}",
        device.is_cpu()
    );
    weights::sha256(about.as_bytes())[..32].to_owned()
}
