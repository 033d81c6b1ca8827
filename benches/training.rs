//! A step of training beside what its events cost: written to the run folder and to a pipe, and read at its other end.
//! Checkpoints inside an epoch, and the making of a batch, which a second thread does meanwhile.

use criterion::{Criterion, criterion_group, criterion_main};

use recovnet::nn::card::Task;
use recovnet::nn::{BackboneKind, Device, InputSpec, Network, Precision, Workspace};
use recovnet::training::adam::Adam;
use recovnet::training::augment::Augmentation;
use recovnet::training::batches::{Batch, Plan};
use recovnet::training::checkpoint::{Progress, RunFolder};
use recovnet::training::event::{Line, Place, Started, StepRecord, TrainingEvent};
use recovnet::training::loss::Objective;
use recovnet::training::manifest::Class;
use recovnet::training::phase::{Classification, Phase};
use recovnet::training::pool::{Order, Pool};
use recovnet::training::recipe::{Recipe, Sampling};
use recovnet::training::record::Recorder;
use recovnet::training::sample::Sample;
use recovnet::training::step::{StepConfig, step};

/// The smallest step in practice: the first size and the batch of the scratch recipe.
const SIZE: usize = 128;
const BATCH: usize = 16;

fn spec() -> InputSpec {
    InputSpec {
        width: SIZE,
        height: SIZE,
        ..InputSpec::default()
    }
}

fn samples() -> Vec<Sample> {
    let class = |i: usize| {
        if i.is_multiple_of(2) {
            Class::Control
        } else {
            Class::Covid19
        }
    };
    let grey = |i: usize| {
        (0..SIZE * SIZE)
            .map(|p| ((p * 7 + i * 13) % 101) as f32 / 101.0)
            .collect::<Vec<f32>>()
    };
    (0..4 * BATCH)
        .map(|i| Sample::new(&grey(i), Vec::new(), class(i)))
        .collect()
}

fn a_step(criterion: &mut Criterion) {
    let config = Recipe::Scratch.config(Task::Baseline, BackboneKind::DenseNet121);
    let mut network = Classification::build(&config, None, &Device::Cpu).expect("a network");
    let mut adam = Adam::new(config.optimiser());
    let (workspace, samples, spec) = (Workspace::default(), samples(), spec());
    let settings = StepConfig {
        size: SIZE,
        rate: 1e-5,
        clip: None,
        bn_momentum: 0.1,
        precision: Precision::F32,
        objective: Objective::default(),
        micro: BATCH,
    };
    let batch = Batch::plain(&samples[..BATCH], &spec);
    let mut train = || {
        let device = (&Device::Cpu, &workspace);
        step::<Classification>(&mut network, &mut adam, batch.clone(), settings, device).expect("a step")
    };
    criterion.bench_function("step", |b| b.iter(&mut train));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = RunFolder::at(folder.path());
    let progress = Progress::default();
    criterion.bench_function("checkpoint", |b| {
        b.iter(|| run.save_last(&network, &adam, &progress).expect("it is written"));
    });
    let bytes: usize = network.state().values().map(|tensor| tensor.elem_count() * 12).sum();
    println!("a checkpoint has about {} MiB", bytes >> 20);
}

fn a_batch(criterion: &mut Criterion) {
    let (samples, spec) = (samples(), spec());
    let pool = Pool::of_classes(samples.iter().map(|sample| sample.class));
    let plan = Plan {
        samples: &samples,
        order: Order {
            pool: &pool,
            sampling: Sampling::ByClass,
            batch: BATCH,
            seed: 1,
        },
        spec: &spec,
        augmentation: Some(Augmentation::PAPER),
    };
    criterion.bench_function("an epoch of 4 batches", |b| {
        b.iter(|| {
            plan.for_each((0, 0), |_, _, _| Ok::<(), ()>(()))
                .expect("no step fails");
        });
    });
}

fn events(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recorder = Recorder::open(folder.path()).expect("it is written");
    let started = TrainingEvent::Started(Started {
        name: "densenet121".to_owned(),
        config: Box::new(Recipe::Scratch.config(Task::Baseline, BackboneKind::DenseNet121)),
        data: "data".into(),
        run: folder.path().to_owned(),
        device: "CPU".to_owned(),
        epochs: 30,
        steps_per_epoch: 100,
        parts: Vec::new(),
        resumed_from: Some(Place::default()),
        records: Vec::new(),
        process: 1,
        version: "1".to_owned(),
    });
    recorder.take(&started).expect("it is written");
    let event = TrainingEvent::Step(StepRecord {
        done: 1234,
        total: 3000,
        epoch: 13,
        loss: 0.345_678_912_345,
        rate: 1.234_567e-4,
        images: BATCH,
        images_per_second: 12.345_678,
        waited: 0.001_234,
        gradient_norm: Some(1.234_567_891_234),
        memory_mib: Some(1_234.567_8),
        gpu_mib: None,
    });
    criterion.bench_function("events of a step", |b| {
        b.iter(|| {
            recorder.take(&event).expect("it is written");
            let text = Line::now(event.clone()).text();
            Line::parse(&text).expect("a line")
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = a_step, a_batch, events
}
criterion_main!(benches);
