//! `recovnet bench`: how fast this machine computes. Every case runs in a process of its own, one after the other;
//! a table for people, or a line of JSON each.

mod case;
mod child;
mod loading;
mod measure;
mod opening;
mod profile;
mod protocol;
mod serve;
mod workload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::inference::device::DeviceChoice;

use super::machine::{self, Machine};
use super::output::Lines;
use super::{Usage, options};
use case::{Case, Lists, NetworkName, Work};
use child::Served;
use measure::Measured;
use protocol::Epoch;

/// Most images in a batch: what the input alone takes stays below 1 GiB.
const MAX_BATCH: usize = 1024;
/// Most rounds of a case.
const MAX_ROUNDS: usize = 100_000;

/// Options of `recovnet bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What is measured
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "inference,training,pipeline"
    )]
    work: Vec<Work>,
    /// Networks for inference, training and loading: resnet50 is the classifier, segmenter-resnet50 the segmenter
    /// [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    networks: Vec<NetworkName>,
    /// Images in a batch of 224 x 224 pixels [default: 1 for inference, 8 for training and loading]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = batch)]
    batch: Vec<usize>,
    /// Threads that compute on the CPU [default: one a core]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = options::threads)]
    threads: Vec<usize>,
    /// What computes: auto, cpu or cuda:N [default: every device there is]
    #[arg(long, value_name = "DEVICE", value_parser = options::device)]
    device: Option<String>,
    /// What numbers inference, training and loading compute with; bf16 on CUDA only
    #[arg(long, value_enum, default_value_t = options::PrecisionName::F32)]
    precision: options::PrecisionName,
    /// Rounds of each case after its warm-up [default: as many as take 1.5 s, from 3 to 30]
    #[arg(long, value_name = "N", value_parser = rounds)]
    rounds: Option<usize>,
    /// Folder searched first for the weights of the pipeline; inference and training take random ones
    #[arg(long, value_name = "FOLDER")]
    weights: Option<PathBuf>,
    /// Data folder whose first pictures loading takes [default: synthetic JPEG files of 1024 x 1024 pixels], or file that
    /// opening takes [default: the phantom of 3000 x 3000 pixels, uncompressed]
    #[arg(long, value_name = "FOLDER|FILE")]
    data: Option<PathBuf>,
    /// Where the lines of JSON go: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE")]
    json: Option<PathBuf>,
    /// Time every step of the networks' inference on the CPU instead, each alone
    #[arg(long, conflicts_with_all = ["work", "device", "precision", "weights", "data", "serve"])]
    profile: bool,
    /// Holds one case, and runs a round for every line on standard input
    #[arg(long, hide = true)]
    serve: bool,
}

/// The first line of JSON.
#[derive(Serialize)]
struct Head<'a> {
    machine: &'a Machine,
}

/// The line of a case.
#[derive(Serialize)]
struct Line {
    work: Work,
    network: String,
    batch: usize,
    threads: usize,
    device: String,
    /// Left out where it is f32.
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<&'static str>,
    #[serde(flatten)]
    outcome: Outcome,
}

/// Its numbers, or why there are none.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Measured {
        median_ms: f64,
        min_ms: f64,
        /// `VmHWM`: everything that the process ever had in memory, the program and the weights among it.
        peak_mib: Option<f64>,
        /// Memory when the case was built and nothing was computed yet.
        loaded_mib: Option<f64>,
        rounds: usize,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        stages_ms: BTreeMap<String, f64>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        epochs: Vec<EpochLine>,
    },
    Failed {
        error: String,
    },
}

/// An epoch of training from files, over all rounds.
#[derive(Serialize)]
struct EpochLine {
    /// Where its inputs come from: `decoded`, `ready` or `cached`.
    inputs: String,
    /// Images of all rounds.
    images: usize,
    images_per_second: f64,
    /// Share of the time, loading included, in which steps waited for inputs.
    waited: f64,
    /// Share of the time that went by before the first step.
    loading: f64,
}

impl From<Epoch> for EpochLine {
    fn from(epoch: Epoch) -> Self {
        Self {
            inputs: epoch.inputs,
            images: epoch.images,
            images_per_second: thousandths(epoch.images as f64 / epoch.seconds),
            waited: millionths((epoch.waited / epoch.seconds).min(1.0)),
            loading: millionths((epoch.loading / epoch.seconds).min(1.0)),
        }
    }
}

/// Folders that some work needs.
#[derive(Debug, Clone, Copy)]
struct Folders<'a> {
    /// Weights of the pipeline.
    weights: Option<&'a Path>,
    /// Pictures of loading, or the picture of opening.
    data: Option<&'a Path>,
}

/// Runs the command; exit code 1 if a case failed.
///
/// # Errors
/// If the arguments contradict each other, a device is not there, or the lines cannot be written.
pub fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    if args.data.is_some() && !args.work.iter().any(|work| work.takes_data()) {
        return Err(Usage("--data is for --work loading and opening".into()).into());
    }
    if args.serve {
        return match cases(args, args.device.clone().into_iter().collect()).as_slice() {
            [case] => serve::serve(case, args.folders()),
            _ => Err(
                Usage("--serve holds one case: one work, network, batch, number of threads and device".into()).into(),
            ),
        };
    }
    if args.profile {
        return profile::run(
            &cases(args, vec!["cpu".to_owned()]),
            args.rounds,
            Lines::open(args.json.as_deref())?,
        );
    }
    let cases = cases(args, devices(args.device.as_deref())?);
    let machine = Machine::here();
    let mut lines = Lines::open(args.json.as_deref())?;
    lines.write(&Head { machine: &machine })?;
    if matches!(lines, Lines::Words) {
        print!("{}", head(&machine));
    }
    let mut failed = false;
    for case in &cases {
        let line = line(case, args);
        failed |= matches!(line.outcome, Outcome::Failed { .. });
        lines.write(&line)?;
        match (&lines, &line.outcome) {
            (Lines::Words, _) => println!("{}", row(&line)),
            (Lines::File { .. }, Outcome::Failed { error }) => eprintln!("{}: {error}", describe(&line)),
            _ => {}
        }
    }
    lines.close()?;
    Ok(ExitCode::from(u8::from(failed)))
}

impl BenchArgs {
    fn folders(&self) -> Folders<'_> {
        Folders {
            weights: self.weights.as_deref(),
            data: self.data.as_deref(),
        }
    }
}

fn cases(args: &BenchArgs, devices: Vec<String>) -> Vec<Case> {
    let or = |given: &[usize], usual: usize| if given.is_empty() { vec![usual] } else { given.to_vec() };
    Lists {
        work: if args.profile {
            vec![Work::Inference]
        } else {
            args.work.clone()
        },
        networks: args.networks.clone(),
        batches: args.batch.clone(),
        threads: or(&args.threads, machine::cores()),
        devices,
        precision: args.precision,
    }
    .cases()
}

/// The device that was asked for, or every one there is, by the names that `--device` takes.
fn devices(asked: Option<&str>) -> anyhow::Result<Vec<String>> {
    let opens = |ordinal: &usize| DeviceChoice::Cuda(*ordinal).open().is_ok();
    match asked.map(str::parse::<DeviceChoice>).transpose()? {
        None => {
            let gpus = (0..).take_while(opens).map(|ordinal| format!("cuda:{ordinal}"));
            Ok(std::iter::once("cpu".to_owned()).chain(gpus).collect())
        }
        Some(DeviceChoice::Auto) if opens(&0) => Ok(vec!["cuda:0".to_owned()]),
        Some(DeviceChoice::Auto | DeviceChoice::Cpu) => Ok(vec!["cpu".to_owned()]),
        Some(choice @ DeviceChoice::Cuda(ordinal)) => {
            choice.open()?;
            Ok(vec![format!("cuda:{ordinal}")])
        }
    }
}

fn line(case: &Case, args: &BenchArgs) -> Line {
    let measured = Served::start(case, args.folders()).and_then(|(mut served, ready)| {
        let measured = measure::measure(args.rounds, || served.round())?;
        Ok((measured, ready))
    });
    let outcome = match measured {
        Ok((measured, ready)) => {
            let Measured {
                median_ms,
                min_ms,
                peak_mib,
                rounds,
                stages,
                epochs,
            } = measured;
            let rounded = |(name, time): (String, f64)| (name, thousandths(time));
            Outcome::Measured {
                median_ms: thousandths(median_ms),
                min_ms: thousandths(min_ms),
                peak_mib: peak_mib.map(thousandths),
                loaded_mib: ready.loaded_mib.map(thousandths),
                rounds,
                stages_ms: stages.into_iter().map(rounded).collect(),
                epochs: epochs.into_iter().map(EpochLine::from).collect(),
            }
        }
        Err(error) => Outcome::Failed {
            error: format!("{error:#}"),
        },
    };
    Line {
        work: case.work,
        network: case.network(),
        batch: case.batch,
        threads: case.threads,
        device: case.device.clone(),
        precision: (case.precision == options::PrecisionName::Bf16).then_some("bf16"),
        outcome,
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn millionths(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

/// The machine and the table's titles.
fn head(machine: &Machine) -> String {
    let memory = machine.memory_mib.map_or(String::new(), |mib| format!(", {mib} MiB"));
    let slow = if machine.profile == "debug" {
        " (build with --release: these times say little)"
    } else {
        ""
    };
    format!(
        "{}, {} cores, {}{memory}, {}\nrecovnet {} (commit {}, {} profile{slow})\n\n{:<10} {:<28} {:>5} {:>7} {:<7} \
         {:>10} {:>10} {:>9} {:>9}\n",
        machine.cpu,
        machine.cores,
        machine::vectors(),
        machine.os,
        machine.version,
        machine.commit,
        machine.profile,
        "work",
        "network",
        "batch",
        "threads",
        "device",
        "median ms",
        "min ms",
        "images/s",
        "peak MiB",
    )
}

fn describe(line: &Line) -> String {
    let work = format!("{:?}", line.work).to_lowercase();
    format!(
        "{work:<10} {:<28} {:>5} {:>7} {:<7}",
        line.network, line.batch, line.threads, line.device
    )
}

fn row(line: &Line) -> String {
    match &line.outcome {
        Outcome::Failed { error } => format!("{} {error}", describe(line)),
        Outcome::Measured {
            median_ms,
            min_ms,
            peak_mib,
            rounds,
            stages_ms,
            epochs,
            ..
        } => {
            let peak = peak_mib.map_or("n/a".to_owned(), |mib| format!("{mib:.0}"));
            let images = match epochs.as_slice() {
                [] => line.batch,
                epochs => epochs.iter().map(|epoch| epoch.images).sum::<usize>() / rounds,
            };
            let rate = images as f64 * 1000.0 / median_ms;
            let stages: Vec<String> = stages_ms.iter().map(|(name, ms)| format!("{name} {ms:.1}")).collect();
            let stages = if stages.is_empty() {
                String::new()
            } else {
                format!("\n  {}", stages.join(", "))
            };
            let epochs: String = epochs.iter().map(epoch_row).collect();
            format!(
                "{} {median_ms:>10.2} {min_ms:>10.2} {rate:>9.1} {peak:>9}{stages}{epochs}",
                describe(line)
            )
        }
    }
}

fn epoch_row(epoch: &EpochLine) -> String {
    format!(
        "\n  {:<8} {:>8.1} images/s, waited {:.1} % of the time ({:.1} % before the first step)",
        epoch.inputs,
        epoch.images_per_second,
        100.0 * epoch.waited,
        100.0 * epoch.loading
    )
}

fn batch(text: &str) -> Result<usize, String> {
    number(text, MAX_BATCH, "images in a batch")
}

fn rounds(text: &str) -> Result<usize, String> {
    number(text, MAX_ROUNDS, "rounds")
}

/// A whole number from 1 to a bound.
fn number(text: &str, most: usize, what: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("1 to {most} {what} can be measured")),
    }
}
