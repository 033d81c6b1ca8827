//! Requests to the engine: one final event each, whatever happens.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use recovnet::findings::Findings;
use recovnet::imaging::{self, Radiograph};
use recovnet::inference::cache::Key;
use recovnet::inference::engine::{Analyst, Engine, EngineConfig, Event, Loaded, RequestId};
use recovnet::inference::models::ClassifierName;
use recovnet::inference::pipeline::{Error, Stage};
use recovnet::nn;

use crate::support;

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// Stands in for the models: waits at every stage until the test lets it go on.
struct Stepper {
    go: Mutex<Receiver<Step>>,
    runs: Arc<AtomicUsize>,
}

/// Stands in for models of one classifier, whose name is in its findings' place.
struct Named(ClassifierName);

impl Analyst for Named {
    fn describe(&self) -> Loaded {
        let mut classifier = super::cache::findings(1).classifier;
        classifier.name = self.0.to_string();
        Loaded {
            device: "test".into(),
            classifier,
            card: serde_json::Value::Null,
            segmenter: super::cache::findings(1).segmenter,
        }
    }

    fn key(&self, image: &Radiograph) -> Key {
        Key {
            content_hash: image.content_hash,
            sop_instance_uid: None,
            weights: [self.0.to_string(), String::new()],
        }
    }

    fn analyse(&self, _: &Radiograph, _: &mut dyn FnMut(Stage) -> bool) -> Result<Findings, Error> {
        Err(Error::OutOfScope(self.0.to_string()))
    }
}

/// Stands in for models on a GPU that fails every picture, or on the CPU, where they are computed.
struct Placed {
    /// Whether `auto` chose the GPU; `None` on the CPU.
    gpu_by_auto: Option<bool>,
    label: String,
}

impl Placed {
    fn on_gpu(by_auto: bool) -> Self {
        Self {
            gpu_by_auto: Some(by_auto),
            label: "GPU".to_owned(),
        }
    }
}

impl Analyst for Placed {
    fn describe(&self) -> Loaded {
        Loaded {
            device: self.label.clone(),
            ..Named(ClassifierName::RecovnetV1).describe()
        }
    }

    fn key(&self, image: &Radiograph) -> Key {
        Named(ClassifierName::RecovnetV1).key(image)
    }

    fn analyse(&self, _: &Radiograph, on_stage: &mut dyn FnMut(Stage) -> bool) -> Result<Findings, Error> {
        on_stage(Stage::Preprocess);
        if self.gpu_by_auto.is_none() {
            return Ok(super::cache::findings(4));
        }
        Err(Error::Network(nn::Error::Gpu {
            operation: "convolution",
            sizes: "1 picture".to_owned(),
            reason: "the GPU was lost".to_owned(),
            full: false,
        }))
    }

    fn leave_gpu(&self, cause: &str) -> Option<Result<Self, String>> {
        self.gpu_by_auto?.then(|| {
            Ok(Self {
                gpu_by_auto: None,
                label: format!("CPU ({cause})"),
            })
        })
    }
}

/// What the stand-in does next.
enum Step {
    GoOn,
    Panic,
    Fail,
}

impl Stepper {
    fn next_step(&self) -> Step {
        self.go.lock().unwrap().recv().unwrap()
    }
}

impl Analyst for Stepper {
    fn describe(&self) -> Loaded {
        let classifier = super::cache::findings(1).classifier;
        Loaded {
            device: "test".into(),
            classifier,
            card: serde_json::Value::Null,
            segmenter: super::cache::findings(1).segmenter,
        }
    }

    fn key(&self, image: &Radiograph) -> Key {
        let content_hash = image.content_hash;
        Key {
            content_hash,
            sop_instance_uid: None,
            weights: [String::new(), String::new()],
        }
    }

    fn analyse(&self, image: &Radiograph, on_stage: &mut dyn FnMut(Stage) -> bool) -> Result<Findings, Error> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        for stage in [Stage::Segment, Stage::Classify] {
            if !on_stage(stage) {
                return Err(Error::Cancelled);
            }
            match self.next_step() {
                Step::GoOn => {}
                Step::Panic => panic!("made to panic"),
                Step::Fail => return Err(Error::OutOfScope("made to fail".into())),
            }
        }
        Ok(Findings {
            content_hash: image.content_hash,
            ..super::cache::findings(4)
        })
    }
}

struct Bench {
    engine: Engine,
    go: Sender<Step>,
    runs: Arc<AtomicUsize>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let (go, steps) = channel();
        let runs = Arc::new(AtomicUsize::new(0));
        let stepper = Stepper {
            go: Mutex::new(steps),
            runs: Arc::clone(&runs),
        };
        let mut engine = Engine::start_with(move || Ok(stepper), || {});
        assert!(matches!(next(&mut engine), Event::Loaded(_)));
        Self {
            engine,
            go,
            runs,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn image(&self, seed: u32) -> Arc<Radiograph> {
        picture(self.folder.path(), seed)
    }

    fn step(&self, step: Step) {
        self.go.send(step).unwrap();
    }

    /// Waits until the worker is in a stage of a request.
    fn wait_for_stage(&mut self, id: RequestId, stage: Stage) {
        match next(&mut self.engine) {
            Event::Progress(found, at) => assert_eq!((found, at), (id, stage)),
            other => panic!("{other:?} instead of progress of {id:?}"),
        }
    }

    fn finals(&mut self, count: usize) -> Vec<Event> {
        let mut finals = Vec::new();
        while finals.len() < count {
            let event = next(&mut self.engine);
            if !matches!(event, Event::Progress(..)) {
                finals.push(event);
            }
        }
        finals
    }

    /// Lets the worker end and returns what is still said.
    fn rest(mut self) -> Vec<Event> {
        std::thread::sleep(Duration::from_millis(50));
        std::iter::from_fn(|| self.engine.try_recv()).collect()
    }
}

fn picture(folder: &Path, seed: u32) -> Arc<Radiograph> {
    let path = folder.join(format!("{seed}.png"));
    support::write_chest(&path, 24, 20, seed);
    Arc::new(imaging::open(&path).unwrap())
}

fn next(engine: &mut Engine) -> Event {
    let start = Instant::now();
    loop {
        if let Some(event) = engine.try_recv() {
            return event;
        }
        assert!(start.elapsed() < PATIENCE, "no event came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_request_ends_in_done_once() {
    let mut bench = Bench::new();
    let image = bench.image(1);
    let id = bench.engine.submit(Arc::clone(&image));
    bench.step(Step::GoOn);
    bench.step(Step::GoOn);
    match &bench.finals(1)[..] {
        [Event::Done(found, findings)] => {
            assert_eq!(*found, id);
            assert_eq!(findings.content_hash, image.content_hash);
        }
        other => panic!("{other:?}"),
    }
    assert!(bench.rest().is_empty());
}

#[test]
fn a_later_request_makes_the_running_and_the_waiting_ones_stale() {
    let mut bench = Bench::new();
    let image = bench.image(1);
    let first = bench.engine.submit(image);
    bench.wait_for_stage(first, Stage::Segment);
    let waiting = bench.image(2);
    let second = bench.engine.submit(waiting);
    let latest = bench.image(3);
    let third = bench.engine.submit(latest);
    assert!(first < second && second < third);
    for _ in 0..3 {
        bench.step(Step::GoOn);
    }
    let finals = bench.finals(3);
    assert!(
        matches!(&finals[..], [Event::Cancelled(a), Event::Cancelled(b), Event::Done(c, _)]
            if (*a, *b, *c) == (first, second, third)),
        "{finals:?}"
    );
    // The one that waited was never begun.
    assert_eq!(bench.runs.load(Ordering::SeqCst), 2);
    assert!(bench.rest().is_empty());
}

#[test]
fn cancelling_ends_between_stages() {
    let mut bench = Bench::new();
    let image = bench.image(1);
    let id = bench.engine.submit(image);
    bench.wait_for_stage(id, Stage::Segment);
    bench.engine.cancel(id);
    bench.step(Step::GoOn);
    let finals = bench.finals(1);
    assert!(
        matches!(finals[..], [Event::Cancelled(found)] if found == id),
        "{finals:?}"
    );
    assert!(bench.rest().is_empty());
}

#[test]
fn cancelling_what_has_ended_says_nothing_more() {
    let mut bench = Bench::new();
    let image = bench.image(1);
    let id = bench.engine.submit(image);
    bench.step(Step::GoOn);
    bench.step(Step::GoOn);
    bench.finals(1);
    bench.engine.cancel(id);
    assert!(bench.rest().is_empty());
}

#[test]
fn a_result_that_was_read_too_late_is_dropped() {
    let mut bench = Bench::new();
    let image = bench.image(1);
    let first = bench.engine.submit(Arc::clone(&image));
    bench.step(Step::GoOn);
    bench.step(Step::GoOn);
    // The second request, of the same picture, is answered from the cache; by then the first has surely ended.
    while bench.runs.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    let second = bench.engine.submit(image);
    let finals = bench.finals(2);
    assert!(
        matches!(&finals[..], [Event::Cancelled(a), Event::Done(b, _)] if (*a, *b) == (first, second)),
        "{finals:?}"
    );
}

#[test]
fn the_same_picture_is_computed_once() {
    let mut bench = Bench::new();
    let image = bench.image(1);
    bench.engine.submit(Arc::clone(&image));
    bench.step(Step::GoOn);
    bench.step(Step::GoOn);
    bench.finals(1);
    bench.engine.submit(image);
    assert!(matches!(bench.finals(1)[..], [Event::Done(..)]));
    assert_eq!(bench.runs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_fails_its_request_and_the_worker_lives_on() {
    let mut bench = Bench::new();
    let image = bench.image(1);
    let broken = bench.engine.submit(image);
    bench.step(Step::Panic);
    match &bench.finals(1)[..] {
        [Event::Failed(id, reason)] => {
            assert_eq!(*id, broken);
            assert!(reason.contains("made to panic"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let image = bench.image(2);
    let next = bench.engine.submit(image);
    bench.step(Step::Fail);
    match &bench.finals(1)[..] {
        [Event::Failed(id, reason)] => {
            assert_eq!(*id, next);
            assert_eq!(reason, "not predicted: made to fail");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn models_that_cannot_be_loaded_fail_every_request_with_the_same_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Err::<Stepper, _>("no weights here".to_owned());
    let mut engine = Engine::start_with(load, || {});
    let id = engine.submit(picture(folder.path(), 1));
    assert!(matches!(next(&mut engine), Event::LoadFailed(reason) if reason == "no weights here"));
    assert!(matches!(next(&mut engine), Event::Failed(found, reason) if found == id && reason == "no weights here"));
}

#[test]
fn loading_that_panics_is_a_load_failure() {
    let load = || -> Result<Stepper, String> { panic!("broken file") };
    let mut engine = Engine::start_with(load, || {});
    assert!(matches!(next(&mut engine), Event::LoadFailed(reason) if reason.contains("broken file")));
}

#[test]
fn another_classifier_is_loaded_or_the_former_goes_on() {
    let load = |name: ClassifierName| match name {
        ClassifierName::Resnet50 => Err("no weights of resnet50".to_owned()),
        _ => Ok(Named(name)),
    };
    let mut engine = Engine::start_switchable(ClassifierName::RecovnetV1, load, || {});
    let loaded = |event: Event| match event {
        Event::Loaded(loaded) => loaded.classifier.name,
        other => panic!("{other:?}"),
    };
    assert_eq!(loaded(next(&mut engine)), "recovnet-v1");
    engine.switch(ClassifierName::Resnet50);
    assert!(matches!(next(&mut engine), Event::SwitchFailed(reason) if reason.contains("resnet50")));
    let folder = tempfile::tempdir().unwrap();
    let id = engine.submit(picture(folder.path(), 1));
    assert!(
        matches!(next(&mut engine), Event::Failed(found, reason) if found == id && reason == "not predicted: recovnet-v1")
    );
    engine.switch(ClassifierName::RecovnetV2);
    assert_eq!(loaded(next(&mut engine)), "recovnet-v2");
    let id = engine.submit(picture(folder.path(), 1));
    assert!(
        matches!(next(&mut engine), Event::Failed(found, reason) if found == id && reason == "not predicted: recovnet-v2")
    );
}

#[test]
fn a_classifier_can_be_switched_to_where_the_first_could_not_be_loaded() {
    let load = |name: ClassifierName| match name {
        ClassifierName::RecovnetV1 => Err("no weights of recovnet-v1".to_owned()),
        _ => Ok(Named(name)),
    };
    let mut engine = Engine::start_switchable(ClassifierName::RecovnetV1, load, || {});
    assert!(matches!(next(&mut engine), Event::LoadFailed(_)));
    engine.switch(ClassifierName::RecovnetV2);
    assert!(matches!(next(&mut engine), Event::Loaded(_)));
}

#[test]
fn a_gpu_that_fails_is_left_for_the_cpu_and_the_picture_is_computed_there() {
    let mut engine = Engine::start_with(|| Ok(Placed::on_gpu(true)), || {});
    let device = |event: Event| match event {
        Event::Loaded(loaded) => loaded.device,
        other => panic!("{other:?}"),
    };
    assert_eq!(device(next(&mut engine)), "GPU");
    let folder = tempfile::tempdir().unwrap();
    let id = engine.submit(picture(folder.path(), 1));
    let is_progress = |event: &Event, of: RequestId| matches!(event, Event::Progress(found, _) if *found == of);
    assert!(is_progress(&next(&mut engine), id));
    assert_eq!(
        device(next(&mut engine)),
        "CPU (convolution (1 picture): the GPU was lost)"
    );
    assert!(is_progress(&next(&mut engine), id));
    assert!(matches!(next(&mut engine), Event::Done(found, _) if found == id));
    // They stay there.
    let id = engine.submit(picture(folder.path(), 2));
    assert!(is_progress(&next(&mut engine), id));
    assert!(matches!(next(&mut engine), Event::Done(found, _) if found == id));
}

#[test]
fn a_gpu_that_was_asked_for_and_fails_is_told() {
    let mut engine = Engine::start_with(|| Ok(Placed::on_gpu(false)), || {});
    assert!(matches!(next(&mut engine), Event::Loaded(_)));
    let folder = tempfile::tempdir().unwrap();
    let id = engine.submit(picture(folder.path(), 1));
    assert!(matches!(next(&mut engine), Event::Progress(..)));
    let told = next(&mut engine);
    assert!(
        matches!(&told, Event::Failed(found, reason) if *found == id && reason.ends_with("the GPU was lost")),
        "{told:?}"
    );
}

#[test]
fn every_event_wakes_the_listener() {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let mut engine = Engine::start_with(
        || Err::<Stepper, _>("none".to_owned()),
        move || {
            count.fetch_add(1, Ordering::SeqCst);
        },
    );
    let folder = tempfile::tempdir().unwrap();
    engine.submit(picture(folder.path(), 1));
    next(&mut engine);
    next(&mut engine);
    let start = Instant::now();
    while woken.load(Ordering::SeqCst) < 2 {
        assert!(start.elapsed() < PATIENCE, "woken {woken:?} times");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_engine_loads_real_models_and_answers_with_their_findings() {
    let config = EngineConfig {
        weights: Some(support::weights_folder()),
        classifier: ClassifierName::RecovnetV1,
        device: "cpu".into(),
    };
    let mut engine = Engine::start(config, || {});
    let folder = tempfile::tempdir().unwrap();
    let image = picture(folder.path(), 1);
    let id = engine.submit(Arc::clone(&image));
    match next(&mut engine) {
        Event::Loaded(loaded) => {
            assert!(loaded.device.starts_with("CPU, "), "{}", loaded.device);
            assert_eq!(loaded.classifier.name, "recovnet-v1");
            assert_eq!(loaded.card["version"], "0.0.0-random");
        }
        other => panic!("{other:?}"),
    }
    let mut stages = Vec::new();
    let findings = loop {
        match next(&mut engine) {
            Event::Progress(found, stage) => {
                assert_eq!(found, id);
                stages.push(stage);
            }
            Event::Done(found, findings) => {
                assert_eq!(found, id);
                break findings;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        stages,
        [Stage::Preprocess, Stage::Segment, Stage::Classify, Stage::Explain]
    );
    assert_eq!((findings.mask.width, findings.mask.height), (24, 20));
}
