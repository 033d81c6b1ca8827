//! Runs on synthetic chests, driven from the window as a person would. Phase I: data, settings, start, pause, its process
//! killed, resumed, paused and continued to its end. Phase II: from a segmenter's run to its end, and its results.

use std::path::{Path, PathBuf};
use std::process::Command;

use recovnet::training::event::{EpochRecord, Line, TrainingEvent};
use recovnet::training::record;

use crate::can_drive;
use crate::desktop::{Desktop, await_some};
use crate::driver::Driver;
use crate::phantoms;
use crate::session::{finish, weights};

/// Pixels of the display: as large as the window opens.
const DISPLAY: (u32, u32) = (1440, 900);
/// Synthetic chests of phase I, and of phase II: enough for a test part with both classes.
const CHESTS: u32 = 24;
const CHESTS_OF_BOTH_CLASSES: u32 = 40;
/// Epochs of the run, and the batches of one: 24 chests less those of the other parts, eight at once.
const EPOCHS: usize = 8;
const BATCHES: usize = 2;

/// Keeps a picture of the window for whoever wants to look at it.
fn keep_picture(driver: &Driver, name: &str) {
    if let Some(folder) = std::env::var_os("RECOVNET_TEST_PICTURES") {
        driver.shot().save(&Path::new(&folder).join(name));
    }
}

fn await_progress(driver: &mut Driver, at_least: usize) -> usize {
    await_some("the run's progress", || {
        let text = driver.value_now("Progress of the run")?;
        let done = text.split(' ').next().and_then(|word| word.parse::<usize>().ok());
        done.filter(|done| *done >= at_least).ok_or(text)
    })
}

/// Number of the process that made the run's latest session.
fn process_of(run: &Path) -> u32 {
    let lines = record::read(run).expect("the run's events");
    let started = lines.iter().rev().find_map(|line: &Line| match &line.event {
        TrainingEvent::Started(started) => Some(started.process),
        _ => None,
    });
    started.expect("a session began")
}

/// Opens the window and the workspace Train, and names a folder of so many synthetic chests.
fn open_with_data(desktop: Desktop, (chests, number): (&Path, u32)) -> Driver {
    let mut driver = Driver::open(desktop, &["--weights".as_ref(), &weights()]);
    await_some("the window", || driver.elements().map(|elements| !elements.is_empty()));
    driver.focus();
    driver.press("F3");
    driver.type_into("Data folder", &chests.display().to_string());
    driver.await_value("Recognised as", "manifest.csv");
    driver.await_value("Labelled images", &number.to_string());
    // The synthetic chests are all alike, which the check before a run would call copies.
    driver.click("On leakage");
    driver.click("It does not look");
    driver
}

#[test]
fn window_trains_pauses_is_killed_resumes_and_finishes() {
    if !can_drive() {
        return;
    }
    let chests = phantoms::folder(CHESTS);
    let desktop = Desktop::start(DISPLAY.0, DISPLAY.1);
    let run: PathBuf = desktop.folder().join("runs").join("segmenter");
    let mut driver = open_with_data(desktop, (chests.path(), CHESTS));
    keep_picture(&driver, "window-train-data.png");

    driver.click("2  Model");
    driver.click("Settings");
    driver.type_into("Schedule", &format!("32x{EPOCHS}"));
    driver.type_into("Batch", "8");
    keep_picture(&driver, "window-train-model.png");

    driver.click("3  Train");
    driver.type_into("Folder of the run", &run.display().to_string());
    driver.click("Start training");
    driver.click("Pause");
    driver.await_value("Run state", "paused");
    // It may have paused before its first batch.
    let paused = await_progress(&mut driver, 0);
    driver.click("Continue");
    await_progress(&mut driver, paused + 1);
    driver.click("Pause");
    driver.await_value("Run state", "paused");
    keep_picture(&driver, "window-train-paused.png");

    let kill = Command::new("kill")
        .args(["-KILL", &process_of(&run).to_string()])
        .status();
    assert!(kill.expect("kill starts").success());
    driver.await_value("Run state", "failed");
    await_some("the wish to go on", || {
        if driver.is_checked("Go on with the run in this folder")? {
            Ok(())
        } else {
            Err("not wished".to_owned())
        }
    });
    keep_picture(&driver, "window-train-killed.png");

    driver.click("Resume training");
    driver.click("Pause");
    driver.await_value("Run state", "paused");
    let resumed = await_progress(&mut driver, paused);
    assert!(resumed < EPOCHS * BATCHES, "paused at its end: {resumed}");
    driver.click("Continue");
    driver.await_value("Run state", "finished");
    assert_eq!(
        driver.value("Progress of the run"),
        format!("{0} of {0}", EPOCHS * BATCHES)
    );
    keep_picture(&driver, "window-train-finished.png");
    for file in ["best.safetensors", "best.json", "metrics.jsonl", "events.jsonl"] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    let epochs = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(epochs.lines().count(), EPOCHS, "{epochs}");
}

/// Trains a segmenter for one epoch without a window; phase II begins with its encoder.
fn train_segmenter(desktop: &Desktop, chests: &Path, run: &Path) {
    let settings = "segmenter --encoder densenet121 --recipe scratch --schedule 32x1 --batch 8 --device cpu \
                    --on-leakage unchecked --no-cache";
    let mut arguments: Vec<&Path> = vec!["train".as_ref()];
    arguments.extend(settings.split_whitespace().map(Path::new));
    arguments.extend([Path::new("--data"), chests, Path::new("--run-dir"), run]);
    finish(desktop, &arguments);
}

#[test]
fn window_trains_phase_ii_from_a_segmenters_run_and_shows_its_results() {
    if !can_drive() {
        return;
    }
    let chests = phantoms::folder(CHESTS_OF_BOTH_CLASSES);
    let desktop = Desktop::start(DISPLAY.0, DISPLAY.1);
    let runs = desktop.folder().join("runs");
    let (segmenter, run) = (runs.join("lungs"), runs.join("covid"));
    train_segmenter(&desktop, chests.path(), &segmenter);
    let mut driver = open_with_data(desktop, (chests.path(), CHESTS_OF_BOTH_CLASSES));

    driver.click("2  Model");
    driver.click("Phase");
    driver.click("Phase II: ReCovNet");
    driver.type_into("Folder of the run to begin with", &segmenter.display().to_string());
    let found = driver.value("It is");
    assert!(found.contains("segmenter, densenet121"), "{found}");
    driver.click("Settings");
    driver.type_into("Schedule", "32x2");
    driver.type_into("Batch", "8");
    keep_picture(&driver, "window-phase-ii-model.png");

    driver.click("3  Train");
    driver.type_into("Folder of the run", &run.display().to_string());
    driver.click("Start training");
    driver.await_value("Run state", "finished");
    keep_picture(&driver, "window-phase-ii-finished.png");
    let lines = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let records: Vec<EpochRecord> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2, "{lines}");
    let best = records.iter().rfind(|record| record.best).expect("a best epoch");
    assert_eq!(best.metric, "roc_auc");
    let score = format!("{:.3}", best.validation_score);
    assert_eq!(driver.value("Validation ROC AUC"), score);

    driver.press("F4");
    driver.click("Run covid");
    driver.await_value("State", "finished");
    assert_eq!(driver.value("Best ROC AUC"), score);
    assert_eq!(driver.value("In epoch"), best.epoch.to_string());
    keep_picture(&driver, "window-phase-ii-results.png");

    driver.click("Evaluation");
    driver.click("Evaluate");
    let count = |driver: &mut Driver, name: &str| driver.value(name).parse::<u64>().expect("a count");
    let cells = ["True positives", "False positives", "False negatives", "True negatives"];
    let shown = cells.map(|name| count(&mut driver, name));
    keep_picture(&driver, "window-phase-ii-evaluation.png");
    let report = std::fs::read_to_string(run.join("evaluation/test/evaluation.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let confusion = &report["overall"]["confusion"];
    let written = ["tp", "fp", "fn", "tn"].map(|name| confusion[name].as_u64().expect("a count"));
    assert_eq!(shown, written, "{report}");
    let [tp, fp, fn_, tn] = written;
    assert!(tp + fn_ > 0 && fp + tn > 0, "both classes: {report}");
}
