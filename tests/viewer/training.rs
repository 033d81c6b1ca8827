//! The workspace 'Train' with a scripted process: steps, form, run, charts, watch-list, closing.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use recovnet::training::control::Control;
use recovnet::training::event::{Estimate, Place, StageEstimate, TrainingEvent};
use recovnet::training::recipe::Recipe;
use recovnet::training::request::Request;
use recovnet::training::{BackboneKind, Task};
use recovnet::viewer::command::Command;
use recovnet::viewer::state::Workspace;
use recovnet::viewer::train::form::{Initial, Text};
use recovnet::viewer::train::session::{Left, Session, Standing};
use recovnet::viewer::train::{Lower, Step, TrainCommand, asked};

use crate::panels::{Window, write_png};
use crate::runs::{self, EPOCHS, RunScript, STEPS};

/// A window in the workspace 'Train', with a data folder of some labelled pictures and a run folder.
pub struct Trained {
    pub window: Window,
    pub script: Rc<RefCell<RunScript>>,
    pub folder: tempfile::TempDir,
}

impl Trained {
    pub fn open(size: [f32; 2]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        write_manifest(&folder.path().join("data"));
        let mut window = Window::open(Vec::new(), size)?;
        window.press(Modifiers::NONE, Key::F3);
        assert_eq!(window.state().workspace, Workspace::Train);
        let script = Rc::clone(&window.run);
        Some(Self { window, script, folder })
    }

    pub fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    pub fn send(&mut self, command: TrainCommand) {
        self.window.harness.state_mut().send(Command::Train(command));
        self.window.harness.run_steps(2);
    }

    /// Names data and run folder and starts.
    pub fn start(&mut self) {
        self.send(TrainCommand::DataFolder(self.folder.path().join("data")));
        self.window
            .until("the data", |state| state.train.data.overview.done().is_some());
        let run = self.run_folder().display().to_string();
        self.send(TrainCommand::Type(Text::RunFolder, run));
        self.send(TrainCommand::Open(Step::Run));
        let resumes = self.window.state().train.form.resume;
        let text = if resumes { "Resume training" } else { "Start training" };
        self.window.harness.get_by_label(text).click();
        for _ in 0..2000 {
            self.window.harness.step();
            if !self.script.borrow().started.is_empty() {
                self.window.harness.run_steps(2);
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("not started: {:?}", self.window.value("Not ready"));
    }

    /// Lets the run say something, and the window hear it.
    pub fn say(&mut self, time: f64, event: TrainingEvent) {
        self.script.borrow_mut().say(time, event);
        self.window.harness.run_steps(3);
    }

    /// Lets the run make steps up to a number, half a second each, and tell of every epoch.
    pub fn advance(&mut self, from: usize, to: usize) {
        for done in from + 1..=to {
            self.script
                .borrow_mut()
                .say(100.0 + 0.5 * done as f64, runs::step(done));
            if done % STEPS == 0 {
                let epoch = done / STEPS;
                let time = 100.2 + 0.5 * done as f64;
                self.script
                    .borrow_mut()
                    .say(time, TrainingEvent::Epoch(runs::record(epoch)));
                let watched = runs::watch(&self.run_folder(), epoch);
                self.script.borrow_mut().say(time, watched);
            }
        }
        self.window.harness.run_steps(3);
    }
}

/// Writes a data folder of six pictures with a manifest.
fn write_manifest(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut lines = "file,label,patient,source\n".to_owned();
    for number in 0..6 {
        let name = format!("{number}.png");
        write_png(folder, &name, number);
        let label = if number % 2 == 0 { "covid" } else { "normal" };
        writeln!(lines, "{name},{label},p{number},phantom").unwrap();
    }
    std::fs::write(folder.join("manifest.csv"), lines).unwrap();
}

const SIZE: [f32; 2] = [1280.0, 720.0];

#[test]
fn a_data_folder_is_recognised_and_counted() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.window.harness.check_accessibility();
    trained.window.keep_picture("train-empty.png");
    let field = trained.window.harness.get_by_label("Data folder");
    field.focus();
    field.type_text(&trained.folder.path().join("data").display().to_string());
    trained.window.press(Modifiers::NONE, Key::Enter);
    trained
        .window
        .until("the data", |state| state.train.data.overview.done().is_some());
    assert_eq!(trained.window.value("Recognised as").as_deref(), Some("manifest.csv"));
    assert_eq!(trained.window.value("Labelled images").as_deref(), Some("6"));
    trained.window.keep_picture("train-data.png");
    // The table's last column ends where the space does, and with it the stripes of its rows.
    let last = trained.window.harness.get_by_label("After augmentation").rect();
    let margin = SIZE[0] - last.max.x;
    assert!((10.0..24.0).contains(&margin), "{last:?}");
    trained.window.harness.check_accessibility();
}

#[test]
fn a_folder_without_data_says_what_to_do() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    let empty = trained.folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    trained.send(TrainCommand::DataFolder(empty));
    trained.window.until("the reason", |state| {
        state.train.data.folders[0].kind.running().is_none() && state.train.data.overview.running().is_none()
    });
    let reason = trained.window.value("Data problem").unwrap();
    assert!(reason.contains("manifest.csv") && reason.contains("QaTa"), "{reason}");
    let not_ready = trained.window.state().train.problem().unwrap();
    assert!(not_ready.starts_with("Data:"), "{not_ready}");
}

#[test]
fn a_wrong_setting_is_said_in_place_and_keeps_the_run_from_starting() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.send(TrainCommand::Open(Step::Model));
    trained.window.harness.get_by_label("Settings").click();
    trained.window.harness.run_steps(2);
    trained.window.harness.check_accessibility();
    trained.window.keep_picture("train-model.png");
    trained.send(TrainCommand::Set("Batch", "1".to_owned()));
    assert_eq!(
        trained.window.value("Batch problem").as_deref(),
        Some("a whole number from 2 to 4096 is needed")
    );
    trained.window.keep_picture("train-model-wrong.png");
    trained.send(TrainCommand::Set("Batch", "8".to_owned()));
    assert_eq!(trained.window.value("Batch problem"), None);
    assert_eq!(trained.window.state().train.form.config.batch, 8);
}

#[test]
fn time_and_memory_are_estimated_by_a_process() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.send(TrainCommand::DataFolder(trained.folder.path().join("data")));
    trained
        .window
        .until("the data", |state| state.train.data.overview.done().is_some());
    let run = trained.run_folder().display().to_string();
    trained.send(TrainCommand::Type(Text::RunFolder, run));
    trained.send(TrainCommand::Open(Step::Model));
    trained.window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
    assert_eq!(trained.script.borrow().estimates.len(), 1);
    let estimate = Estimate {
        device: "CPU, 2 threads".to_owned(),
        stages: vec![StageEstimate {
            size: 128,
            epochs: 24,
            steps_per_epoch: 120,
            seconds_per_step: 0.5,
            epoch_seconds: 66.0,
            micro_batch: 16,
        }],
        seconds: 1584.0,
        peak_mib: Some(2100.0),
        free_mib: Some(8000.0),
    };
    trained.say(1.0, TrainingEvent::Estimated(estimate));
    assert_eq!(trained.window.value("The whole run").as_deref(), Some("26 min"));
    assert_eq!(trained.window.value("Memory at most").as_deref(), Some("2.1 GiB"));
    trained.window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
    trained.window.harness.get_by_label("Cancel estimate").click();
    trained.window.harness.run_steps(2);
    assert_eq!(trained.script.borrow().killed, 1);
}

#[test]
fn a_run_is_started_paused_continued_and_finished() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.start();
    let run = trained.run_folder();
    trained.say(99.0, runs::started(&run, None));
    trained.say(
        99.5,
        TrainingEvent::Loading {
            done: 100,
            total: 640,
            size: 64,
        },
    );
    assert_eq!(trained.window.value("Run state").as_deref(), Some("reading images"));
    trained.advance(0, 50);
    assert_eq!(trained.window.value("Run state").as_deref(), Some("training"));
    assert_eq!(
        trained.window.value("Progress of the run").as_deref(),
        Some("50 of 100")
    );
    assert_eq!(
        trained.window.value("Progress of the epoch").as_deref(),
        Some("10 of 20")
    );
    assert_eq!(trained.window.value("Time waited for data").as_deref(), Some("1.2 %"));
    trained
        .window
        .until("the watch-list", |state| state.train.watch.shown.is_some());
    trained.window.keep_picture("train-run.png");
    trained.window.harness.check_accessibility();

    trained.window.harness.get_by_label("Pause").click();
    trained.window.harness.run_steps(2);
    assert_eq!(trained.script.borrow().controls, [Control::Pause]);
    let place = Place { epochs: 2, steps: 10 };
    trained.say(126.0, TrainingEvent::Paused { place });
    assert_eq!(trained.window.value("Run state").as_deref(), Some("paused"));
    trained.window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::C);
    assert_eq!(trained.script.borrow().controls[1], Control::Resume);
    trained.say(130.0, TrainingEvent::Resumed);
    trained.advance(50, STEPS * EPOCHS);
    let weights = run.join("best.safetensors");
    trained.say(
        160.0,
        TrainingEvent::Finished {
            weights,
            best: runs::best(),
        },
    );
    assert_eq!(trained.window.value("Run state").as_deref(), Some("finished"));
    trained.window.until("the last epoch", |state| {
        state
            .train
            .watch
            .shown
            .as_ref()
            .is_some_and(|shown| shown.epoch == EPOCHS)
    });
    trained.window.keep_picture("train-finished.png");
}

#[test]
fn the_watch_list_is_scrubbed_through_the_epochs() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.start();
    trained.say(99.0, runs::started(&trained.run_folder(), None));
    trained.advance(0, 3 * STEPS);
    let shown = |epoch| {
        move |state: &recovnet::viewer::state::ViewerState| {
            state
                .train
                .watch
                .shown
                .as_ref()
                .is_some_and(|shown| shown.epoch == epoch)
        }
    };
    trained.window.until("the latest epoch", shown(3));
    trained.send(TrainCommand::Watch(Some(1)));
    trained.window.until("the first epoch", shown(1));
    let value = trained.window.value("Watched image 1").unwrap();
    assert!(value.contains("in lung 0.300 (chance 0.310)"), "{value}");
    trained.send(TrainCommand::Watch(None));
    trained.window.until("the latest epoch", shown(3));
    trained.send(TrainCommand::Lower(Lower::Batch));
    trained.window.harness.check_accessibility();
}

#[test]
fn a_failed_run_says_why_and_offers_to_go_on() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.start();
    trained.say(99.0, runs::started(&trained.run_folder(), None));
    trained.advance(0, 25);
    let failed = TrainingEvent::Failed {
        reason: "the disk is full".to_owned(),
        kept: Some(Place { epochs: 1, steps: 0 }),
    };
    trained.say(120.0, failed);
    assert_eq!(trained.window.value("Run state").as_deref(), Some("failed"));
    trained
        .window
        .harness
        .get_by_label("The disk is full. Kept until epoch 2, batch 0.");
    assert!(trained.window.state().train.form.resume, "it can be resumed");
    trained.window.keep_picture("train-failed.png");
}

#[test]
fn a_process_that_cannot_be_started_is_said() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.script.borrow_mut().refuses = Some("no such program.".to_owned());
    trained.send(TrainCommand::DataFolder(trained.folder.path().join("data")));
    trained
        .window
        .until("the data", |state| state.train.data.overview.done().is_some());
    let run = trained.run_folder().display().to_string();
    trained.send(TrainCommand::Type(Text::RunFolder, run));
    trained.window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::T);
    assert!(
        matches!(&trained.window.state().train.session.standing, Standing::Failed(reason, None) if reason == "no such program."),
        "{:?}",
        trained.window.state().train.session.standing
    );
}

#[test]
fn an_interrupted_run_is_resumed_with_its_earlier_curves() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    let run = trained.run_folder();
    std::fs::create_dir_all(&run).unwrap();
    let mut events = String::new();
    let mut note = |time: f64, event| events += &recovnet::training::event::Line { time, event }.text();
    note(1.0, runs::started(&run, None));
    for done in 1..=35 {
        note(1.0 + done as f64, runs::step(done));
        if done == STEPS {
            note(22.0, TrainingEvent::Epoch(runs::record(1)));
        }
    }
    std::fs::write(run.join("events.jsonl"), events).unwrap();
    let config = Recipe::Scratch.config(Task::Recovnet, BackboneKind::DenseNet121);
    let request = Request::new(config, &trained.folder.path().join("data"), &run);
    std::fs::write(run.join("job.json"), serde_json::to_string(&request).unwrap()).unwrap();

    trained.send(TrainCommand::Resume(true));
    trained.start();
    assert_eq!(trained.window.state().train.session.batch_loss.points().len(), 35);
    let place = Place { epochs: 1, steps: 10 };
    trained.say(200.0, runs::started(&run, Some(place)));
    let points = trained.window.state().train.session.batch_loss.points().len();
    assert_eq!(points, 30, "steps that are made again are not drawn twice");
    let request = &trained.script.borrow().started[0];
    assert!(request.resume && request.run == run, "{request:?}");
}

#[test]
fn closing_during_a_run_asks() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.start();
    trained.say(99.0, runs::started(&trained.run_folder(), None));
    trained.window.harness.state_mut().send(Command::CloseAsked);
    trained.window.harness.run_steps(3);
    trained.window.keep_picture("train-close.png");
    trained.window.harness.check_accessibility();
    trained.window.harness.get_by_label("Stop and keep").click();
    trained.window.harness.run_steps(3);
    assert_eq!(trained.script.borrow().controls, [Control::StopAfterBatch]);
    assert!(trained.window.state().train.closing);
    trained.window.harness.get_by_label("Cancel").click();
    trained.window.harness.run_steps(3);
    assert!(!trained.window.state().train.closing);
    assert_eq!(trained.window.state().dialog, None);

    trained.window.harness.state_mut().send(Command::CloseAsked);
    trained.window.harness.run_steps(3);
    trained.window.harness.get_by_label("Let it run").click();
    trained.window.harness.run_steps(3);
    assert_eq!(trained.script.borrow().controls.last(), Some(&Control::Detach));
}

#[test]
fn reading_goes_on_beside_a_run() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.start();
    trained.say(99.0, runs::started(&trained.run_folder(), None));
    trained.window.press(Modifiers::NONE, Key::F2);
    trained.advance(0, 50);
    assert_eq!(trained.window.state().workspace, Workspace::Read);
    let status = trained.window.value("Run under way").unwrap();
    assert!(status.starts_with("Run: training, 50 %"), "{status}");
    trained.window.harness.get_by_label("Open sample");
}

#[test]
fn the_rest_of_a_run_is_estimated_without_its_pauses() {
    let run = PathBuf::from("run");
    let mut session = Session::starting();
    let mut hear = |time: f64, event| session.hear(recovnet::training::event::Line { time, event });
    hear(10.0, runs::started(&run, None));
    for done in 1..=10 {
        hear(10.0 + done as f64, runs::step(done));
    }
    hear(
        20.0,
        TrainingEvent::Paused {
            place: Place::default(),
        },
    );
    hear(1020.0, TrainingEvent::Resumed);
    for done in 11..=20 {
        hear(1010.0 + done as f64, runs::step(done));
    }
    let Left { least, most } = session.left().unwrap();
    assert!(
        (least - 80.0).abs() < 1.0 && (most - 80.0).abs() < 1.0,
        "{least} to {most} seconds"
    );
}

/// Writes a run of which nothing is there but the best weights, which are none, and their card.
fn write_start(folder: &Path, task: &str) -> PathBuf {
    let run = folder.join(format!("run of a {task}"));
    std::fs::create_dir_all(&run).unwrap();
    let card = serde_json::json!({
        "name": "start", "version": "1", "task": task, "backbone": "densenet121", "graph": "torch",
        "input": { "width": 224, "height": 224, "aspect": "stretch", "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2] },
        "threshold": 0.5, "sha256": "ab".repeat(32),
    });
    std::fs::write(run.join("best.json"), card.to_string()).unwrap();
    std::fs::write(run.join("best.safetensors"), b"none").unwrap();
    run
}

impl Trained {
    /// Has a network of a task begin with the best weights of a run, and looked at them.
    fn begin(&mut self, task: Task, run: &Path) {
        self.send(TrainCommand::Choose(task, BackboneKind::DenseNet121, Recipe::Scratch));
        self.send(TrainCommand::Begin(Initial::Run));
        self.send(TrainCommand::Type(Text::Initial, run.display().to_string()));
        self.send(TrainCommand::LookAtStart);
        self.window
            .until("the initial weights", |state| state.train.start.done().is_some());
    }
}

#[test]
fn weights_that_a_run_does_not_begin_with_are_said() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.send(TrainCommand::Open(Step::Model));
    for (found, task, fits) in [
        ("segmenter", Task::Recovnet, true),
        ("recovnet", Task::Recovnet, true),
        ("baseline", Task::Recovnet, false),
        ("segmenter", Task::Segmenter, true),
        ("recovnet", Task::Segmenter, false),
        ("segmenter", Task::Baseline, false),
    ] {
        let run = write_start(trained.folder.path(), found);
        trained.begin(task, &run);
        let said = trained.window.value("Initial weights do not fit");
        assert_eq!(said.is_none(), fits, "{task:?} from a {found}: {said:?}");
    }
}

#[test]
fn the_watch_list_takes_the_segmenter_that_is_nearest() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.send(TrainCommand::DataFolder(trained.folder.path().join("data")));
    trained
        .window
        .until("the models", |state| state.results.models.done().is_some());
    let taken = |trained: &Trained| asked::request(&trained.window.state().train).unwrap().segmenter;
    assert_eq!(taken(&trained), None, "a segmenter needs none");

    let classifier = write_start(trained.folder.path(), "recovnet");
    trained.begin(Task::Recovnet, &classifier);
    let installed = trained.window.state().train.installed_segmenter.clone();
    assert_eq!(taken(&trained), installed);
    let segmenter = write_start(trained.folder.path(), "segmenter");
    trained.begin(Task::Recovnet, &segmenter);
    assert_eq!(taken(&trained), Some(segmenter.join("best.safetensors")));
    trained.send(TrainCommand::Type(Text::Segmenter, "named.safetensors".to_owned()));
    assert_eq!(taken(&trained), Some(PathBuf::from("named.safetensors")));

    trained.send(TrainCommand::Type(Text::Segmenter, String::new()));
    trained.send(TrainCommand::Type(Text::Watched, "0".to_owned()));
    assert_eq!(taken(&trained), None, "nothing is watched");
}
