//! `recovnet train`, `resume` and `train-from`: one of the paper's two phases on data folders, kept in a run folder.

mod pipes;
mod progress;
mod recipe;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::inference::device::DeviceChoice;
use crate::nn::card::Task;
use crate::nn::{BackboneKind, Graph};
use crate::training::Error;
use crate::training::control::Controls;
use crate::training::dataset::paper_table::Comparison;
use crate::training::event::{Line, TrainingEvent};
use crate::training::recipe::limits;
use crate::training::request::{OnHangup, Request};
use crate::training::trainer::{self, Job, Session};

use super::dataset::DatasetArgs;
use super::{Usage, folders, options};
use pipes::{Events, PipeArgs, say};
use progress::Progress;
use recipe::{RecipeArgs, RecipeName};

/// What to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// Phase I: lung segmentation.
    Segmenter,
    /// Phase II: COVID-19 against control with the encoder of a trained segmenter (--init), or on from an earlier one.
    Recovnet,
    /// COVID-19 against control without a segmenter's encoder, for comparison.
    Baseline,
}

impl Network {
    fn task(self) -> Task {
        match self {
            Self::Segmenter => Task::Segmenter,
            Self::Recovnet => Task::Recovnet,
            Self::Baseline => Task::Baseline,
        }
    }
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
    /// Weights to begin with: of an earlier run (for recovnet a segmenter's, or its own), or an imported encoder.
    #[arg(long)]
    pub init: Option<PathBuf>,
    /// Weights of the segmenter that finds the lungs, for --input and for the watch-list.
    #[arg(long, value_name = "FILE")]
    pub segmenter: Option<PathBuf>,
    /// Image to look at after every epoch, as the data name it; repeat it for more.
    #[arg(long, value_name = "NAME")]
    pub watch: Vec<String>,
    /// Further images to look at, chosen from the validation part by the seed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub watch_chosen: usize,
    #[command(flatten)]
    pub settings: RecipeArgs,
    #[command(flatten)]
    pub session: SessionArgs,
    /// Go on with the run in the folder after its last checkpoint.
    #[arg(long)]
    pub resume: bool,
}

/// Arguments of `recovnet resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Folder of the run.
    pub run_dir: PathBuf,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Arguments of `recovnet train-from`.
#[derive(Debug, Args)]
pub struct TrainFromArgs {
    /// File that describes the run, such as job.json in the folder of another.
    pub file: PathBuf,
    /// Folder to keep the run in, instead of the one that the file names.
    #[arg(long)]
    pub run_dir: Option<PathBuf>,
    /// Go on with the run in the folder after its last checkpoint.
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// How a run is made, which changes nothing of what comes of it.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// Where to compute: auto, cpu or cuda:N [default: auto].
    #[arg(long, value_parser = options::device)]
    pub device: Option<String>,
    /// Threads that compute on the CPU [default: one a core].
    #[arg(long, value_name = "N", value_parser = options::threads)]
    pub threads: Option<usize>,
    /// How far to stand back behind other programs, 0 to 19 [default: 0].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=19))]
    pub nice: Option<u8>,
    /// Seconds between two checkpoints inside an epoch; 0 is after every batch [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub checkpoint_every: Option<f64>,
    /// Keep the network of every so many epochs as epoch-0005.safetensors, with its card [default: best and last only].
    #[arg(long, value_name = "EPOCHS", value_parser = |text: &str| recipe::count(text, limits::KEEP_EVERY))]
    pub keep_every: Option<usize>,
    /// Most memory to use, in MiB; batches are cut smaller to stay below it [default: what is free].
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..))]
    pub memory: Option<u32>,
    /// Folder for decoded inputs, so that they are decoded once [default: the user's cache].
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_cache")]
    pub cache: Option<PathBuf>,
    /// Keep no decoded inputs on disk.
    #[arg(long)]
    pub no_cache: bool,
    /// Measure a few steps, say what the run would take, and train nothing.
    #[arg(long)]
    pub estimate: bool,
    #[command(flatten)]
    pub pipes: PipeArgs,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400 is needed".to_owned()),
    }
}

/// Trains; prints a JSON line an epoch on standard output and progress on standard error, or all events on standard
/// output if they are asked for.
///
/// # Errors
/// If the run ends without weights.
pub fn run(args: TrainArgs) -> anyhow::Result<ExitCode> {
    let config = args
        .settings
        .config(args.network.task(), (args.encoder, args.graph), args.recipe);
    let request = Request {
        dataset: args.dataset.options(),
        init: args.init,
        segmenter: args.segmenter,
        resume: args.resume,
        watch: crate::training::watch::WatchList {
            files: args.watch,
            chosen: args.watch_chosen,
        },
        ..Request::new(config, args.dataset.folder(), &args.run_dir)
    };
    if !args.dataset.is_plain() {
        let manifest = args.dataset.open()?;
        let comparison = match args.network {
            Network::Segmenter => Comparison::of_lung_masks(&manifest.rows),
            Network::Recovnet | Network::Baseline => Comparison::of_table_1(&manifest.rows),
        };
        say(&comparison.to_string());
    }
    make(&args.session.over(request), &args.session)
}

/// Goes on with a run as it was begun.
///
/// # Errors
/// If there is none, or the run ends without weights.
pub fn resume(args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    let request = Request::of_run(&args.run_dir)?;
    make(&args.session.over(request), &args.session)
}

/// Makes the run that a file describes.
///
/// # Errors
/// If the file describes none, or the run ends without weights.
pub fn run_from(args: TrainFromArgs) -> anyhow::Result<ExitCode> {
    let mut request = Request::read(&args.file)?;
    request.resume |= args.resume;
    if let Some(folder) = args.run_dir {
        request.run = folder;
    }
    make(&args.session.over(request), &args.session)
}

impl SessionArgs {
    /// A request with what these arguments say instead.
    fn over(&self, request: Request) -> Request {
        Request {
            device: self.device.clone().unwrap_or(request.device),
            threads: self.threads.or(request.threads),
            nice: self.nice.unwrap_or(request.nice),
            checkpoint_seconds: self.checkpoint_every.unwrap_or(request.checkpoint_seconds),
            keep_every: self.keep_every.or(request.keep_every),
            memory_mib: self.memory.map(f64::from).or(request.memory_mib),
            cache: request.cache && !self.no_cache,
            cache_folder: self.cache.clone().or(request.cache_folder),
            on_hangup: self.pipes.on_hangup.map_or(request.on_hangup, OnHangup::from),
            ..request
        }
    }
}

/// Makes a run and tells of it.
fn make(request: &Request, args: &SessionArgs) -> anyhow::Result<ExitCode> {
    let mut events = Events::open(args.pipes.events.as_deref())?;
    let outcome = prepare(request).and_then(|job| {
        let controls = Controls::default();
        pipes::listen(&args.pipes, request.on_hangup, &controls)?;
        if args.estimate {
            return estimate(&job, &mut events);
        }
        let label = &job.session.device;
        say(&format!("training on {label}; research use only, not a diagnosis"));
        train(&job, &controls, &mut events)
    });
    if let Err(error) = &outcome {
        // Whoever reads events alone learns of it as well; a run has told of its end itself.
        events.fail(&format!("{error:#}"));
    }
    outcome
}

/// Opens the device and sets up threads and priority.
fn prepare(request: &Request) -> anyhow::Result<Job> {
    if !stand_back(request.nice) {
        say("this system knows no priority of processes; --nice is ignored");
    }
    options::start_threads(request.threads)?;
    let opened = request.device.parse::<DeviceChoice>()?.open()?;
    request.config.check().map_err(|setting| Usage(setting.to_string()))?;
    request.config.precision.check(&opened.device)?;
    anyhow::ensure!(
        request.checkpoint_seconds.is_finite() && request.checkpoint_seconds >= 0.0,
        Usage("the time between checkpoints is no number of seconds".to_owned())
    );
    let kept = request.keep_every.map(|every| limits::KEEP_EVERY.check_count(every));
    kept.transpose().map_err(|setting| Usage(setting.to_string()))?;
    Ok(Job {
        config: request.config.clone(),
        data: request.data.clone(),
        dataset: request.dataset.clone(),
        run: request.run.clone(),
        init: request.init.clone(),
        segmenter: request.segmenter.clone(),
        resume: request.resume,
        device: opened.device,
        session: Session {
            device: opened.label,
            checkpoint_every: Duration::from_secs_f64(request.checkpoint_seconds),
            keep_every: request.keep_every,
            memory_mib: request.memory_mib,
            reports: folders::checks(),
            cache: request
                .cache
                .then(|| request.cache_folder.clone().or_else(folders::inputs))
                .flatten(),
            watch: request.watch.clone(),
            request: Some(Box::new(
                request.clone().absolute().context("there is no current folder")?,
            )),
        },
    })
}

/// Lowers the priority of this process; returns whether the system does that.
#[cfg(unix)]
fn stand_back(nice: u8) -> bool {
    nice == 0 || rustix::process::nice(nice.into()).is_ok()
}

/// Lowers the priority of this process; returns whether the system does that.
#[cfg(not(unix))]
fn stand_back(nice: u8) -> bool {
    nice == 0
}

fn train(job: &Job, controls: &Controls, events: &mut Events) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new(events.on_standard_output());
    let outcome = trainer::train(job, controls, &mut |event| {
        progress.show(&event);
        events.write(&Line::now(event));
    });
    progress.clear();
    match outcome {
        Ok(outcome) => {
            let best = outcome.best;
            say(&format!(
                "best epoch {} with {} {:.4} on the validation part: {}",
                best.epoch,
                job.config.best_metric().name(),
                best.score,
                outcome.weights.display()
            ));
            Ok(ExitCode::SUCCESS)
        }
        Err(Error::Usage(problem)) => Err(Usage(problem).into()),
        Err(Error::Setting(setting)) => Err(Usage(setting.to_string()).into()),
        Err(Error::Cancelled) => {
            Err(Error::Cancelled).with_context(|| format!("{}: go on with 'recovnet resume'", job.run.display()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Measures a few steps and says what the run would take.
fn estimate(job: &Job, events: &mut Events) -> anyhow::Result<ExitCode> {
    let estimate = trainer::estimate(job)?;
    if !events.on_standard_output() {
        println!("{}", serde_json::to_string_pretty(&estimate)?);
    }
    events.write(&Line::now(TrainingEvent::Estimated(estimate)));
    Ok(ExitCode::SUCCESS)
}
