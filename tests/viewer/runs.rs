//! A run's events made by hand, and a process that speaks them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use recovnet::training::checkpoint::Best;
use recovnet::training::control::Control;
use recovnet::training::event::{
    EpochRecord, Line, Metric, PartCount, Place, Started, StepRecord, TrainingEvent, Watched,
};
use recovnet::training::recipe::Recipe;
use recovnet::training::request::Request;
use recovnet::training::{BackboneKind, Task};
use recovnet::viewer::pace::RunWake;
use recovnet::viewer::train::launcher::{Launcher, RunProcess};

/// What the window told the run's process, and what that is to say.
#[derive(Default)]
pub struct RunScript {
    pub started: Vec<Request>,
    pub estimates: Vec<Request>,
    pub killed: usize,
    pub controls: Vec<Control>,
    pub lines: VecDeque<Line>,
    /// Why the next start fails.
    pub refuses: Option<String>,
}

impl RunScript {
    /// Says something at a time in seconds.
    pub fn say(&mut self, time: f64, event: TrainingEvent) {
        self.lines.push_back(Line { time, event });
    }
}

/// A launcher whose processes follow the script.
pub struct ScriptedLauncher(pub Rc<RefCell<RunScript>>);

struct ScriptedRun(Rc<RefCell<RunScript>>);

impl Launcher for ScriptedLauncher {
    fn start(&mut self, request: &Request, _: RunWake) -> Result<Box<dyn RunProcess>, String> {
        let mut script = self.0.borrow_mut();
        if let Some(reason) = script.refuses.take() {
            return Err(reason);
        }
        script.started.push(request.clone());
        Ok(Box::new(ScriptedRun(Rc::clone(&self.0))))
    }

    fn estimate(&mut self, request: &Request, _: RunWake) -> Result<Box<dyn RunProcess>, String> {
        self.0.borrow_mut().estimates.push(request.clone());
        Ok(Box::new(ScriptedRun(Rc::clone(&self.0))))
    }
}

impl RunProcess for ScriptedRun {
    fn next(&mut self) -> Option<Line> {
        self.0.borrow_mut().lines.pop_front()
    }

    fn send(&mut self, control: Control) -> bool {
        self.0.borrow_mut().controls.push(control);
        true
    }

    fn kill(&mut self) {
        self.0.borrow_mut().killed += 1;
    }
}

/// Steps of an epoch of the run made by hand.
pub const STEPS: usize = 20;
/// Its epochs.
pub const EPOCHS: usize = 5;

/// The run begins, after some epochs of an earlier session.
pub fn started(run: &Path, resumed_from: Option<Place>) -> TrainingEvent {
    let records = resumed_from.map_or(0, |place| place.epochs);
    TrainingEvent::Started(Started {
        name: "recovnet-v1".to_owned(),
        config: Box::new(Recipe::Scratch.config(Task::Recovnet, BackboneKind::DenseNet121)),
        data: PathBuf::from("data"),
        run: run.to_owned(),
        device: "CPU, 2 threads".to_owned(),
        epochs: EPOCHS,
        steps_per_epoch: STEPS,
        parts: ["train", "val", "test"]
            .into_iter()
            .map(|part| PartCount {
                part: part.to_owned(),
                images: 320,
                covid19: 80,
                groups: 300,
            })
            .collect(),
        resumed_from,
        records: (1..=records).map(record).collect(),
        process: 4711,
        version: "0.1.0".to_owned(),
    })
}

/// A step whose loss falls.
pub fn step(done: usize) -> TrainingEvent {
    let wobble = ((done * 7919) % 13) as f64 / 40.0;
    TrainingEvent::Step(StepRecord {
        done,
        total: STEPS * EPOCHS,
        epoch: (done - 1) / STEPS + 1,
        loss: 0.9 * (-(done as f64) / 40.0).exp() + 0.1 + wobble * 0.2,
        rate: 3e-4,
        images: 16,
        images_per_second: 24.5 + wobble,
        waited: 0.012,
        gradient_norm: Some(1.0 / (1.0 + done as f64 / 10.0)),
        memory_mib: Some(1900.0),
        gpu_mib: None,
    })
}

/// An epoch that is done.
pub fn record(epoch: usize) -> EpochRecord {
    let score = 1.0 - 0.4 / epoch as f64;
    EpochRecord {
        epoch,
        epochs: EPOCHS,
        size: 64,
        train_loss: 0.8 / epoch as f64,
        rate: 3e-4,
        validation_loss: 0.9 / epoch as f64,
        metric: "roc_auc".to_owned(),
        validation_score: score,
        validation: [
            ("sensitivity", score - 0.1),
            ("specificity", score - 0.05),
            ("f1", score - 0.2),
        ]
        .into_iter()
        .map(|(name, value)| Metric {
            name: name.to_owned(),
            value,
        })
        .collect(),
        best: true,
        images: 320,
        seconds: 13.0,
        images_per_second: 24.6,
        waited: 0.01,
    }
}

/// The watch-list after an epoch; its pictures are written into the run folder.
pub fn watch(run: &Path, epoch: usize) -> TrainingEvent {
    std::fs::create_dir_all(run.join("watch")).unwrap();
    let side = 64;
    let lung = |x: u32, y: u32| {
        let (x, y) = (f64::from(x) / f64::from(side), f64::from(y) / f64::from(side));
        let inside = |center: f64| ((x - center) / 0.16).powi(2) + ((y - 0.5) / 0.33).powi(2) < 1.0;
        inside(0.3) || inside(0.7)
    };
    let images = (0..6).map(|number| {
        let name = |what: &str| PathBuf::from(format!("watch/{epoch}-{number}-{what}.png"));
        let image = image::GrayImage::from_fn(side, side, |x, y| image::Luma([if lung(x, y) { 50 } else { 170 }]));
        image.save(run.join(name("image"))).unwrap();
        let at = f64::from(side) * (0.2 + 0.1 * epoch as f64);
        let map = image::ImageBuffer::from_fn(side, side, |x, y| {
            let distance = (f64::from(x) - at).hypot(f64::from(y) - 32.0);
            image::Luma([(65_535.0 * (-distance / 10.0).exp()) as u16])
        });
        map.save(run.join(name("map"))).unwrap();
        let mask = image::GrayImage::from_fn(side, side, |x, y| image::Luma([if lung(x, y) { 255 } else { 0 }]));
        mask.save(run.join(name("mask"))).unwrap();
        Watched {
            number,
            file: format!("chest {number}.png"),
            covid19: number % 2 == 0,
            image: name("image"),
            map: name("map"),
            mask: Some(name("mask")),
            score: Some(0.3 + 0.1 * number as f64),
            largest: Some(2.0),
            in_lung: Some(0.2 + 0.1 * epoch as f64),
            chance: Some(0.31),
        }
    });
    TrainingEvent::Watch {
        epoch,
        images: images.collect(),
    }
}

/// The best epoch of a finished run.
pub fn best() -> Best {
    Best {
        epoch: EPOCHS,
        score: 0.92,
        size: 64,
    }
}
