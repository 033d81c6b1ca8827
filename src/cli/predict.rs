//! `recovnet predict`: one line of JSON an image, and masks, maps and figures as files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use crate::findings::{Decision, Findings};
use crate::imaging::{self, Radiograph};
use crate::inference::cache::{CACHE_BYTES, Cache, Key};
use crate::inference::models::{ClassifierName, LoadedClassifier, Models};
use crate::inference::pipeline;
use crate::report::{self, Failure, Prediction, Predictions};

use super::Usage;
use super::inputs::{self, Input};
use super::options::{ClassifiersArg, ModelArgs};
use super::output::{self, Lines, progress_bar};

/// Options of `recovnet predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Files or folders; folders are walked
    #[arg(required = true, value_name = "PATHS")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    classifiers: ClassifiersArg,
    #[command(flatten)]
    models: ModelArgs,
    /// Where the lines of JSON go: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE")]
    json: Option<PathBuf>,
    /// Write lung masks here: 8-bit PNG of the image's size
    #[arg(long, value_name = "FOLDER")]
    mask_dir: Option<PathBuf>,
    /// Write activation maps here: 16-bit PNG of the image's size, 65535 x map / max
    #[arg(long, value_name = "FOLDER")]
    map_dir: Option<PathBuf>,
    /// Write figures here: image, mask, map, colour bar and caption side by side
    #[arg(long, value_name = "FOLDER")]
    figure_dir: Option<PathBuf>,
    /// Compute every picture anew; without it one that comes again in the same run is computed once
    #[arg(long)]
    no_cache: bool,
}

/// Runs the command.
///
/// # Errors
/// If the arguments contradict each other, the models cannot be loaded, or the lines cannot be written.
pub fn run(args: &PredictArgs) -> anyhow::Result<ExitCode> {
    let found = inputs::collect(&args.paths);
    let names = args.classifiers.names(args.models.weights.as_deref())?;
    check_outputs(args, &found, &names)?;
    args.models.threads.apply()?;
    let mut predictor = Predictor {
        models: Models::load_several(args.models.weights.as_deref(), &names, &args.models.device)?,
        cache: Cache::new(if args.no_cache { 0 } else { CACHE_BYTES }),
    };
    let mut lines = Lines::open(args.json.as_deref())?;
    let bar = progress_bar(found.len());
    let mut failures = 0;
    for input in found {
        let result = input.and_then(|input| predictor.predict(&input, args));
        failures += usize::from(result.is_err());
        match &result {
            Ok(findings) => match findings.as_slice() {
                [prediction] => lines.write(prediction)?,
                several => lines.write(&Predictions {
                    file: several.first().map_or_else(String::new, |first| first.file.clone()),
                    findings: several.to_vec(),
                })?,
            },
            Err(failure) => lines.write(failure)?,
        }
        bar.suspend(|| print_words(&lines, &result));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if matches!(lines, Lines::Words) {
        println!("{}.", report::NOTICE);
    }
    lines.close()?;
    Ok(ExitCode::from(u8::from(failures > 0)))
}

/// Refuses outputs that would have one name, or that would replace an input.
fn check_outputs(
    args: &PredictArgs,
    found: &[Result<Input, Failure>],
    classifiers: &[ClassifierName],
) -> anyhow::Result<()> {
    let own = |ending| -> Vec<String> {
        let names = classifiers.iter().map(|name| name.name());
        names.map(|name| own_ending(ending, name, classifiers.len())).collect()
    };
    let folders = [
        (&args.mask_dir, vec![MASK.to_owned()]),
        (&args.map_dir, own(MAP)),
        (&args.figure_dir, own(FIGURE)),
    ];
    let inputs: Vec<&Input> = found.iter().filter_map(|input| input.as_ref().ok()).collect();
    if folders.iter().any(|(folder, _)| folder.is_some()) {
        inputs::check_names(&inputs)?;
    }
    let sources: HashSet<PathBuf> = inputs.iter().map(|input| real_path(&input.path)).collect();
    let mut targets: Vec<PathBuf> = args
        .json
        .iter()
        .filter(|json| json.as_os_str() != "-")
        .cloned()
        .collect();
    for (folder, endings) in &folders {
        let Some(folder) = folder else { continue };
        for ending in endings {
            targets.extend(
                inputs
                    .iter()
                    .map(|input| inputs::output_path(folder, &input.name, ending)),
            );
        }
    }
    match targets.iter().find(|target| sources.contains(&real_path(target))) {
        Some(target) => Err(Usage(format!("{}: is an input and would be overwritten", target.display())).into()),
        None => Ok(()),
    }
}

/// A path without links and detours, so that two spellings of one file are equal; the file itself need not be there.
fn real_path(path: &Path) -> PathBuf {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let in_folder = || Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?));
    std::fs::canonicalize(path)
        .ok()
        .or_else(in_folder)
        .unwrap_or_else(|| path.to_owned())
}

const MASK: &str = ".mask.png";
const MAP: &str = ".map.png";
const FIGURE: &str = ".figure.png";

/// The ending of what each classifier has of its own: with its name where there are several.
fn own_ending(ending: &str, classifier: &str, classifiers: usize) -> String {
    if classifiers == 1 {
        ending.to_owned()
    } else {
        format!(".{classifier}{ending}")
    }
}

/// The networks, and what they found in the pictures before.
struct Predictor {
    models: Models,
    /// Data sets hold many a picture twice.
    cache: Cache,
}

impl Predictor {
    /// What each classifier says, in their order.
    fn predict(&mut self, input: &Input, args: &PredictArgs) -> Result<Vec<Prediction>, Failure> {
        let file = input.path.display().to_string();
        let mut attempt = || -> anyhow::Result<Vec<Prediction>> {
            let (image, decode) = open(&input.path)?;
            let found = self.findings(&image).with_context(|| file.clone())?;
            let mask = match (&args.mask_dir, found.first()) {
                (Some(folder), Some(findings)) => Some(write_picture(
                    folder,
                    &input.name,
                    MASK,
                    &report::mask_png(&findings.mask)?,
                )?),
                _ => None,
            };
            let several = found.len();
            let prediction = |findings: &Arc<Findings>| {
                let mut prediction = Prediction::new(file.clone(), &image, findings, decode);
                prediction.mask_file.clone_from(&mask);
                write_pictures(&mut prediction, &image, findings, (&input.name, several), args)?;
                Ok(prediction)
            };
            found.iter().map(prediction).collect()
        };
        attempt().map_err(|error| Failure {
            file: file.clone(),
            error: format!("{error:#}"),
        })
    }

    /// Findings of each classifier; the picture is segmented once for all that have not seen it yet.
    fn findings(&mut self, image: &Radiograph) -> Result<Vec<Arc<Findings>>, pipeline::Error> {
        let Self { models, cache } = self;
        let key = |classifier: &LoadedClassifier| Key::of(image, &classifier.1.sha256, &models.segmenter.1.sha256);
        let keys: Vec<Key> = models.classifiers().map(key).collect();
        let mut found: Vec<Option<Arc<Findings>>> = keys.iter().map(|key| cache.get(key)).collect();
        if found.iter().any(Option::is_none) {
            let made = models.compute(|models| {
                let pairs = models.classifiers().zip(&found);
                let wanted = pairs.filter(|(_, found)| found.is_none()).map(|(c, _)| c);
                pipeline::analyse_with(models, &wanted.collect::<Vec<_>>(), image, &mut |_| true)
            });
            let mut made = made?.into_iter();
            for (key, slot) in keys.into_iter().zip(&mut found) {
                if slot.is_none() {
                    *slot = made.next().map(Arc::new);
                    cache.insert(key, slot.clone().expect("there are findings of each"));
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

fn open(path: &Path) -> anyhow::Result<(Radiograph, Duration)> {
    let start = Instant::now();
    let image = imaging::open(path)?;
    Ok((image, start.elapsed()))
}

fn write_pictures(
    prediction: &mut Prediction,
    image: &Radiograph,
    findings: &Findings,
    (name, classifiers): (&Path, usize),
    args: &PredictArgs,
) -> anyhow::Result<()> {
    let ending = |ending| own_ending(ending, &findings.classifier.name, classifiers);
    if let Some(folder) = &args.map_dir {
        let bytes = report::map_png(&findings.activation)?;
        prediction.map_file = Some(write_picture(folder, name, &ending(MAP), &bytes)?);
    }
    if let Some(folder) = &args.figure_dir {
        let bytes = report::figure_png(image, findings)?;
        write_picture(folder, name, &ending(FIGURE), &bytes)?;
    }
    Ok(())
}

fn write_picture(folder: &Path, name: &Path, ending: &str, bytes: &[u8]) -> anyhow::Result<String> {
    let path = inputs::output_path(folder, name, ending);
    output::write(&path, bytes)?;
    Ok(path.display().to_string())
}

/// Words for a reader: on standard output where no JSON goes there; failures on standard error unless the JSON on
/// standard output tells them.
fn print_words(lines: &Lines, result: &Result<Vec<Prediction>, Failure>) {
    match (lines, result) {
        (Lines::Words, Ok(findings)) => {
            for prediction in findings {
                let name = if findings.len() > 1 {
                    prediction.classifier.as_str()
                } else {
                    ""
                };
                println!("{}", sentence(prediction, name));
            }
        }
        (Lines::Words | Lines::File { .. }, Err(failure)) => eprintln!("{}", failure.error),
        (Lines::Stdout, _) | (Lines::File { .. }, Ok(_)) => {}
    }
}

/// `classifier` is empty where there is only one.
fn sentence(prediction: &Prediction, classifier: &str) -> String {
    let class = if prediction.decision == Decision::Covid19.name() {
        "COVID-19"
    } else {
        "control"
    };
    let percent = |share: Option<f64>| share.map_or("none".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let mut line = format!(
        "{}: {classifier}{}{class} class, score {:.3} (threshold {:.3}), activation in the lungs {} (chance {})",
        prediction.file,
        if classifier.is_empty() { "" } else { ", " },
        prediction.probability.covid19,
        prediction.threshold,
        percent(prediction.in_lung_activation),
        percent(prediction.in_lung_chance),
    );
    for warning in &prediction.warnings {
        line.push_str("\n  note: ");
        line.push_str(warning);
    }
    line
}
