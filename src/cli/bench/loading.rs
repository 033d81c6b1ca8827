//! Training as a run has it, from files on: pictures are decoded and cached by what `train` loads with, and steps take
//! augmented batches while a second thread makes the next ones. What is measured is how long the steps wait for that.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use image::GrayImage;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;
use tempfile::TempDir;

use crate::imaging::phantom;
use crate::nn::card::Task;
use crate::nn::{Device, InputSpec, Workspace};
use crate::training::adam::Adam;
use crate::training::batches::Plan;
use crate::training::dataset::{self, Options};
use crate::training::input_cache::{DEFAULT_LIMIT, Geometry, InputCache};
use crate::training::manifest::Row;
use crate::training::phase::{Classification, Phase, Segmentation};
use crate::training::pool::{Order, Pool};
use crate::training::recipe::{Config, Recipe, Sampling};
use crate::training::sample::{self, Sample};
use crate::training::step::{self, StepConfig};

use super::case::{Case, Head};
use super::protocol::Epoch;
use super::workload::{Rounds, SIZE, Timed, step_config};

/// Steps of an epoch.
const STEPS: usize = 8;
/// Side of a synthetic picture: that of the largest public collection, ChestX-ray14.
const SIDE: u32 = 1024;
/// Age of its file.
const AGE: Duration = Duration::from_hours(1);
/// Quality of its JPEG compression, in percent.
const QUALITY: u8 = 95;

/// Builds a case. The pictures are the first of a data folder, or synthetic ones.
///
/// # Errors
/// If the data folder cannot be used or has too few pictures, or the synthetic ones cannot be written.
pub fn build(case: &Case, device: &Device, data: Option<&Path>) -> anyhow::Result<Rounds> {
    match case.network.head {
        Head::Classifier => rounds::<Classification>(case, Task::Baseline, device, data),
        Head::Segmenter => rounds::<Segmentation>(case, Task::Segmenter, device, data),
    }
}

fn rounds<P: Phase + 'static>(case: &Case, task: Task, device: &Device, data: Option<&Path>) -> anyhow::Result<Rounds> {
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let count = STEPS * case.batch;
    let rows = if let Some(folder) = data {
        let mut rows = dataset::open(folder, &Options::default())?.rows;
        rows.retain(|row| P::takes(row));
        anyhow::ensure!(
            rows.len() >= count,
            "{}: {} pictures are there for this network, {STEPS} batches of {} need {count}; choose a smaller --batch",
            folder.display(),
            rows.len(),
            case.batch
        );
        rows.truncate(count);
        rows
    } else {
        write_phantoms(scratch.path(), count).context("the synthetic pictures cannot be made")?;
        dataset::open(scratch.path(), &Options::default())?.rows
    };
    let config = Config {
        batch: case.batch,
        accumulation: 1,
        sampling: Sampling::AsIs,
        ..Recipe::Scratch.config(task, case.network.backbone)
    };
    let mut trial = Trial::<P> {
        network: P::build(&config, None, device)?,
        adam: Adam::new(config.optimiser()),
        workspace: Workspace::default(),
        device: device.clone(),
        spec: config.input(SIZE),
        pool: Pool::of_rows(&rows.iter().collect::<Vec<_>>(), &config.augmenting, config.seed),
        settings: step_config(&config, case),
        scratch,
        config,
        rows,
    };
    Ok(Box::new(move || trial.round()))
}

struct Trial<P: Phase> {
    config: Config,
    rows: Vec<Row>,
    spec: InputSpec,
    pool: Pool,
    network: P::Network,
    adam: Adam,
    workspace: Workspace,
    device: Device,
    settings: StepConfig,
    /// Synthetic pictures and the cache of inputs.
    scratch: TempDir,
}

impl<P: Phase> Trial<P> {
    /// The first epoch of a run, which decodes all pictures; one that goes on with them; and the first one of the next
    /// run, which finds them in the cache.
    fn round(&mut self) -> anyhow::Result<Timed> {
        if self.cache().exists() {
            fs::remove_dir_all(self.cache()).context("the cache of the round before cannot be deleted")?;
        }
        let start = Instant::now();
        let (samples, loading) = self.load(0)?;
        let decoded = self.epoch("decoded", &samples, loading)?;
        let ready = self.epoch("ready", &samples, Duration::ZERO)?;
        drop(samples);
        let (samples, loading) = self.load(self.rows.len())?;
        let cached = self.epoch("cached", &samples, loading)?;
        Ok(Timed {
            elapsed: start.elapsed(),
            stages: BTreeMap::new(),
            epochs: vec![decoded, ready, cached],
        })
    }

    fn cache(&self) -> PathBuf {
        self.scratch.path().join("inputs")
    }

    /// What a run does before its first step, and how long it took; so many of the inputs must come from the cache.
    fn load(&self, expected: usize) -> anyhow::Result<(Vec<Sample>, Duration)> {
        let start = Instant::now();
        let geometry = Geometry {
            spec: &self.spec,
            masks: P::MASKS,
            segmenter: None,
        };
        let cache = InputCache::open(&self.cache(), DEFAULT_LIMIT, &geometry);
        let (rows, never) = (self.rows.iter().collect::<Vec<_>>(), AtomicBool::new(false));
        let samples = sample::load_through(Some(&cache), &rows, &self.spec, P::MASKS, &never, &mut |_| {})?;
        let loading = start.elapsed();
        let stats = cache.stats();
        if let Some(problem) = stats.problem {
            anyhow::bail!("the cache of inputs cannot be used: {problem}");
        }
        anyhow::ensure!(
            stats.hits == expected,
            "{} of {} inputs came from the cache, not {expected}: pictures are twice in the data, or change meanwhile",
            stats.hits,
            rows.len()
        );
        Ok((samples, loading))
    }

    /// An epoch after `loading`.
    fn epoch(&mut self, inputs: &str, samples: &[Sample], loading: Duration) -> anyhow::Result<Epoch> {
        let start = Instant::now();
        let (pool, spec) = (self.pool.clone(), self.spec.clone());
        let plan = Plan {
            samples,
            order: Order::of(&pool, &self.config),
            spec: &spec,
            augmentation: Some(self.config.augmentation),
        };
        let (images, waited) = self.steps(&plan)?;
        Ok(Epoch {
            inputs: inputs.to_owned(),
            images,
            seconds: (loading + start.elapsed()).as_secs_f64(),
            loading: loading.as_secs_f64(),
            waited: (loading + waited).as_secs_f64(),
        })
    }

    /// All steps of an epoch as the loop makes them: images, and time that was waited for batches.
    fn steps(&mut self, plan: &Plan<'_>) -> anyhow::Result<(usize, Duration)> {
        #[cfg(feature = "cuda")]
        if self.device.is_cuda() {
            return self.steps_on_gpu(plan);
        }
        let (mut images, mut waited) = (0, Duration::ZERO);
        plan.for_each((0, 0), |_, batch, wait| {
            images += batch.len();
            waited += wait;
            let device = (&self.device, &self.workspace);
            let stepped = step::step::<P>(&mut self.network, &mut self.adam, batch, self.settings, device)?;
            check(stepped.loss)
        })?;
        Ok((images, waited))
    }

    /// As the loop, a step's loss is read when the next one is under way.
    #[cfg(feature = "cuda")]
    fn steps_on_gpu(&mut self, plan: &Plan<'_>) -> anyhow::Result<(usize, Duration)> {
        let (mut images, mut waited) = (0, Duration::ZERO);
        let mut before: Option<step::Readings> = None;
        plan.for_each_plain((0, 0), |_, batch, wait| {
            images += batch.labels.len();
            waited += wait;
            let (network, adam) = (&mut self.network, &mut self.adam);
            let readings = step::step_on_gpu::<P>(network, adam, &batch, plan.spec, self.settings, &self.device)?;
            match before.replace(readings) {
                Some(readings) => check(readings.wait()?.loss),
                None => Ok(()),
            }
        })?;
        if let Some(readings) = before {
            check(readings.wait()?.loss)?;
        }
        Ok((images, waited))
    }
}

fn check(loss: f64) -> anyhow::Result<()> {
    anyhow::ensure!(loss.is_finite(), "the loss is no longer a number");
    Ok(())
}

/// Writes a data set of synthetic chests as JPEG files of 8 bits, both classes in turn, with the masks of their lungs.
/// Each is moved down by some rows of its own, so that no two are the same file.
fn write_phantoms(folder: &Path, count: usize) -> anyhow::Result<()> {
    let greys: Vec<u8> = phantom::render(SIDE, SIDE)?
        .into_iter()
        .map(|grey| (grey >> 4) as u8)
        .collect();
    let lungs: Vec<u8> = phantom::lung_mask(SIDE, SIDE)?
        .into_iter()
        .map(|inside| 255 * inside)
        .collect();
    let moved = |plane: &[u8], number: usize| {
        let mut plane = plane.to_vec();
        plane.rotate_right((number % SIDE as usize) * SIDE as usize);
        GrayImage::from_raw(SIDE, SIDE, plane).context("a plane has its size")
    };
    (0..count).into_par_iter().try_for_each(|number| {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&moved(&greys, number)?)?;
        let (picture, mask) = (format!("{number}.jpg"), format!("{number}-mask.png"));
        fs::write(folder.join(&picture), jpeg)?;
        moved(&lungs, number)?.save(folder.join(&mask))?;
        // The cache does not trust the times of files that were written a moment ago; a data set's are old.
        for file in [picture, mask] {
            let file = File::options().append(true).open(folder.join(file))?;
            file.set_modified(SystemTime::now() - AGE)?;
        }
        anyhow::Ok(())
    })?;
    let mut table = "file,label,group,mask,mask_style,mask_origin,view\n".to_owned();
    for number in 0..count {
        let label = if number % 2 == 0 { "covid" } else { "normal" };
        let row = format!("{number}.jpg,{label},{number},{number}-mask.png,lung-field,manual,frontal\n");
        table.push_str(&row);
    }
    Ok(fs::write(folder.join("manifest.csv"), table)?)
}
