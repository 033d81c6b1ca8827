//! Whole runs on synthetic chests, small enough for a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use recovnet::nn::card::Task;
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, InputSpec, ModelCard, Network, Role, weights};
use recovnet::training::Error;
use recovnet::training::control::{Control, Controls};
use recovnet::training::dataset::Options;
use recovnet::training::event::{EpochRecord, NoteKind, TrainingEvent};
use recovnet::training::recipe::{Recipe, Sampling, Stage};
use recovnet::training::split::{SPLIT_KEY, SPLIT_VERSION};
use recovnet::training::trainer::{Job, Outcome, Session, train};

use crate::phantoms;

pub fn job(task: Task, data: &Path, run: &Path, schedule: &[(usize, usize)]) -> Job {
    let mut config = Recipe::Scratch.config(task, BackboneKind::DenseNet121);
    config.schedule = schedule.iter().map(|&(epochs, size)| Stage { epochs, size }).collect();
    config.batch = 8;
    config.seed = 11;
    Job {
        config,
        data: data.to_owned(),
        dataset: Options::default(),
        run: run.to_owned(),
        init: None,
        segmenter: None,
        resume: false,
        device: Device::Cpu,
        session: Session::default(),
    }
}

pub fn run(job: &Job) -> (Result<Outcome, Error>, Vec<EpochRecord>) {
    let mut records = Vec::new();
    let outcome = train(job, &Controls::default(), &mut |event| {
        if let TrainingEvent::Epoch(record) = event {
            records.push(record);
        }
    });
    (outcome, records)
}

/// Runs until an epoch is done, then cancels.
fn interrupt(job: &Job, after: usize) {
    let controls = Controls::default();
    let outcome = train(job, &controls, &mut |event| {
        if matches!(event, TrainingEvent::Epoch(record) if record.epoch == after) {
            controls.send(Control::StopAfterBatch);
        }
    });
    assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
}

/// Every tensor of a checkpoint, bit by bit.
pub fn tensors(path: &Path) -> BTreeMap<String, Vec<u32>> {
    let (state, _) = weights::read(path, &Device::Cpu).expect("a checkpoint");
    let bits = |t: &recovnet::nn::Tensor| -> Vec<u32> {
        t.flatten_all()
            .and_then(|t| t.to_vec1::<f32>())
            .expect("f32")
            .into_iter()
            .map(f32::to_bits)
            .collect()
    };
    state
        .iter()
        .map(|(name, tensor)| (name.clone(), bits(tensor)))
        .collect()
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .map(|name| match name.split_once(".tfevents") {
            Some((begin, _)) => format!("{begin}.tfevents"),
            None => name,
        })
        .collect();
    names.sort();
    names
}

pub fn timeless(records: &[EpochRecord]) -> Vec<EpochRecord> {
    records
        .iter()
        .map(|r| EpochRecord {
            seconds: 0.0,
            images_per_second: 0.0,
            waited: 0.0,
            ..r.clone()
        })
        .collect()
}

#[test]
fn a_segmenter_learns_and_its_encoder_goes_on_to_recovnet() {
    let (data, runs) = (phantoms::folder(30), tempfile::tempdir().expect("a temporary folder"));
    let first = job(Task::Segmenter, data.path(), &runs.path().join("one"), &[(5, 64)]);
    let (outcome, records) = run(&first);
    let outcome = outcome.expect("it ends well");
    assert_eq!(records.len(), 5);
    assert!(records[4].train_loss < 0.7 * records[0].train_loss, "{records:?}");
    assert_eq!(
        names(&first.run),
        [
            "best.json",
            "best.safetensors",
            "config.json",
            "curves.csv",
            "events.jsonl",
            "events.out.tfevents",
            "last.safetensors",
            "metrics.jsonl",
            "run.lock"
        ],
        "nothing temporary stays"
    );
    let lines = std::fs::read_to_string(first.run.join("metrics.jsonl")).expect("metrics");
    let kept: Vec<EpochRecord> = lines
        .lines()
        .map(|l| serde_json::from_str(l).expect("a record"))
        .collect();
    assert_eq!(kept, records);
    let card = ModelCard::beside(&outcome.weights).expect("a card");
    assert_eq!(
        (card.task, card.input.width, card.name.as_str()),
        (Task::Segmenter, 64, "segmenter-densenet121")
    );
    assert_eq!(card.sha256, weights::sha256_of(&outcome.weights).expect("weights"));
    assert_eq!(
        card.details["data"]["parts"]["train"]["by_source"]["phantom"]
            .as_object()
            .map(serde_json::Map::len),
        Some(2)
    );

    let mut second = job(
        Task::Recovnet,
        data.path(),
        &runs.path().join("two"),
        &[(1, 32), (1, 64)],
    );
    second.init = Some(outcome.weights);
    let (outcome, records) = run(&second);
    let outcome = outcome.expect("it ends well");
    assert_eq!(records.iter().map(|r| r.size).collect::<Vec<_>>(), [32, 64]);
    assert_eq!(
        (outcome.best.epoch, outcome.best.size),
        (2, 64),
        "sizes are not compared with one another"
    );
    let card = ModelCard::beside(&outcome.weights).expect("a card");
    assert_eq!((card.name.as_str(), card.task), ("recovnet-v1", Task::Recovnet));
    assert!((0.0..=1.0).contains(&card.threshold));
    assert_eq!(
        card.details["training"]["init"].as_str(),
        Some(first_hash(&first.run).as_str())
    );
}

fn first_hash(run: &Path) -> String {
    weights::sha256_of(&run.join("best.safetensors")).expect("weights")
}

#[test]
fn a_resumed_run_is_bit_identical() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let through = job(
        Task::Baseline,
        data.path(),
        &runs.path().join("through"),
        &[(2, 32), (1, 48)],
    );
    let (outcome, whole) = run(&through);
    let expected = outcome.expect("it ends well").best;

    let mut stopped = Job {
        run: runs.path().join("stopped"),
        ..through.clone()
    };
    interrupt(&stopped, 1);
    stopped.resume = true;
    let (outcome, rest) = run(&stopped);
    assert_eq!(outcome.expect("it ends well").best, expected);
    assert_eq!(timeless(&rest), timeless(&whole[1..]));
    for file in ["last.safetensors", "best.safetensors"] {
        assert!(
            tensors(&through.run.join(file)) == tensors(&stopped.run.join(file)),
            "{file} differs"
        );
    }
    let lines = std::fs::read_to_string(stopped.run.join("metrics.jsonl")).expect("metrics");
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn a_run_folder_takes_no_other_run() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(1, 32)]);
    run(&one).0.expect("it ends well");
    let before = tensors(&one.run.join("last.safetensors"));
    let error = run(&one).0.expect_err("a run lies there").to_string();
    assert!(error.contains("a run lies here already"), "{error}");
    let mut other = Job {
        resume: true,
        ..one.clone()
    };
    other.config.task = Task::Segmenter;
    other.config.sampling = Sampling::AsIs;
    let error = run(&other).0.expect_err("another task").to_string();
    assert!(error.contains("task \"baseline\", not \"segmenter\""), "{error}");
    let mut other = Job {
        resume: true,
        ..one.clone()
    };
    other.config.encoder = BackboneKind::ResNet50;
    let error = run(&other).0.expect_err("another network").to_string();
    assert!(error.contains("densenet121") && error.contains("resnet50"), "{error}");
    let empty = Job {
        resume: true,
        run: runs.path().join("empty"),
        ..one.clone()
    };
    assert!(
        run(&empty)
            .0
            .expect_err("no run")
            .to_string()
            .contains("no run to resume")
    );
    assert!(
        before == tensors(&one.run.join("last.safetensors")),
        "the run was touched"
    );
}

#[test]
fn a_finished_run_resumes_to_its_end() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(1, 32)]);
    let first = run(&one).0.expect("it ends well");
    let (again, records) = run(&Job { resume: true, ..one });
    assert_eq!((again.expect("it ends well"), records.len()), (first, 0));
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(1, 32)]);
    // A folder in the place of the metrics file: the last thing an epoch writes.
    std::fs::create_dir_all(one.run.join("metrics.jsonl/x")).expect("a folder");
    let error = run(&one).0.expect_err("no metrics").to_string();
    assert!(
        error.contains("metrics.jsonl") && error.contains("cannot be written"),
        "{error}"
    );
    let expected = [
        "config.json",
        "events.jsonl",
        "events.out.tfevents",
        "last.safetensors",
        "metrics.jsonl",
        "run.lock",
    ];
    assert_eq!(names(&one.run), expected, "nothing temporary stays");
    std::fs::write(runs.path().join("file"), b"").expect("a file");
    let blocked = Job {
        run: runs.path().join("file/run"),
        ..one
    };
    assert!(
        run(&blocked)
            .0
            .expect_err("no folder")
            .to_string()
            .contains("cannot be written")
    );
}

#[test]
fn useless_data_are_refused_at_once() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let refused = |task, data: PathBuf| {
        let job = job(task, &data, &runs.path().join("run"), &[(1, 32)]);
        let error = run(&job).0.expect_err("useless").to_string();
        assert!(!job.run.exists(), "no run folder is begun");
        error
    };
    let few = phantoms::folder(1);
    assert!(refused(Task::Baseline, few.path().to_owned()).contains("too few"));
    let one_class = phantoms::folder(24);
    let table = one_class.path().join("manifest.csv");
    let text = std::fs::read_to_string(&table)
        .expect("a table")
        .replace(",covid,", ",viral,");
    std::fs::write(&table, text).expect("written");
    assert!(refused(Task::Baseline, one_class.path().to_owned()).contains("Covid19"));
    let text = std::fs::read_to_string(&table)
        .expect("a table")
        .replace("lung-field", "heart-inclusive");
    std::fs::write(&table, text).expect("written");
    assert!(refused(Task::Segmenter, one_class.path().to_owned()).contains("lung-field"));
    assert!(refused(Task::Baseline, runs.path().join("nowhere")).contains("manifest.csv"));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_and_names_its_images() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut wild = job(Task::Baseline, data.path(), &runs.path().join("wild"), &[(3, 32)]);
    let start = runs.path().join("start.safetensors");
    let mut network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 1, &Device::Cpu).expect("a network");
    network.visit_mut(&mut |_, tensor, role| {
        if role == Role::Kernel {
            // Finite, but no sum of these is.
            *tensor = tensor.ones_like().and_then(|ones| ones * 3e38).expect("a tensor");
        }
    });
    let metadata = BTreeMap::from([(SPLIT_KEY.to_owned(), SPLIT_VERSION.to_owned())]);
    let sha256 = weights::save(&start, &network.state(), &metadata, weights::Precision::Full).expect("saved");
    let card = ModelCard {
        name: "start".to_owned(),
        version: "1".to_owned(),
        task: Task::Baseline,
        backbone: BackboneKind::DenseNet121,
        graph: Graph::Torch,
        input: InputSpec::default(),
        threshold: 0.5,
        sha256,
        details: serde_json::Map::new(),
    };
    std::fs::write(
        start.with_extension("json"),
        serde_json::to_string(&card).expect("JSON"),
    )
    .expect("written");
    wild.init = Some(start);
    let error = run(&wild).0.expect_err("it diverges");
    let Error::Diverged {
        epoch: 1,
        step: 1,
        files,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(files.len(), 8);
    let names: BTreeSet<&String> = files.iter().collect();
    assert!(
        names.len() == 8 && names.iter().all(|name| data.path().join(name).exists()),
        "{files:?}"
    );
    assert!(error.to_string().contains(&files[7]), "{error}");
}

#[test]
fn short_memory_makes_micro_batches_and_the_steps_stay_as_many() {
    let (data, runs) = (phantoms::folder(40), tempfile::tempdir().expect("a temporary folder"));
    let steps_of = |job: &Job| {
        let (mut steps, mut notes) = (0, Vec::new());
        let outcome = train(job, &Controls::default(), &mut |event| match event {
            TrainingEvent::Step(step) => {
                steps = step.done;
                assert!(step.gradient_norm.is_some_and(|norm| norm.is_finite() && norm > 0.0));
            }
            TrainingEvent::Note {
                kind: NoteKind::SmallerBatch,
                text,
            } => notes.push(text),
            _ => {}
        });
        outcome.expect("it ends well");
        (steps, notes)
    };
    let plenty = job(Task::Baseline, data.path(), &runs.path().join("plenty"), &[(1, 32)]);
    let (steps, notes) = steps_of(&plenty);
    assert_eq!(notes, Vec::<String>::new());
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut short = plenty.clone();
    short.run = runs.path().join("short");
    short.session.memory_mib = Some(1.0);
    let (fewer, notes) = steps_of(&short);
    assert_eq!(fewer, steps, "the effective batch is the same");
    assert!(notes.len() == 1 && notes[0].contains("2 at a time"), "{notes:?}");
    // Asked for, it is no matter of memory.
    let mut accumulated = plenty.clone();
    accumulated.run = runs.path().join("accumulated");
    (accumulated.config.batch, accumulated.config.accumulation) = (2, 4);
    let (as_many, notes) = steps_of(&accumulated);
    assert_eq!((as_many, notes), (steps, Vec::new()));
    assert!(
        tensors(&accumulated.run.join("last.safetensors")) == tensors(&short.run.join("last.safetensors")),
        "the same parts give the same network"
    );
}

#[test]
fn a_run_that_learns_nothing_stops_early() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(6, 32)]);
    (one.config.rate, one.config.bn_momentum) = (1e-12, 1e-4);
    one.config.patience = Some(2);
    let mut early = false;
    let mut epochs = 0;
    let outcome = train(&one, &Controls::default(), &mut |event| match event {
        TrainingEvent::Epoch(record) => epochs = record.epoch,
        TrainingEvent::Note { kind, .. } => early |= kind == NoteKind::StoppedEarly,
        _ => {}
    });
    let best = outcome.expect("it ends well").best;
    assert!(early && epochs < 6 && epochs == best.epoch + 2, "{epochs} {best:?}");
}
