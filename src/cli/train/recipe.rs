//! The options that change what a run computes: one for every setting of a recipe, each checked where it is read.

use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::options;
use crate::nn::card::Task;
use crate::nn::{Aspect, BackboneKind, Graph, Region};
use crate::training::adam::AdamForm;
use crate::training::check::gate::OnLeakage;
use crate::training::dataset::Category;
use crate::training::recipe::{
    Augmenting, BestBy, ClassWeights, Config, Decay, Limit, Recipe, Sampling, Stage, limits,
};

/// Which settings to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecipeName {
    /// The paper's rates, epochs and numbers of images; expects an encoder that was trained before.
    Paper,
    /// Rates and schedule for random initial weights: small images first.
    Scratch,
}

/// Form of Adam.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AdamName {
    /// Epsilon beside the corrected second moment.
    Torch,
    /// Epsilon beside the raw one.
    Keras,
}

/// How the rate changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecayName {
    /// Not at all.
    Constant,
    /// A line up, then half a cosine down, at every image size.
    Cosine,
    /// Falls by a factor after every few epochs.
    Step,
    /// Falls by a factor when the score stands still.
    Plateau,
}

/// What an epoch is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SamplingName {
    /// Every image once.
    AsIs,
    /// Both classes equally often.
    ByClass,
    /// Both classes equally often, and within a class every source.
    ByClassAndSource,
}

/// When images are transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AugmentingName {
    /// Never.
    Off,
    /// Anew at every use.
    EachEpoch,
    /// Once, before training, to the numbers of images in --target.
    Offline,
}

/// How pictures of other shapes become square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AspectName {
    /// Both sides are scaled by their own factor.
    Stretch,
    /// Scaled to fit, the rest black.
    Pad,
    /// Scaled to cover, the overhang cut off.
    Crop,
}

/// Which part of the picture a classifier is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputName {
    /// All of it.
    Full,
    /// The box around the lungs (needs --segmenter).
    LungCrop,
    /// All of it, black outside the lungs (needs --segmenter).
    LungMask,
}

/// What to do where a picture or a patient is in more than one part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LeakageName {
    /// Do not begin.
    Refuse,
    /// Keep each in one part: test before validation before training.
    LeaveOut,
    /// Begin all the same; the run records it.
    Allow,
    /// Do not look.
    Unchecked,
}

/// Settings instead of the recipe's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings instead of the recipe's")]
pub struct RecipeArgs {
    /// Number of epochs.
    #[arg(long, value_parser = epochs, conflicts_with = "schedule")]
    epochs: Option<usize>,
    /// Image sizes, as `SIZExEPOCHS`: 128x10,224x3.
    #[arg(long, value_delimiter = ',', value_parser = stage)]
    schedule: Option<Vec<Stage>>,
    /// Images that the network sees at once; batch normalisation takes its statistics from them.
    #[arg(long, value_parser = batch)]
    batch: Option<usize>,
    /// Batches whose gradients are averaged for a step.
    #[arg(long, value_name = "N", value_parser = accumulation)]
    accumulate: Option<usize>,
    /// Highest learning rate.
    #[arg(long, value_parser = rate)]
    lr: Option<f64>,
    /// How the rate changes.
    #[arg(long, value_enum)]
    decay: Option<DecayName>,
    /// Cosine: share of a stage's steps in which the rate warms up.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| number(text, limits::WARM_UP))]
    warm_up: Option<f64>,
    /// Cosine: last rate over highest rate of a stage.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| number(text, limits::RATE_SHARE))]
    last_rate: Option<f64>,
    /// Step: epochs at one rate.
    #[arg(long, value_name = "EPOCHS", value_parser = |text: &str| count(text, limits::EVERY))]
    decay_every: Option<usize>,
    /// Step and plateau: what the rate is multiplied with.
    #[arg(long, value_name = "FACTOR", value_parser = |text: &str| number(text, limits::FACTOR))]
    decay_factor: Option<f64>,
    /// Plateau: epochs without a better score after which the rate falls.
    #[arg(long, value_name = "EPOCHS", value_parser = |text: &str| count(text, limits::PATIENCE))]
    decay_patience: Option<usize>,
    /// Metric of the validation part that decides which epoch is the best, and what early stopping and plateaus go by:
    /// `roc_auc`, sensitivity, specificity, precision, f1, f2, accuracy or loss of a classifier; dice, iou, sensitivity,
    /// specificity or loss of a segmenter [default: `roc_auc`, dice].
    #[arg(long, value_name = "METRIC", value_parser = best_by)]
    best_by: Option<BestBy>,
    /// End when the score has not become better for so many epochs of the last image size [default: never].
    #[arg(long, value_name = "EPOCHS", value_parser = |text: &str| count(text, limits::PATIENCE))]
    early_stopping: Option<usize>,
    /// Form of Adam.
    #[arg(long, value_enum)]
    adam: Option<AdamName>,
    /// Decay of Adam's first moment.
    #[arg(long, value_name = "BETA", value_parser = |text: &str| number(text, limits::BETA))]
    beta1: Option<f64>,
    /// Decay of Adam's second moment.
    #[arg(long, value_name = "BETA", value_parser = |text: &str| number(text, limits::BETA))]
    beta2: Option<f64>,
    /// Adam's epsilon instead of its form's.
    #[arg(long, value_parser = |text: &str| number(text, limits::EPSILON))]
    epsilon: Option<f64>,
    /// Shorten gradients of a larger norm to this one [default: none].
    #[arg(long, value_name = "NORM", value_parser = |text: &str| number(text, limits::CLIP))]
    clip: Option<f64>,
    /// Share of a batch's statistics that enters the running ones.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| number(text, limits::BN_MOMENTUM))]
    bn_momentum: Option<f64>,
    /// Phase I: weight of the focal loss beside the Dice loss.
    #[arg(long, value_name = "WEIGHT", value_parser = |text: &str| number(text, limits::WEIGHT))]
    focal_weight: Option<f64>,
    /// Phase I: weight of the Dice loss beside the focal loss.
    #[arg(long, value_name = "WEIGHT", value_parser = |text: &str| number(text, limits::WEIGHT))]
    dice_weight: Option<f64>,
    /// Phase I: weight of lung pixels in the focal loss.
    #[arg(long, value_name = "ALPHA", value_parser = |text: &str| number(text, limits::FOCAL_ALPHA))]
    focal_alpha: Option<f64>,
    /// Exponent of the focal loss; in phase II 0 is plain cross-entropy.
    #[arg(long, value_name = "GAMMA", value_parser = |text: &str| number(text, limits::FOCAL_GAMMA))]
    focal_gamma: Option<f64>,
    /// Phase I: smoothing of the Dice loss.
    #[arg(long, value_name = "VALUE", value_parser = |text: &str| number(text, limits::DICE_SMOOTH))]
    dice_smooth: Option<f64>,
    /// Phase II: share of the target that is spread over both classes.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| number(text, limits::LABEL_SMOOTHING))]
    label_smoothing: Option<f64>,
    /// Phase II: weights of the classes in the loss: equal, balanced, or CONTROL,COVID19.
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights)]
    class_weights: Option<ClassWeights>,
    /// Phase II: what an epoch is drawn from.
    #[arg(long, value_enum)]
    sampling: Option<SamplingName>,
    /// When images are transformed.
    #[arg(long, value_enum)]
    augmenting: Option<AugmentingName>,
    /// Offline: number of images of a category, as `NAME=N`; `others=N` is all without a number. Repeat it for more.
    #[arg(long = "target", value_name = "NAME=N", value_parser = target)]
    targets: Vec<Target>,
    /// Largest shift, as a share of the side.
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| number(text, limits::SHIFT))]
    shift: Option<f64>,
    /// Largest rotation, in degrees.
    #[arg(long, value_name = "DEGREES", value_parser = |text: &str| number(text, limits::ROTATION))]
    rotation: Option<f64>,
    /// How pictures of other shapes become square.
    #[arg(long, value_enum)]
    aspect: Option<AspectName>,
    /// Which part of the picture a classifier is given.
    #[arg(long, value_enum)]
    input: Option<InputName>,
    /// Margin around the lungs' box, as a share of its sides [default: 0.1].
    #[arg(long, value_name = "SHARE", value_parser = |text: &str| number(text, limits::MARGIN))]
    crop_margin: Option<f64>,
    /// What to do where a picture or a patient is in more than one part of the data.
    #[arg(long, value_enum, default_value_t = LeakageName::Refuse)]
    on_leakage: LeakageName,
    /// Seed of initial weights, order and augmentation; the split does not depend on it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What numbers to compute with: full f32, or bf16 with f32 parameters (on CUDA, where it is faster).
    #[arg(long, value_enum, default_value_t = options::PrecisionName::F32)]
    precision: options::PrecisionName,
}

impl RecipeArgs {
    /// The recipe's settings with what the arguments change.
    pub fn config(&self, task: Task, (encoder, graph): (BackboneKind, Graph), recipe: RecipeName) -> Config {
        let recipe = match recipe {
            RecipeName::Paper => Recipe::Paper,
            RecipeName::Scratch => Recipe::Scratch,
        };
        let mut config = recipe.config(task, encoder);
        if let Some(epochs) = self.epochs {
            config.schedule = recipe.schedule(epochs);
        }
        put(&mut config.schedule, self.schedule.clone());
        put(&mut config.batch, self.batch);
        put(&mut config.accumulation, self.accumulate);
        put(&mut config.rate, self.lr);
        put(&mut config.bn_momentum, self.bn_momentum);
        put(&mut config.class_weights, self.class_weights);
        put(&mut config.augmentation.shift, self.shift);
        put(&mut config.augmentation.rotation_deg, self.rotation);
        put(&mut config.aspect, self.aspect.map(Aspect::from));
        put(&mut config.sampling, self.sampling.map(Sampling::from));
        if let Some(metric) = self.best_by {
            config.choose_best_by(metric);
        }
        config.patience = self.early_stopping.or(config.patience);
        config.on_leakage = match self.on_leakage {
            LeakageName::Refuse => Some(OnLeakage::Refuse),
            LeakageName::LeaveOut => Some(OnLeakage::LeaveOut),
            LeakageName::Allow => Some(OnLeakage::Allow),
            LeakageName::Unchecked => None,
        };
        config.graph = graph;
        config.seed = self.seed;
        config.precision = self.precision.into();
        self.change_optimiser(&mut config);
        self.change_losses(&mut config);
        self.change_augmenting(&mut config);
        let margin = self.crop_margin.unwrap_or(DEFAULT_MARGIN);
        put(
            &mut config.region,
            self.input.map(|input| match input {
                InputName::Full => Region::Full,
                InputName::LungCrop => Region::LungCrop { margin },
                InputName::LungMask => Region::LungMask,
            }),
        );
        config
    }

    fn change_optimiser(&self, config: &mut Config) {
        put(&mut config.beta1, self.beta1);
        put(&mut config.beta2, self.beta2);
        config.epsilon = self.epsilon.or(config.epsilon);
        config.clip = self.clip.or(config.clip);
        let form = self.adam.map(|form| match form {
            AdamName::Torch => AdamForm::Torch,
            AdamName::Keras => AdamForm::Keras,
        });
        put(&mut config.adam, form);
        let decay = self.decay.map(|decay| match decay {
            DecayName::Constant => Decay::Constant,
            DecayName::Cosine => Decay::COSINE,
            DecayName::Step => Decay::STEP,
            DecayName::Plateau => Decay::PLATEAU,
        });
        put(&mut config.decay, decay);
        match &mut config.decay {
            Decay::Constant => {}
            Decay::Cosine { warm_up, last, .. } => {
                put(warm_up, self.warm_up);
                put(last, self.last_rate);
            }
            Decay::Step { every, factor } => {
                put(every, self.decay_every);
                put(factor, self.decay_factor);
            }
            Decay::Plateau { patience, factor, .. } => {
                put(patience, self.decay_patience);
                put(factor, self.decay_factor);
            }
        }
    }

    fn change_losses(&self, config: &mut Config) {
        let is_segmenter = config.task == Task::Segmenter;
        let (hybrid, entropy) = (&mut config.losses.hybrid, &mut config.losses.entropy);
        put(&mut hybrid.focal_weight, self.focal_weight);
        put(&mut hybrid.dice_weight, self.dice_weight);
        put(&mut hybrid.focal_alpha, self.focal_alpha);
        put(&mut hybrid.dice_smooth, self.dice_smooth);
        put(&mut entropy.label_smoothing, self.label_smoothing);
        let gamma = if is_segmenter {
            &mut hybrid.focal_gamma
        } else {
            &mut entropy.focal_gamma
        };
        put(gamma, self.focal_gamma);
    }

    fn change_augmenting(&self, config: &mut Config) {
        let chosen = self.augmenting.map(|augmenting| match augmenting {
            AugmentingName::Off => Augmenting::Off,
            AugmentingName::EachEpoch => Augmenting::EachEpoch,
            AugmentingName::Offline if config.task == Task::Segmenter => Augmenting::PAPER_LUNGS,
            AugmentingName::Offline => Augmenting::table_1(),
        });
        put(&mut config.augmenting, chosen);
        if self.targets.is_empty() {
            return;
        }
        // Targets say everything: what they do not name stays as it is.
        let mut asked = (std::collections::BTreeMap::new(), None);
        for target in &self.targets {
            match target.category {
                Some(category) => {
                    asked.0.insert(category, target.images);
                }
                None => asked.1 = Some(target.images),
            }
        }
        config.augmenting = Augmenting::Offline {
            targets: asked.0,
            others: asked.1,
        };
    }
}

/// Margin around the lungs' box.
const DEFAULT_MARGIN: f64 = 0.1;

/// Images of a category, or of all that have no number of their own.
#[derive(Debug, Clone, Copy)]
struct Target {
    category: Option<Category>,
    images: usize,
}

fn put<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

impl From<AspectName> for Aspect {
    fn from(name: AspectName) -> Self {
        match name {
            AspectName::Stretch => Self::Stretch,
            AspectName::Pad => Self::Pad,
            AspectName::Crop => Self::Crop,
        }
    }
}

impl From<SamplingName> for Sampling {
    fn from(name: SamplingName) -> Self {
        match name {
            SamplingName::AsIs => Self::AsIs,
            SamplingName::ByClass => Self::ByClass,
            SamplingName::ByClassAndSource => Self::ByClassAndSource,
        }
    }
}

fn number(text: &str, limit: Limit) -> Result<f64, String> {
    let value = text.parse().unwrap_or(f64::NAN);
    limit.check(value).map_err(|setting| setting.allowed)?;
    Ok(value)
}

pub(super) fn count(text: &str, limit: Limit) -> Result<usize, String> {
    number(text, limit)?;
    usize::from_str(text).map_err(|_| "a whole number is needed".to_owned())
}

fn epochs(text: &str) -> Result<usize, String> {
    count(text, limits::EPOCHS)
}

fn batch(text: &str) -> Result<usize, String> {
    count(text, limits::BATCH).map_err(|allowed| format!("{allowed}: batch normalisation does not do with one"))
}

fn accumulation(text: &str) -> Result<usize, String> {
    count(text, limits::ACCUMULATION)
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, limits::RATE)
}

fn stage(text: &str) -> Result<Stage, String> {
    let (size, epochs) = text.split_once('x').ok_or("SIZExEPOCHS is needed, such as 224x3")?;
    Ok(Stage {
        size: count(size, limits::SIZE)?,
        epochs: count(epochs, limits::EPOCHS)?,
    })
}

fn best_by(text: &str) -> Result<BestBy, String> {
    let names = || BestBy::ALL.map(BestBy::name).join(", ");
    BestBy::named(text).ok_or_else(|| format!("there are {}", names()))
}

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    match text {
        "equal" => return Ok(ClassWeights::Equal),
        "balanced" => return Ok(ClassWeights::Balanced),
        _ => {}
    }
    let (control, covid19) = text
        .split_once(',')
        .ok_or("equal, balanced, or two weights such as 1,2.5 are needed")?;
    Ok(ClassWeights::Given {
        control: number(control, limits::WEIGHT)?,
        covid19: number(covid19, limits::WEIGHT)?,
    })
}

fn target(text: &str) -> Result<Target, String> {
    let (name, images) = text.split_once('=').ok_or("NAME=N is needed, such as covid-19=10000")?;
    let images = count(images, limits::TARGET)?;
    let category = match name {
        "others" => None,
        name => Some(name.parse::<Category>().map_err(|e| format!("{e}, or others"))?),
    };
    Ok(Target { category, images })
}
