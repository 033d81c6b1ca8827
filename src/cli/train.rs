//! `recovnet train`: one of the paper's two phases on a data folder, kept in a run folder.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::inference::device::DeviceChoice;
use crate::nn::card::Task;
use crate::nn::{BackboneKind, Graph};
use crate::training::Error;
use crate::training::dataset::paper_table::Comparison;
use crate::training::event::TrainingEvent;
use crate::training::recipe::{Config, Recipe, Stage};
use crate::training::trainer::{self, Job};

use super::dataset::DatasetArgs;
use super::{Usage, options};

/// Smallest image side: the encoder divides it by 32. Some encoders need more, which the run says.
const SMALLEST_SIDE: usize = 32;
/// Largest image side.
const LARGEST_SIDE: usize = 2048;

/// What to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// Phase I: lung segmentation.
    Segmenter,
    /// Phase II: COVID-19 against control with the encoder of a trained segmenter (needs --init).
    Recovnet,
    /// COVID-19 against control without a segmenter's encoder, for comparison.
    Baseline,
}

/// Which settings to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecipeName {
    /// The paper's rates and epochs; expects an encoder that was trained before.
    Paper,
    /// Rates and schedule for random initial weights: small images first.
    Scratch,
}

/// Arguments of `recovnet train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to train.
    pub network: Network,
    /// Its encoder.
    #[arg(long, help = format!("One of {}", BackboneKind::names()))]
    pub encoder: BackboneKind,
    /// Graph of the encoder: torch, or keras for weights imported from Keras.
    #[arg(long, default_value = "torch")]
    pub graph: Graph,
    #[command(flatten)]
    pub dataset: DatasetArgs,
    /// Which settings to start from.
    #[arg(long)]
    pub recipe: RecipeName,
    /// Folder that the run is kept in: settings, metrics, best weights with their card, last checkpoint.
    #[arg(long)]
    pub run_dir: PathBuf,
    /// Weights to begin with: of an earlier run (for recovnet a segmenter's), or an imported encoder.
    #[arg(long)]
    pub init: Option<PathBuf>,
    /// Number of epochs instead of the recipe's.
    #[arg(long, value_parser = at_least_one, conflicts_with = "schedule")]
    pub epochs: Option<usize>,
    /// Image sizes instead of the recipe's, as `SIZExEPOCHS`: 128x10,224x3.
    #[arg(long, value_delimiter = ',', value_parser = stage)]
    pub schedule: Option<Vec<Stage>>,
    /// Images in a batch instead of the recipe's.
    #[arg(long, value_parser = batch)]
    pub batch: Option<usize>,
    /// Highest learning rate instead of the recipe's.
    #[arg(long, value_parser = rate)]
    pub lr: Option<f64>,
    /// Seed of initial weights, order and augmentation; the split does not depend on it.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute: auto, cpu or cuda:N.
    #[arg(long, default_value = "auto", value_parser = options::device)]
    pub device: String,
    /// What numbers to compute with: full f32, or bf16 with f32 parameters (on CUDA, where it is faster).
    #[arg(long, value_enum, default_value_t = options::PrecisionName::F32)]
    pub precision: options::PrecisionName,
    #[command(flatten)]
    pub threads: options::ThreadsArg,
    /// Go on with the run in the folder after its last finished epoch.
    #[arg(long)]
    pub resume: bool,
}

/// Trains; prints a JSON line an epoch on standard output and progress on standard error.
///
/// # Errors
/// If the run ends without weights.
pub fn run(args: TrainArgs) -> anyhow::Result<ExitCode> {
    args.threads.apply()?;
    let opened = args.device.parse::<DeviceChoice>()?.open()?;
    config(&args).precision.check(&opened.device)?;
    let job = Job {
        config: config(&args),
        data: args.dataset.folder().to_owned(),
        dataset: args.dataset.options(),
        run: args.run_dir,
        init: args.init,
        resume: args.resume,
        device: opened.device,
    };
    if !args.dataset.is_plain() {
        let manifest = args.dataset.open()?;
        let comparison = match args.network {
            Network::Segmenter => Comparison::of_lung_masks(&manifest.rows),
            Network::Recovnet | Network::Baseline => Comparison::of_table_1(&manifest.rows),
        };
        eprint!("{comparison}");
    }
    eprintln!("training on {}; research use only, not a diagnosis", opened.label);
    let mut progress = Progress::new();
    let outcome = trainer::train(&job, &AtomicBool::new(false), &mut |event| {
        progress.show(&event);
    });
    progress.bar.finish_and_clear();
    match outcome {
        Ok(outcome) => {
            let best = outcome.best;
            eprintln!(
                "best epoch {} with {:.4} on the validation part: {}",
                best.epoch,
                best.score,
                outcome.weights.display()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(Error::Usage(problem)) => Err(Usage(problem).into()),
        Err(error) => Err(error.into()),
    }
}

/// The recipe's settings with what the arguments change.
fn config(args: &TrainArgs) -> Config {
    let task = match args.network {
        Network::Segmenter => Task::Segmenter,
        Network::Recovnet => Task::Recovnet,
        Network::Baseline => Task::Baseline,
    };
    let recipe = match args.recipe {
        RecipeName::Paper => Recipe::Paper,
        RecipeName::Scratch => Recipe::Scratch,
    };
    let mut config = recipe.config(task, args.encoder);
    if let Some(epochs) = args.epochs {
        config.schedule = recipe.schedule(epochs);
    }
    if let Some(schedule) = &args.schedule {
        config.schedule.clone_from(schedule);
    }
    config.graph = args.graph;
    config.batch = args.batch.unwrap_or(config.batch);
    config.rate = args.lr.unwrap_or(config.rate);
    config.seed = args.seed;
    config.precision = args.precision.into();
    config
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("a whole number is needed".to_owned()),
    }
}

fn batch(text: &str) -> Result<usize, String> {
    match at_least_one(text)? {
        1 => Err("batch normalisation needs at least 2 images in a batch".to_owned()),
        number => Ok(number),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a learning rate above 0 is needed".to_owned()),
    }
}

fn stage(text: &str) -> Result<Stage, String> {
    let (size, epochs) = text.split_once('x').ok_or("SIZExEPOCHS is needed, such as 224x3")?;
    let (size, epochs) = (at_least_one(size)?, at_least_one(epochs)?);
    if !(SMALLEST_SIDE..=LARGEST_SIDE).contains(&size) {
        return Err(format!(
            "images of {SMALLEST_SIDE} to {LARGEST_SIDE} pixels are trained on"
        ));
    }
    Ok(Stage { epochs, size })
}

/// The bar on standard error and the lines on standard output.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} ETA {eta}")
            .expect("the template is well-formed");
        bar.set_style(style);
        Self { bar }
    }

    fn show(&mut self, event: &TrainingEvent) {
        match event {
            TrainingEvent::EncoderOnly => self.bar.suspend(|| {
                eprintln!("begins with an imported encoder; decoder or head begin with random weights");
            }),
            TrainingEvent::Loading { done, total, size } => {
                self.place(*done, *total);
                self.bar.set_message(format!("images at {size} px"));
            }
            TrainingEvent::Step {
                done,
                total,
                epoch,
                loss,
                images_per_second,
            } => {
                self.place(*done, *total);
                self.bar.set_message(format!(
                    "epoch {epoch}, loss {loss:.4}, {images_per_second:.1} images/s"
                ));
            }
            TrainingEvent::Validating { epoch } => {
                self.bar.set_message(format!("epoch {epoch}, validation"));
            }
            TrainingEvent::Epoch(record) => {
                let line = serde_json::to_string(record).expect("a record is plain data");
                self.bar.suspend(|| {
                    // Whoever reads the lines may have gone; the run goes on and keeps them in its folder.
                    let _ = writeln!(std::io::stdout(), "{line}");
                });
            }
        }
    }

    /// Moves the bar; a count with another total begins a new estimate.
    fn place(&self, done: usize, total: usize) {
        if self.bar.length() != Some(total as u64) {
            self.bar.reset();
            self.bar.set_length(total as u64);
            self.bar.reset_eta();
        }
        self.bar.set_position(done as u64);
    }
}
