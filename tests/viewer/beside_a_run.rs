//! The workspace 'Train' beside the run itself: the check of the data, the next batch, the watch-list.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use egui_kittest::kittest::Queryable;
use recovnet::training::check::gate::{self, OnLeakage};
use recovnet::training::check::{self, Options};
use recovnet::training::recipe::Recipe;
use recovnet::training::{BackboneKind, Task, dataset};
use recovnet::viewer::command::{Action, Command};
use recovnet::viewer::state::ViewerState;
use recovnet::viewer::train::{Step, TrainCommand};

use crate::panels::{Window, write_png};
use crate::runs::{self, STEPS};
use crate::training::Trained;

const SIZE: [f32; 2] = [1280.0, 720.0];

/// Asks the gate as a run does; whether it had to check the data itself.
fn is_checked_again(data: &Path, reports: &Path) -> bool {
    let manifest = dataset::open(data, &dataset::Options::default()).unwrap();
    let request = gate::Request {
        rows: &manifest.rows,
        uses: &|_| true,
        on_leakage: OnLeakage::Allow,
        reports: Some(reports),
        options: &Options::default(),
    };
    let mut told = 0;
    gate::gate(&request, &AtomicBool::new(false), &mut |_: check::Progress| told += 1).unwrap();
    told > 0
}

/// Checks the data that were chosen by the button, once they were looked at.
fn check_data(window: &mut Window) {
    window.until("the data", |state| state.train.data.overview.done().is_some());
    window.harness.get_by_label("Check data").click();
    window.until("the report", |state| state.train.data.check.done().is_some());
}

#[test]
fn a_run_takes_the_check_of_the_same_data() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    let data = trained.folder.path().join("data");
    trained.send(TrainCommand::DataFolder(data.clone()));
    check_data(&mut trained.window);
    let reports = trained.window.reports.path();
    assert!(!is_checked_again(&data, reports), "it was checked in step 1");
    write_png(&data, "0.png", 77);
    assert!(is_checked_again(&data, reports), "an image is another now");
}

#[test]
fn looking_at_data_writes_no_split_file() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    let data = trained.folder.path().join("data");
    let split = trained.folder.path().join("split.json");
    trained.send(TrainCommand::DataFolder(data));
    let mut parting = trained.window.state().train.data.parting.clone();
    parting.file = split.display().to_string();
    trained.send(TrainCommand::Part(parting));
    check_data(&mut trained.window);
    assert!(!split.exists());
}

#[test]
fn a_batch_of_lungs_without_a_segmenter_says_what_to_do_here() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    let data = trained.folder.path().join("data");
    trained.send(TrainCommand::DataFolder(data));
    let network = (Task::Baseline, BackboneKind::DenseNet121, Recipe::Scratch);
    trained.send(TrainCommand::Choose(network.0, network.1, network.2));
    trained.send(TrainCommand::Set("Part of the picture", "lung-crop".to_owned()));
    trained.send(TrainCommand::Open(Step::Model));
    assert!(!trained.window.state().train.form.config.region.is_full());
    trained
        .window
        .harness
        .state_mut()
        .send(Command::Do(Action::PreviewBatch));
    trained.window.harness.run_steps(3);
    let problem = trained.window.value("Batch problem").unwrap();
    assert!(
        problem.contains("step 2") && !problem.contains("--"),
        "the window has no options: {problem}"
    );
}

/// Grey of the middle of the first watched image, on the screen.
#[cfg(unix)]
fn first_tile(trained: &mut Trained) -> u8 {
    let middle = trained.window.harness.get_by_label("Watched image 1").rect().center();
    let picture = trained.window.harness.render().unwrap();
    picture.get_pixel(middle.x as u32, middle.y as u32).0[0]
}

#[cfg(unix)]
#[test]
fn an_epoch_is_dimmed_while_another_one_is_read() {
    let Some(mut trained) = Trained::open(SIZE) else { return };
    trained.start();
    trained.say(99.0, runs::started(&trained.run_folder(), None));
    trained.advance(0, 3 * STEPS);
    let shows = |epoch| {
        move |state: &ViewerState| {
            let shown = state.train.watch.shown.as_ref();
            shown.is_some_and(|shown| shown.epoch == epoch) && state.train.watch.reading.running().is_none()
        }
    };
    trained.window.until("the latest epoch", shows(3));
    let bright = first_tile(&mut trained);
    // Opening a pipe waits until somebody opens its other end.
    let slow = trained.run_folder().join("watch/1-0-image.png");
    std::fs::remove_file(&slow).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&slow).status().unwrap();
    assert!(made.success());
    trained.send(TrainCommand::Watch(Some(1)));
    trained.window.harness.run_steps(60);
    assert!(trained.window.state().train.watch.reading.running().is_some());
    let dimmed = first_tile(&mut trained);
    assert!(dimmed < bright, "{dimmed} after {bright}");
    std::fs::OpenOptions::new().write(true).open(&slow).unwrap();
    trained.window.until("the first epoch", shows(1));
}
