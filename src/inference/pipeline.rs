//! One radiograph through both networks to [`Findings`]: a plain function, no threads of its own.

use std::time::{Duration, Instant};

use crate::findings::{ActivationMap, Decision, Findings, InLungActivation, Lungs, Mask, Probabilities, Timings};
use crate::imaging::{Radiograph, Scope};
use crate::nn::{self, CamTarget, Classification, Device, InputSpec, ModelCard, Tensor};
use crate::preprocess::{self, GreyInput, Placement};

use super::activation;
use super::components::lungs;
use super::models::{LoadedClassifier, LoadedSegmenter, Models, model_id};
use super::warnings;

/// Neuron of class COVID-19; neuron 0 is control.
const COVID19: usize = 1;

/// Said where a classifier that is given the lungs had to be given everything.
const WHOLE_INSTEAD: &str =
    "The network is made for the lungs alone and was given the whole picture, because no lung was found.";

/// What the pipeline is about to do; the engine passes it on as progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Radiograph to network input.
    Preprocess,
    /// Lung segmentation.
    Segment,
    /// Classification.
    Classify,
    /// Grad-CAM.
    Explain,
}

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The picture is shown but was not made for these networks.
    #[error("not predicted: {0}")]
    OutOfScope(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// No network input could be made.
    #[error(transparent)]
    Preprocess(preprocess::Error),
    /// A network failed.
    #[error(transparent)]
    Network(#[from] nn::Error),
    /// A network gave something that is no number.
    #[error("the {0} gave no finite numbers; its weights are not usable")]
    NotFinite(&'static str),
    /// The GPU failed, and the networks cannot be loaded on the CPU instead.
    #[error("{gpu}; the networks cannot be loaded on the CPU instead: {cpu}")]
    NotOnCpu {
        /// What the GPU said.
        gpu: String,
        /// Why not on the CPU.
        cpu: String,
    },
}

impl Error {
    /// Whether a GPU refused, is full or was lost: the CPU may do.
    pub fn is_of_gpu(&self) -> bool {
        matches!(self, Self::Network(nn::Error::Gpu { .. }))
    }
}

impl From<preprocess::Error> for Error {
    fn from(error: preprocess::Error) -> Self {
        match error {
            // The input is made on the device that the networks are on, and a GPU that was lost is noticed here first.
            preprocess::Error::Tensor(cause) => Self::Network(cause.into()),
            colour @ preprocess::Error::Colour => Self::Preprocess(colour),
        }
    }
}

/// A picture as one network wants it.
struct NetworkInput {
    tensor: Tensor,
    placement: Placement,
}

/// What the classifier said about one picture.
struct Classified {
    /// Last feature map, `[1, c, h, w]`.
    features: Tensor,
    /// Control and COVID-19.
    logits: [f64; 2],
}

/// The segmenter's output and, where a classifier needs no lungs to begin, that of the first such one: they are
/// computed side by side.
struct Beside {
    /// Lung probability.
    lungs: Tensor,
    lungs_took: Duration,
    /// Which classifier, what it said, and when.
    classified: Option<(usize, Classified, Duration)>,
}

impl Beside {
    fn run(
        models: &Models,
        classifiers: &[&LoadedClassifier],
        for_segmenter: &NetworkInput,
        for_classifiers: &[Option<NetworkInput>],
    ) -> Result<Self, Error> {
        let segmenter = &models.segmenter.0;
        let first = for_classifiers
            .iter()
            .enumerate()
            .find_map(|(i, input)| Some((i, input.as_ref()?)));
        let Some((index, input)) = first else {
            let start = Instant::now();
            let lungs = segmenter.predict(&for_segmenter.tensor)?;
            return Ok(Self {
                lungs,
                lungs_took: start.elapsed(),
                classified: None,
            });
        };
        let both = nn::predict_both(
            (segmenter, &for_segmenter.tensor),
            (&classifiers[index].0, &input.tensor),
        )?;
        Ok(Self {
            lungs: both.lungs,
            lungs_took: both.segmenter_took,
            classified: Some((index, classified(both.classification)?, both.classifier_took)),
        })
    }
}

/// Runs both networks on one image.
///
/// `on_stage` is called before each stage and returns whether to go on; `false` ends in [`Error::Cancelled`].
///
/// # Errors
/// If the picture is out of scope, a network fails, or the caller stops it.
///
/// # Panics
/// Never: one classifier has one result.
pub fn analyse(
    models: &Models,
    image: &Radiograph,
    on_stage: &mut dyn FnMut(Stage) -> bool,
) -> Result<Findings, Error> {
    let mut found = analyse_with(models, &[&models.classifier], image, on_stage)?;
    Ok(found.pop().expect("one classifier has one result"))
}

/// As [`analyse`], with several of the models' classifiers behind one segmentation: findings of each, in their order.
///
/// # Errors
/// As [`analyse`].
pub fn analyse_with(
    models: &Models,
    classifiers: &[&LoadedClassifier],
    image: &Radiograph,
    on_stage: &mut dyn FnMut(Stage) -> bool,
) -> Result<Vec<Findings>, Error> {
    check_scope(image)?;
    let mut enter = |stage| if on_stage(stage) { Ok(()) } else { Err(Error::Cancelled) };
    let start = Instant::now();
    enter(Stage::Preprocess)?;
    let (for_segmenter, for_classifiers) = inputs(models, classifiers, image)?;
    let preprocess = start.elapsed();

    enter(Stage::Segment)?;
    let segmenting = Instant::now();
    let mut beside = Beside::run(models, classifiers, &for_segmenter, &for_classifiers)?;
    let masking = Instant::now();
    let mask = to_mask(&beside.lungs, &models.segmenter.1, &for_segmenter)?;
    let lungs = lungs(&mask);
    let segment = beside.lungs_took + masking.elapsed();
    let shared = segmenting.elapsed();

    let mut own = Vec::with_capacity(classifiers.len());
    for (index, (&classifier, input)) in classifiers.iter().zip(for_classifiers).enumerate() {
        enter(Stage::Classify)?;
        let classifying = Instant::now();
        let input = match input {
            Some(input) => input,
            None => region_input(&models.device, image, &classifier.1.input, &mask)?,
        };
        let (classified, classify) = match beside.classified.take_if(|(of, ..)| *of == index) {
            Some((_, classified, took)) => (classified, took),
            None => (classify(classifier, &input)?, classifying.elapsed()),
        };

        enter(Stage::Explain)?;
        let explaining = Instant::now();
        let (activation, in_lung) = explain(classifier, &classified, &input.placement, &mask)?;
        let explain = explaining.elapsed();
        let timings = Timings {
            preprocess,
            segment,
            classify,
            explain,
            total: preprocess + shared + classifying.elapsed(),
        };
        own.push((&classifier.1, classified.logits, activation, in_lung, timings));
    }
    // The last of them takes the mask without a copy.
    let shared = std::iter::repeat_n((mask, lungs), own.len());
    let found = own.into_iter().zip(shared);
    let found = found.map(|((card, logits, activation, in_lung, timings), (mask, lungs))| {
        let parts = Parts {
            mask,
            lungs,
            logits,
            activation,
            in_lung,
            timings,
        };
        findings(models, card, image, parts)
    });
    Ok(found.collect())
}

/// The lung mask alone.
///
/// # Errors
/// If the picture is out of scope or the network fails.
pub fn lung_mask(segmenter: &LoadedSegmenter, device: &Device, image: &Radiograph) -> Result<Mask, Error> {
    check_scope(image)?;
    let spec = &segmenter.1.input;
    let input = network_input(device, &preprocess::grey(image, spec)?, spec)?;
    to_mask(&segmenter.0.predict(&input.tensor)?, &segmenter.1, &input)
}

fn check_scope(image: &Radiograph) -> Result<(), Error> {
    if let Scope::OutOfScope(reason) = &image.scope {
        return Err(Error::OutOfScope(reason.clone()));
    }
    if !image.is_grey_enough() {
        return Err(preprocess::Error::Colour.into());
    }
    Ok(())
}

/// The input of a network that is given a part of the picture: black outside the lungs, or the box around them.
///
/// # Errors
/// If the picture is in colour, or the device refuses the tensor.
fn region_input(device: &Device, image: &Radiograph, spec: &InputSpec, lungs: &Mask) -> Result<NetworkInput, Error> {
    let grey = preprocess::grey_of_region(image, spec, &lungs.pixels)?;
    network_input(device, &grey, spec)
}

/// Inputs of the segmenter and of each classifier, each by its own spec; a grey plane is made once for all that it
/// suits. A classifier that is given a part of the picture has none before the lungs are known.
fn inputs(
    models: &Models,
    classifiers: &[&LoadedClassifier],
    image: &Radiograph,
) -> Result<(NetworkInput, Vec<Option<NetworkInput>>), Error> {
    let same_shape = |a: &InputSpec, b: &InputSpec| (a.width, a.height, a.aspect) == (b.width, b.height, b.aspect);
    let spec = &models.segmenter.1.input;
    let mut planes: Vec<(&InputSpec, GreyInput)> = vec![(spec, preprocess::grey(image, spec)?)];
    let segmenter = network_input(&models.device, &planes[0].1, spec)?;
    let mut inputs = Vec::with_capacity(classifiers.len());
    for (_, card) in classifiers {
        let spec = &card.input;
        if !spec.region.is_full() {
            inputs.push(None);
            continue;
        }
        let made = planes.iter().position(|(other, _)| same_shape(other, spec));
        let plane = if let Some(plane) = made {
            plane
        } else {
            planes.push((spec, preprocess::grey(image, spec)?));
            planes.len() - 1
        };
        inputs.push(Some(network_input(&models.device, &planes[plane].1, spec)?));
    }
    Ok((segmenter, inputs))
}

fn network_input(device: &Device, grey: &GreyInput, spec: &InputSpec) -> Result<NetworkInput, Error> {
    let tensor = preprocess::tensor(grey, spec, device)?;
    Ok(NetworkInput {
        tensor,
        placement: grey.placement,
    })
}

/// Lung probability to image pixels, bilinearly, then the threshold of the segmenter's card.
fn to_mask(probability: &Tensor, card: &ModelCard, input: &NetworkInput) -> Result<Mask, Error> {
    let probability = flat(probability, "segmenter")?;
    let (width, height) = input.placement.image_size();
    // Where the network did not look the probability is 0; a threshold of 0 does not make that lung.
    let pixels = input.placement.to_mask(&probability, card.threshold as f32);
    Ok(Mask {
        width: width as u32,
        height: height as u32,
        pixels,
    })
}

fn classify((network, _): &LoadedClassifier, input: &NetworkInput) -> Result<Classified, Error> {
    classified(network.predict(&input.tensor)?)
}

/// Finite logits of the two classes.
fn classified(output: Classification) -> Result<Classified, Error> {
    let logits = flat(&output.logits, "classifier")?;
    let [control, covid19] = logits[..] else {
        let found = output.logits.dims().to_vec();
        return Err(nn::Error::Shape {
            tensor: "logits".to_owned(),
            found,
            expected: vec![1, 2],
        }
        .into());
    };
    Ok(Classified {
        features: output.features,
        logits: [control.into(), covid19.into()],
    })
}

/// Grad-CAM of the COVID-19 logit, `ReLU`, bilinear to the network input, then to image pixels; and how much of it lies
/// inside the lungs.
fn explain(
    (network, _): &LoadedClassifier,
    classified: &Classified,
    placement: &Placement,
    lungs: &Mask,
) -> Result<(ActivationMap, InLungActivation), Error> {
    let raw = network.activation_map(&classified.features, COVID19, CamTarget::Logit)?;
    let (_, rows, columns) = raw.dims3().map_err(nn::Error::from)?;
    let cells: Vec<f32> = flat(&raw, "activation map")?
        .iter()
        .map(|value| value.max(0.0))
        .collect();
    Ok(activation::in_image(cells, (columns, rows), placement, lungs))
}

/// The values of a tensor in row-major order, all of them finite.
fn flat(tensor: &Tensor, network: &'static str) -> Result<Vec<f32>, Error> {
    let values = tensor
        .flatten_all()
        .and_then(|flat| flat.to_vec1::<f32>())
        .map_err(nn::Error::from)?;
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(Error::NotFinite(network))
    }
}

/// What [`findings`] puts together.
struct Parts {
    mask: Mask,
    lungs: Lungs,
    logits: [f64; 2],
    activation: ActivationMap,
    in_lung: InLungActivation,
    timings: Timings,
}

fn findings(models: &Models, classifier: &ModelCard, image: &Radiograph, parts: Parts) -> Findings {
    let Parts {
        mask,
        lungs,
        logits,
        activation,
        in_lung,
        timings,
    } = parts;
    let margin = logits[COVID19] - logits[0];
    let probabilities = softmax(margin);
    let threshold = classifier.threshold;
    let lung_area_fraction = mask.area_px() as f64 / mask.pixels.len().max(1) as f64;
    let mut warnings = warnings::about(image, &lungs, lung_area_fraction, &activation);
    if !classifier.input.region.is_full() && lungs == Lungs::None {
        warnings.push(WHOLE_INSTEAD.to_owned());
    }
    Findings {
        content_hash: image.content_hash,
        sop_instance_uid: image.acquisition.sop_instance_uid.clone(),
        mask,
        lungs,
        lung_area_fraction,
        probabilities,
        margin,
        threshold,
        decision: decide(probabilities.covid19, threshold),
        activation,
        in_lung,
        classifier: model_id(classifier),
        segmenter: models.segmenter_id(),
        device: models.device_label.clone(),
        timings,
        warnings,
    }
}

/// Softmax over two logits from their difference (COVID-19 minus control); does not overflow.
fn softmax(margin: f64) -> Probabilities {
    let covid19 = 1.0 / (1.0 + (-margin).exp());
    let control = 1.0 / (1.0 + margin.exp());
    Probabilities { control, covid19 }
}

fn decide(covid19: f64, threshold: f64) -> Decision {
    if covid19 >= threshold {
        Decision::Covid19
    } else {
        Decision::Control
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_adds_up_to_one_and_does_not_overflow() {
        for margin in [-1e4, -3.0, 0.0, 0.25, 700.0, 1e4] {
            let p = softmax(margin);
            assert!((p.control + p.covid19 - 1.0).abs() < 1e-12, "{margin}: {p:?}");
            assert_eq!(p.covid19 > 0.5, margin > 0.0);
        }
        assert!((softmax(2.0).covid19 - 0.880_797_077_977_882).abs() < 1e-12);
    }

    #[test]
    fn a_score_on_the_threshold_is_covid19() {
        assert_eq!(decide(0.41, 0.41), Decision::Covid19);
        assert_eq!(decide(0.409_999, 0.41), Decision::Control);
    }
}
