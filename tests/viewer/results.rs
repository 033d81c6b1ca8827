//! The workspace 'Results' on run folders made by hand: table, evaluation, audit, comparison, models.

use std::path::PathBuf;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use recovnet::inference::models::ClassifierName;
use recovnet::training::audit::Light;
use recovnet::training::request::Request;
use recovnet::training::runs::registry::Registry;
use recovnet::viewer::command::{Action, Command};
use recovnet::viewer::results::evaluated::Cell;
use recovnet::viewer::results::rows::Column;
use recovnet::viewer::results::{ResultsCommand, Tab, work};
use recovnet::viewer::state::{Dialog, Workspace};
use recovnet::viewer::train::{Step, asked};

use crate::finished_runs::{
    THRESHOLD, write_audit, write_data, write_evaluation, write_request, write_run, write_segmenter_evaluation,
    write_segmenter_run,
};
use crate::panels::Window;

/// A window in the workspace 'Results' on two finished runs.
struct Finished {
    window: Window,
    folder: tempfile::TempDir,
}

impl Finished {
    fn open() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        write_data(&data);
        let runs = folder.path().join("runs");
        for (name, rate, skill, needs_lungs) in [("fast", 1e-3, 0.9, true), ("slow", 1e-4, 0.4, false)] {
            let run = write_run(&runs, name, rate);
            write_evaluation(&run, &data, skill, "test");
            write_audit(&run, needs_lungs);
        }
        let mut window = Window::open(Vec::new(), [1280.0, 720.0])?;
        window.press(Modifiers::NONE, Key::F4);
        assert_eq!(window.state().workspace, Workspace::Results);
        let mut finished = Self { window, folder };
        finished.send(ResultsCommand::Root(runs.display().to_string()));
        finished.send(ResultsCommand::Refresh);
        finished.window.until("the runs", |state| state.results.runs.len() == 2);
        Some(finished)
    }

    fn run(&self, name: &str) -> PathBuf {
        self.folder.path().join("runs").join(name)
    }

    fn send(&mut self, command: ResultsCommand) {
        self.window.harness.state_mut().send(Command::Results(command));
        self.window.harness.run_steps(2);
    }

    /// Looks at a run, and waits for what belongs to it.
    fn select(&mut self, name: &str, tab: Tab) {
        let run = self.run(name);
        self.send(ResultsCommand::Select(run));
        self.send(ResultsCommand::Tab(tab));
        self.window.until("what belongs to the run", |state| {
            let results = &state.results;
            results.evaluation.done().is_some()
                && results.audit.done().is_some()
                && results.standing.running().is_none()
        });
    }
}

#[test]
fn runs_are_listed_and_sorted() {
    let Some(mut finished) = Finished::open() else { return };
    finished.window.harness.check_accessibility();
    let order = |finished: &Finished| -> Vec<String> {
        let results = &finished.window.state().results;
        let rows = recovnet::viewer::results::rows::sorted(&results.runs, results.sort);
        rows.iter().map(|run| run.name.clone()).collect()
    };
    finished.window.harness.get_by_label("Sort by run").click();
    finished.window.harness.run_steps(2);
    assert_eq!(order(&finished), ["fast", "slow"]);
    finished.send(ResultsCommand::Sort(Column::Name));
    assert_eq!(order(&finished), ["slow", "fast"]);
    finished.window.harness.get_by_label("Run fast").click();
    finished.window.harness.run_steps(2);
    let selected = finished.window.state().results.selected.clone();
    assert_eq!(selected.as_deref(), Some(finished.run("fast").as_path()));
    finished.window.keep_picture("results-run.png");
    finished.window.harness.check_accessibility();
}

#[test]
fn an_evaluation_is_shown_with_its_threshold_live() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("fast", Tab::Evaluation);
    let counts = {
        let evaluated = finished.window.state().results.evaluated().unwrap();
        evaluated.scores.confusion(THRESHOLD)
    };
    let value = |finished: &Finished, name: &str| finished.window.value(name).unwrap();
    assert_eq!(value(&finished, "True positives"), counts.tp.to_string());
    assert_eq!(value(&finished, "False positives"), counts.fp.to_string());
    let sensitivity = format!("{:.3}", counts.sensitivity().unwrap());
    assert_eq!(value(&finished, "Sensitivity at the threshold"), sensitivity);
    finished.window.keep_picture("results-evaluation.png");
    finished.window.harness.check_accessibility();

    finished.send(ResultsCommand::Threshold(0.9));
    let evaluated = finished.window.state().results.evaluated().unwrap();
    let strict = evaluated.scores.confusion(0.9);
    assert!(strict.tp < counts.tp, "{strict:?}");
    assert_eq!(value(&finished, "True positives"), strict.tp.to_string());
    let specificity = format!("{:.3}", strict.specificity().unwrap());
    assert_eq!(value(&finished, "Specificity at the threshold"), specificity);

    finished.send(ResultsCommand::Threshold(0.123_456));
    finished.window.harness.run_steps(3);
    let kept = finished.window.state().results.threshold;
    assert!((kept - 0.123_456).abs() < 1e-12, "looking at it made it {kept}");
}

#[test]
fn a_cell_of_the_matrix_opens_its_images() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("fast", Tab::Evaluation);
    let cell = Cell {
        covid19: false,
        positive: true,
    };
    let expected: Vec<String> = {
        let evaluated = finished.window.state().results.evaluated().unwrap();
        evaluated
            .images(cell, THRESHOLD)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    assert!(expected.len() > 1, "the fixture has several false positives");
    finished.window.harness.get_by_label("False positives").click();
    finished.window.until("the images", |state| {
        state.workspace == Workspace::Read && !state.list.entries.is_empty()
    });
    let opened: Vec<String> = finished
        .window
        .state()
        .list
        .entries
        .iter()
        .map(|entry| entry.key.label())
        .collect();
    assert_eq!(opened, expected);
}

#[test]
fn images_of_a_cell_that_are_gone_are_counted() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("fast", Tab::Evaluation);
    let cell = Cell {
        covid19: false,
        positive: true,
    };
    let evaluated = finished.window.state().results.evaluated().unwrap();
    let images: Vec<String> = evaluated
        .images(cell, THRESHOLD)
        .into_iter()
        .map(str::to_owned)
        .collect();
    std::fs::remove_file(finished.folder.path().join("data").join(&images[0])).unwrap();
    finished.send(ResultsCommand::OpenCell(cell));
    finished.window.until("the images", |state| {
        state.workspace == Workspace::Read && !state.list.entries.is_empty()
    });
    let state = finished.window.state();
    assert_eq!(state.list.entries.len(), images.len() - 1);
    let said = format!("Not there any more: 1 of {} images.", images.len());
    assert_eq!(state.notice.as_ref(), Some(&said));
}

#[test]
fn a_run_is_evaluated_on_its_own_data_or_those_that_were_typed_for_it() {
    let Some(mut finished) = Finished::open() else { return };
    for name in ["fast", "slow"] {
        let data = finished.folder.path().join(format!("data of {name}"));
        write_request(&finished.run(name), &data);
    }
    finished.send(ResultsCommand::Refresh);
    finished.window.until("the data of the runs", |state| {
        state.results.runs.iter().all(|run| run.data.is_some())
    });
    let mut expect = |name: &str, data: &str| {
        finished.select(name, Tab::Evaluation);
        let shown = finished.window.state().results.data.clone();
        assert!(shown.ends_with(data), "{name}: {shown}");
        finished.send(ResultsCommand::Data(shown.replace("slow", "typed")));
    };
    expect("fast", "data of fast");
    expect("slow", "data of slow");
    expect("fast", "data of fast");
    expect("slow", "data of typed");
}

#[test]
fn a_run_is_repeated_as_it_was_asked_for_in_a_new_folder() {
    let Some(mut finished) = Finished::open() else { return };
    let request = write_request(&finished.run("fast"), &finished.folder.path().join("data"));
    finished.send(ResultsCommand::Refresh);
    finished.window.until("what the run was asked for", |state| {
        state.results.runs.iter().any(|run| run.data.is_some())
    });
    finished.select("fast", Tab::Run);
    finished.window.harness.get_by_label("Repeat run").click();
    finished
        .window
        .until("the form", |state| state.workspace == Workspace::Train);
    let train = &finished.window.state().train;
    assert_eq!(train.step, Step::Model);
    let expected = Request {
        run: finished.run("fast-2"),
        ..request
    };
    assert_eq!(asked::request(train), Some(expected));
}

#[test]
fn figures_are_exported_beside_the_tables() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("fast", Tab::Evaluation);
    finished.window.harness.get_by_label("Export figures").click();
    finished
        .window
        .until("the figures", |state| state.results.change.done().is_some());
    let folder = finished.run("fast").join("evaluation/test");
    for name in ["roc", "precision_recall", "reliability", "confusion_matrix"] {
        for ending in ["png", "svg"] {
            assert!(folder.join(format!("{name}.{ending}")).is_file(), "{name}.{ending}");
        }
    }
    assert!(folder.join("roc.csv").is_file());
    let said = finished.window.value("Done").unwrap();
    assert!(said.contains("PNG and SVG"), "{said}");
}

#[test]
fn a_segmenters_figures_are_exported_beside_its_table() {
    let Some(mut finished) = Finished::open() else { return };
    let run = write_segmenter_run(&finished.folder.path().join("runs"), "lungs");
    finished.send(ResultsCommand::Refresh);
    finished.window.until("the runs", |state| state.results.runs.len() == 3);
    finished.select("lungs", Tab::Evaluation);
    let may_export = |finished: &Finished| Action::ExportEvaluation.info().can(finished.window.state());
    assert!(!may_export(&finished), "it was not evaluated");
    write_segmenter_evaluation(&run);
    finished.select("lungs", Tab::Evaluation);
    assert!(may_export(&finished));
    finished.window.harness.get_by_label("Export figures").click();
    finished
        .window
        .until("the figures", |state| state.results.change.done().is_some());
    let said = finished.window.value("Done").unwrap();
    assert!(said.contains("1 figure as PNG and SVG"), "{said}");
    let folder = run.join("evaluation/test");
    assert!(folder.join("masks.png").is_file() && folder.join("images.csv").is_file());
    let svg = std::fs::read_to_string(folder.join("masks.svg")).unwrap();
    // Every fourth of 60 images has a mask, and none has a spacing.
    assert!(
        svg.contains("Dice (15 images)") && svg.contains("HD95, pixels (15 images)"),
        "{svg}"
    );
}

#[test]
fn a_threshold_that_was_chosen_on_the_validation_part_is_installed() {
    let Some(mut finished) = Finished::open() else { return };
    let run = finished.run("fast");
    write_evaluation(&run, &finished.folder.path().join("data"), 0.9, "val");
    finished.select("fast", Tab::Evaluation);
    finished.send(ResultsCommand::Split("val"));
    finished.window.until("the validation part", |state| {
        let evaluated = state.results.evaluated();
        evaluated.is_some_and(|evaluated| evaluated.report.subject.split == "val")
    });
    let named = finished.window.value("Threshold to install");
    assert_eq!(named, None, "the slider stands at the card's");
    finished.window.harness.get_by_label("Youden").click();
    finished.window.harness.run_steps(2);
    // An audit reads the evaluation again; what was chosen on it stays.
    finished.select("fast", Tab::Audit);
    let thresholds = finished
        .window
        .state()
        .results
        .evaluated()
        .unwrap()
        .report
        .evaluation
        .thresholds;
    let youden = thresholds.youden.unwrap();
    let said = finished.window.value("Threshold to install").unwrap();
    let rule = "largest Youden index on the validation part";
    assert!(
        said.contains(&format!("threshold {youden:.3}, the slider's ({rule})")),
        "{said}"
    );
    finished.window.keep_picture("results-threshold.png");
    finished.window.harness.check_accessibility();

    // The window would change the user's own list.
    let registry = Registry::at(&finished.folder.path().join("list"));
    let taken = finished.window.state().results.taken();
    let said = work::promote_into(&registry, &run, &taken, None, None).unwrap();
    assert!(
        said.contains(&format!("{youden:.3}, the slider's")) && said.contains("the card's 0.500"),
        "{said}"
    );
    let card = registry.active("recovnet-v1").unwrap();
    assert!((card.threshold - youden).abs() < 1e-12, "{}", card.threshold);
    assert_eq!(card.details["threshold_rule"], rule);
}

#[test]
fn a_threshold_that_was_chosen_on_the_test_part_is_not_installed() {
    let Some(mut finished) = Finished::open() else { return };
    let run = finished.run("fast");
    // The calibration is fitted on it.
    write_evaluation(&run, &finished.folder.path().join("data"), 0.9, "val");
    finished.select("fast", Tab::Evaluation);
    finished.send(ResultsCommand::Threshold(0.9));
    let stays =
        |said: &str| said.contains("the slider's 0.900") && said.contains("test part makes its figures too good");
    let said = finished.window.value("Threshold to install").unwrap();
    assert!(said.contains("threshold 0.500, the card's") && stays(&said), "{said}");
    finished.window.harness.check_accessibility();

    let registry = Registry::at(&finished.folder.path().join("list"));
    let taken = finished.window.state().results.taken();
    assert_eq!(taken.choice(), None);
    let said = work::promote_into(&registry, &run, &taken, None, None).unwrap();
    assert!(said.contains("threshold 0.500, the card's") && stays(&said), "{said}");
    let card = registry.active("recovnet-v1").unwrap();
    assert_eq!((card.threshold, card.details.get("threshold_rule")), (THRESHOLD, None));
}

#[test]
fn a_red_audit_needs_a_reason() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("slow", Tab::Audit);
    assert_eq!(finished.window.value("Audit light").as_deref(), Some(Light::Red.name()));
    finished.window.harness.get_by_label("Red: it does not need the lungs");
    let may_promote = |finished: &Finished| Action::PromoteRun.info().can(finished.window.state());
    assert!(!may_promote(&finished), "a reason is needed");
    finished.send(ResultsCommand::Reason("because".to_owned()));
    assert!(!may_promote(&finished), "a word is no reason");
    finished.window.keep_picture("results-audit-red.png");
    finished.window.harness.check_accessibility();
    finished.send(ResultsCommand::Reason("For a comparison in a paper.".to_owned()));
    assert!(may_promote(&finished));
    finished.select("fast", Tab::Audit);
    assert_ne!(finished.window.value("Audit light").as_deref(), Some(Light::Red.name()));
    finished.window.keep_picture("results-audit.png");
}

#[test]
fn a_segmenter_is_not_to_be_audited() {
    let Some(mut finished) = Finished::open() else { return };
    write_segmenter_run(&finished.folder.path().join("runs"), "lungs");
    finished.send(ResultsCommand::Refresh);
    finished.window.until("the runs", |state| state.results.runs.len() == 3);
    let run = finished.run("lungs");
    finished.send(ResultsCommand::Select(run));
    finished.send(ResultsCommand::Tab(Tab::Audit));
    finished.window.harness.run_steps(2);
    let said = finished.window.value("No audit").unwrap();
    assert!(said.contains("a segmenter"), "{said}");
    assert!(
        finished.window.harness.query_by_label("Audit").is_none(),
        "no button for it"
    );
    assert!(!Action::AuditRun.info().can(finished.window.state()));
    finished.window.harness.check_accessibility();
}

#[test]
fn two_runs_are_compared() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("fast", Tab::Run);
    let second = finished.run("slow");
    finished.send(ResultsCommand::Second(Some(second)));
    finished
        .window
        .until("the comparison", |state| state.results.comparison.done().is_some());
    assert_eq!(finished.window.state().results.tab, Tab::Compare);
    let comparison = finished.window.state().results.comparison.done().unwrap().clone();
    assert!(
        comparison.settings.iter().any(|pair| pair.name == "rate"),
        "{:?}",
        comparison.settings
    );
    let test = comparison.mcnemar.unwrap();
    assert_eq!(finished.window.value("Both right"), Some(test.both_right.to_string()));
    finished.window.keep_picture("results-compare.png");
    finished.window.harness.check_accessibility();
}

#[test]
fn notes_are_kept_in_the_run() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("fast", Tab::Run);
    finished.send(ResultsCommand::Notes("with the larger rate".to_owned()));
    finished.send(ResultsCommand::KeepNotes);
    finished.window.until("the notes", |state| {
        state.results.runs.iter().any(|run| run.notes == "with the larger rate")
    });
    assert!(finished.run("fast").join("notes.txt").is_file());
}

#[test]
fn deleting_asks_first() {
    let Some(mut finished) = Finished::open() else { return };
    finished.select("slow", Tab::Run);
    finished.window.harness.get_by_label("Delete run…").click();
    finished.window.harness.run_steps(4);
    assert_eq!(finished.window.state().dialog, Some(Dialog::DeleteRun));
    finished.window.harness.check_accessibility();
    finished.window.harness.get_by_label("Cancel").click();
    finished.window.harness.run_steps(2);
    assert!(finished.run("slow").is_dir());
}

#[test]
fn a_folder_without_runs_says_so() {
    let Some(mut finished) = Finished::open() else { return };
    let nowhere = finished.folder.path().join("nowhere");
    finished.send(ResultsCommand::Root(nowhere.display().to_string()));
    finished.send(ResultsCommand::Refresh);
    finished
        .window
        .until("the reason", |state| state.results.reading.running().is_none());
    let problem = finished.window.value("Runs problem").unwrap();
    assert!(problem.contains("nowhere"), "{problem}");
}

#[test]
fn missing_models_say_how_to_train_them() {
    let Some(mut finished) = Finished::open() else { return };
    finished.send(ResultsCommand::Tab(Tab::Models));
    finished
        .window
        .until("the models", |state| state.results.models.done().is_some());
    let list = finished.window.state().results.models.done().unwrap().clone();
    let missing = list.models.iter().find(|model| model.words().contains("not installed"));
    let missing = missing.expect("not every network is installed here");
    let said = finished
        .window
        .value(&format!("Model {}", missing.installed.name))
        .unwrap();
    assert!(said.contains("in the workspace Train"), "{said}");
    finished.window.keep_picture("results-models.png");
    finished.window.harness.check_accessibility();
    finished.send(ResultsCommand::Use(ClassifierName::Resnet50));
    assert_eq!(finished.window.script.borrow().switched, [ClassifierName::Resnet50]);
}

#[test]
fn the_table_stays_when_the_folder_is_typed() {
    let Some(mut finished) = Finished::open() else { return };
    finished.send(ResultsCommand::Root("elsewhere".to_owned()));
    assert_eq!(finished.window.state().results.runs.len(), 2, "until it is read");
}
