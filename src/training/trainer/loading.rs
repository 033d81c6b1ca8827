//! The data of a run: which rows it uses, whether it may, and the samples of an image size.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Job, Run};
use crate::nn::InputSpec;
use crate::nn::ops::cpu;
use crate::training::Error;
use crate::training::check::gate::{self, OnLeakage, Record};
use crate::training::check::{self, Stage};
use crate::training::checkpoint::RunFolder;
use crate::training::control::Controls;
use crate::training::event::{NoteKind, TrainingEvent};
use crate::training::initial::Initial;
use crate::training::input_cache::{DEFAULT_LIMIT, Geometry, InputCache};
use crate::training::lungs::{Later, Lungs, Source};
use crate::training::manifest::{Manifest, Row};
use crate::training::outlet::Outlet;
use crate::training::phase::{self, Phase};
use crate::training::recipe::Config;
use crate::training::sample::Sample;
use crate::training::split::Part;

/// The samples of an epoch's image size.
pub(super) struct Data {
    pub size: usize,
    pub train: Vec<Sample>,
    pub validation: Vec<Sample>,
}

/// The segmenter that a job names.
pub(super) fn lungs(job: &Job) -> Result<Option<Lungs>, Error> {
    if job.segmenter.is_none() && !job.config.region.is_full() {
        return Err(Lungs::missing(job.config.region));
    }
    let weights = job.segmenter.as_deref();
    weights.map(|weights| Lungs::open(weights, &job.device)).transpose()
}

/// The rows that a phase takes, if a run can learn from them.
pub(super) fn rows<P: Phase>(
    job: &Job,
    manifest: &Manifest,
    config: &Config,
    initial: Option<&Initial>,
) -> Result<Vec<Row>, Error> {
    let rows: Vec<Row> = manifest.rows.iter().filter(|row| P::takes(row)).cloned().collect();
    phase::check_rows::<P>(manifest, &rows)?;
    if let (Some(initial), Some(path)) = (initial, &job.init) {
        initial.check_split(path, &config.split, &rows)?;
    }
    manifest.check_files(&rows)?;
    Ok(rows)
}

/// Those of the rows that may be used where pictures or groups lie in more than one part, and what was found. A run that
/// goes on keeps what its beginning found.
pub(super) fn permitted<P: Phase>(
    job: &Job,
    manifest: &Manifest,
    mut rows: Vec<Row>,
    controls: &Controls,
    outlet: &mut Outlet<'_>,
) -> Result<(Vec<Row>, Option<Record>), Error> {
    let Some(on_leakage) = job.config.on_leakage else {
        return Ok((rows, None));
    };
    let kept = if job.resume {
        RunFolder::at(&job.run).check()?
    } else {
        None
    };
    let record = if let Some(record) = kept {
        record
    } else {
        let request = gate::Request {
            rows: &manifest.rows,
            uses: &|row| P::takes(row),
            on_leakage,
            reports: job.session.reports.as_deref(),
            options: &check::Options {
                threads: Some(cpu::threads()),
                scratch: scratch(&job.run),
            },
        };
        let mut tell = |progress: check::Progress| {
            outlet.emit(TrainingEvent::Checking {
                stage: words(progress.stage).to_owned(),
                done: progress.done,
                total: progress.total,
            });
        };
        gate::gate(&request, controls.at_once(), &mut tell)?
    };
    if on_leakage == OnLeakage::LeaveOut && !record.left_out.is_empty() {
        rows.retain(|row| !record.left_out.contains(&row.file));
        phase::check_rows::<P>(manifest, &rows)?;
    }
    if !record.leakage.is_none() {
        let done = match on_leakage {
            OnLeakage::LeaveOut => format!("{} images are left out", record.left_out.len()),
            OnLeakage::Allow | OnLeakage::Refuse => "the run begins all the same, as it was told".to_owned(),
        };
        outlet.note(NoteKind::Leakage, format!("{}; {done}", record.leakage));
    }
    Ok((rows, Some(record)))
}

/// Where a check before a run keeps its temporary file: on the run's disk, because the system's own folder may be in
/// memory. The run's folder is not begun before the check is passed, so it is the nearest one that is there.
fn scratch(run: &Path) -> Option<PathBuf> {
    let run = std::path::absolute(run).ok()?;
    run.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned)
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "reading",
        Stage::Searching => "searching",
        Stage::Comparing => "comparing",
    }
}

/// What a phase's inputs of a spec have in common.
pub(super) fn geometry<'a, P: Phase>(spec: &'a InputSpec, lungs: Option<&'a Lungs>) -> Geometry<'a> {
    Geometry {
        spec,
        masks: P::MASKS,
        segmenter: lungs.map(Lungs::name),
    }
}

/// What a run reads: the rows of the training part, then those of the validation part.
pub(super) fn rows_to_read(rows: &[Row]) -> Vec<&Row> {
    let part = |part| rows.iter().filter(move |row| row.part() == part);
    part(Part::Train).chain(part(Part::Validation)).collect()
}

impl<P: Phase> Run<'_, '_, P> {
    /// Brings all images of training and validation part to a size.
    pub(super) fn load(&mut self, size: usize) -> Result<Data, Error> {
        let rows = rows_to_read(&self.rows);
        let first = rows.partition_point(|row| row.part() == Part::Train);
        let total = rows.len();
        // Whole pictures are decoded ahead beside the steps; a segmenter would compete with them.
        let later = if self.config.region.is_full() {
            BTreeSet::new()
        } else {
            self.later_sizes(size)
        };
        let outlet = &mut *self.outlet;
        let mut on_progress = |done| outlet.emit(TrainingEvent::Loading { done, total, size });
        let config = &self.config;
        let (spec, cancel) = (config.input(size), self.controls.at_once());
        let lungs = self.lungs.as_ref().filter(|_| !spec.region.is_full());
        let folder = self.session.cache.as_deref();
        let open = |spec: &InputSpec| {
            let geometry = geometry::<P>(spec, lungs);
            folder.map(|folder| InputCache::open(folder, DEFAULT_LIMIT, &geometry))
        };
        let cache = open(&spec);
        let later = later.into_iter().filter_map(|size| {
            let later = config.input(size);
            let cache = open(&later)?.sparing(&geometry::<P>(&spec, lungs));
            Some(Later { spec: later, cache })
        });
        let source = Source {
            spec: &spec,
            masks: P::MASKS,
            cache: cache.as_ref(),
            lungs,
            later: &later.collect::<Vec<_>>(),
        };
        let mut train = source.load(&rows, cancel, &mut on_progress)?;
        if let Some(problem) = cache.and_then(|cache| cache.stats().problem) {
            let text = format!("decoded inputs are not kept on disk: {problem}");
            self.outlet.note(NoteKind::NotWritten, text);
        }
        let validation = train.split_off(first);
        Ok(Data {
            size,
            train,
            validation,
        })
    }

    /// Image sizes that follow in the schedule, other than this one.
    fn later_sizes(&self, size: usize) -> BTreeSet<usize> {
        let epochs = self.progress.records.len()..self.config.epochs();
        let sizes = epochs.map(|epoch| self.config.size_of(epoch));
        sizes.filter(|&later| later != size).collect()
    }
}
