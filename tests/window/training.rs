//! A run on synthetic chests, driven from the window as a person would: data, settings, start, pause, its process
//! killed, resumed, paused and continued to its end.

use std::path::{Path, PathBuf};
use std::process::Command;

use recovnet::training::event::{Line, TrainingEvent};
use recovnet::training::record;

use crate::can_drive;
use crate::desktop::{Desktop, await_some};
use crate::driver::Driver;
use crate::phantoms;
use crate::session::weights;

/// Pixels of the display: as large as the window opens.
const DISPLAY: (u32, u32) = (1440, 900);
/// Synthetic chests.
const CHESTS: u32 = 24;
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

#[test]
fn window_trains_pauses_is_killed_resumes_and_finishes() {
    if !can_drive() {
        return;
    }
    let chests = phantoms::folder(CHESTS);
    let desktop = Desktop::start(DISPLAY.0, DISPLAY.1);
    let run: PathBuf = desktop.folder().join("runs").join("segmenter");
    let mut driver = Driver::open(desktop, &["--weights".as_ref(), &weights()]);
    await_some("the window", || driver.elements().map(|elements| !elements.is_empty()));
    driver.focus();

    driver.press("F3");
    driver.type_into("Data folder", &chests.path().display().to_string());
    driver.await_value("Recognised as", "manifest.csv");
    driver.await_value("Labelled images", &CHESTS.to_string());
    // The synthetic chests are all alike, which the check before a run would call copies.
    driver.click("On leakage");
    driver.click("It does not look");
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
