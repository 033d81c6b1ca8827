//! Runs judged by another metric than their task's own, and networks that are kept for themselves.

use std::collections::BTreeSet;

use recovnet::nn::card::Task;
use recovnet::nn::{Device, ModelCard, weights};
use recovnet::training::control::{Control, Controls};
use recovnet::training::event::{EpochRecord, NoteKind, TrainingEvent};
use recovnet::training::recipe::BestBy;
use recovnet::training::runs::{self, kept_weights};
use recovnet::training::trainer::{Job, train};

use crate::phantoms;
use crate::runs::{job, names, run, tensors, timeless};

/// Epochs that a metric calls the best so far, by the records alone.
fn best_epochs(records: &[EpochRecord], metric: BestBy) -> Vec<usize> {
    let value = |record: &EpochRecord| match metric {
        BestBy::Loss => -record.validation_loss,
        // Where nothing is called positive there is no precision.
        other => record.metric(other.name()).unwrap_or(0.0),
    };
    let (mut best, mut epochs) = (f64::NEG_INFINITY, Vec::new());
    for record in records {
        if value(record) > best {
            best = value(record);
            epochs.push(record.epoch);
        }
    }
    epochs
}

#[test]
fn every_metric_can_say_which_epoch_is_the_best_and_changes_nothing_else() {
    let (data, folder) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    for (task, epochs, metrics) in [
        (
            Task::Baseline,
            4,
            vec![BestBy::RocAuc, BestBy::Loss, BestBy::Specificity, BestBy::Precision],
        ),
        (Task::Segmenter, 3, vec![BestBy::Dice, BestBy::Loss, BestBy::Iou]),
    ] {
        let mut usual: Option<Vec<EpochRecord>> = None;
        for metric in metrics {
            let at = folder.path().join(format!("{task:?}-{}", metric.name()));
            let mut one = job(task, data.path(), &at, &[(epochs, 32)]);
            one.config.choose_best_by(metric);
            let (outcome, records) = run(&one);
            let best = outcome.expect("it ends well").best;
            let usual = usual.get_or_insert_with(|| records.clone());
            for (record, usual) in records.iter().zip(&*usual) {
                assert_eq!(record.metric, metric.name());
                let losses = |record: &EpochRecord| (record.train_loss, record.validation_loss);
                assert_eq!(losses(record), losses(usual), "the network is the same");
                let own = BestBy::of(task)[0].name();
                assert_eq!(record.metric(own), usual.metric(own));
            }
            let marked: Vec<usize> = records.iter().filter(|r| r.best).map(|r| r.epoch).collect();
            assert_eq!(marked, best_epochs(&records, metric), "{metric:?}: {records:?}");
            assert_eq!(Some(&best.epoch), marked.last());

            let recorded = std::fs::read_to_string(at.join("config.json")).expect("settings");
            let recorded: serde_json::Value = serde_json::from_str(&recorded).expect("JSON");
            assert_eq!(recorded["best_by"], metric.name());
            let listed = runs::open(&at).expect("a run").best.expect("a best epoch");
            assert_eq!(
                (listed.epoch, listed.metric.as_str(), listed.score),
                (best.epoch, metric.name(), best.score)
            );
            let card = ModelCard::beside(&at.join("best.safetensors")).expect("a card");
            assert_eq!(card.details["best_epoch"], best.epoch);
            let curves = std::fs::read_to_string(at.join("curves.csv")).expect("curves");
            let heads: Vec<&str> = curves.lines().next().expect("heads").split(',').collect();
            let distinct: BTreeSet<&&str> = heads.iter().collect();
            assert_eq!(distinct.len(), heads.len(), "{heads:?}");
        }
    }
}

#[test]
fn a_run_judged_by_its_loss_stops_early_by_it() {
    let (data, folder) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &folder.path().join("one"), &[(12, 32)]);
    one.config.choose_best_by(BestBy::Loss);
    one.config.patience = Some(1);
    // Statistics of the last batch alone: the loss does not fall for long.
    (one.config.rate, one.config.bn_momentum) = (0.01, 1.0);
    let mut told = Vec::new();
    let mut records = Vec::new();
    let outcome = train(&one, &Controls::default(), &mut |event| match event {
        TrainingEvent::Epoch(record) => records.push(record),
        TrainingEvent::Note {
            kind: NoteKind::StoppedEarly,
            text,
        } => told.push(text),
        _ => {}
    });
    let best = outcome.expect("it ends well").best;
    let last = records.last().expect("an epoch");
    assert!(records.len() < 12 && !last.best, "{records:?}");
    assert_eq!(last.epoch, best.epoch + 1);
    assert!(last.validation_loss >= best.score, "{records:?}");
    assert!(told.len() == 1 && told[0].contains("loss"), "{told:?}");
}

#[test]
fn networks_are_kept_every_few_epochs_for_themselves() {
    let (data, folder) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let plain = job(Task::Segmenter, data.path(), &folder.path().join("plain"), &[(4, 32)]);
    run(&plain).0.expect("it ends well");
    let mut one = job(Task::Segmenter, data.path(), &folder.path().join("one"), &[(4, 32)]);
    one.session.keep_every = Some(2);
    let (outcome, records) = run(&one);
    let best = outcome.expect("it ends well").best;
    let kept: Vec<String> = names(&one.run)
        .into_iter()
        .filter(|name| name.starts_with("epoch-"))
        .collect();
    let expected = [
        "epoch-0002.json",
        "epoch-0002.safetensors",
        "epoch-0004.json",
        "epoch-0004.safetensors",
    ];
    assert_eq!(kept, expected);
    assert_eq!(runs::open(&one.run).expect("a run").kept, [2, 4]);
    assert!(
        tensors(&one.run.join("last.safetensors")) == tensors(&plain.run.join("last.safetensors")),
        "keeping changes nothing of what is computed"
    );
    for epoch in [2, 4] {
        let file = kept_weights(&one.run, epoch);
        let card = ModelCard::beside(&file).expect("a card");
        let (_, metadata) = weights::read_verified(&file, &card.sha256, &Device::Cpu).expect("its weights");
        assert_eq!(
            (&card.details["epoch"], metadata["epoch"].as_str()),
            (&epoch.into(), epoch.to_string().as_str())
        );
        assert!(!card.details.contains_key("best_epoch"));
        let dice = card.details["validation"]["mean_dice_on_network_input"]
            .as_f64()
            .expect("a figure");
        let recorded = records[epoch - 1].validation_score;
        assert!((dice - recorded).abs() < 1e-6, "{dice} {recorded}");
        if epoch == best.epoch {
            assert!(tensors(&file) == tensors(&one.run.join("best.safetensors")));
        }
    }
    // Any of them is a beginning.
    let mut next = job(Task::Recovnet, data.path(), &folder.path().join("next"), &[(1, 32)]);
    next.init = Some(kept_weights(&one.run, 2));
    run(&next).0.expect("it ends well");
}

#[test]
fn a_kept_network_that_cannot_be_written_is_said_and_ends_no_run() {
    let (data, folder) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &folder.path().join("one"), &[(2, 32)]);
    one.session.keep_every = Some(1);
    // A folder in the place of the file.
    let blocked = one.run.join("epoch-0001.safetensors");
    std::fs::create_dir_all(blocked.join("x")).expect("a folder");
    let mut notes = Vec::new();
    let outcome = train(&one, &Controls::default(), &mut |event| {
        if let TrainingEvent::Note {
            kind: NoteKind::NotWritten,
            text,
        } = event
        {
            notes.push(text);
        }
    });
    outcome.expect("it ends well");
    assert!(
        notes.len() == 1 && notes[0].contains("epoch-0001.safetensors") && notes[0].contains("epoch 1 is not kept"),
        "{notes:?}"
    );
    assert_eq!(runs::open(&one.run).expect("a run").kept, [2]);
}

/// Takes a setting out of a file of a run, as if it had been written before the setting was there.
fn forget(file: &std::path::Path, name: &str) {
    let text = std::fs::read_to_string(file).expect("settings");
    let mut settings: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let forgotten = settings.as_object_mut().expect("an object").remove(name);
    assert!(forgotten.is_some(), "{text}");
    std::fs::write(file, settings.to_string()).expect("written");
}

#[test]
fn a_run_from_before_the_metric_was_a_setting_goes_on_on_the_same_curve() {
    let (data, folder) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let through = job(Task::Baseline, data.path(), &folder.path().join("through"), &[(3, 32)]);
    let (outcome, whole) = run(&through);
    let expected = outcome.expect("it ends well").best;
    let mut old = Job {
        run: folder.path().join("old"),
        ..through.clone()
    };
    let controls = Controls::default();
    train(&old, &controls, &mut |event| {
        if matches!(event, TrainingEvent::Epoch(_)) {
            controls.send(Control::StopAfterBatch);
        }
    })
    .expect_err("it is stopped");
    forget(&old.run.join("config.json"), "best_by");
    old.resume = true;

    let mut other = old.clone();
    other.config.choose_best_by(BestBy::Loss);
    let words = run(&other).0.expect_err("it was judged by another").to_string();
    assert!(words.contains("best_by \"roc_auc\", not \"loss\""), "{words}");

    let (outcome, rest) = run(&old);
    assert_eq!(outcome.expect("it ends well").best, expected);
    assert_eq!(timeless(&rest), timeless(&whole[1..]));
    for file in ["last.safetensors", "best.safetensors"] {
        assert!(
            tensors(&through.run.join(file)) == tensors(&old.run.join(file)),
            "{file} differs"
        );
    }
}

#[test]
fn a_kept_network_that_a_dead_process_did_not_write_comes_from_the_checkpoint() {
    let (data, folder) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    // The next epoch is at another size: the images are read once more for it.
    let mut one = job(
        Task::Baseline,
        data.path(),
        &folder.path().join("one"),
        &[(1, 32), (1, 40)],
    );
    one.session.keep_every = Some(1);
    let controls = Controls::default();
    train(&one, &controls, &mut |event| {
        if matches!(event, TrainingEvent::Epoch(_)) {
            controls.send(Control::StopAfterBatch);
        }
    })
    .expect_err("it is stopped");
    let kept = kept_weights(&one.run, 1);
    let expected = (tensors(&kept), ModelCard::beside(&kept).expect("a card").threshold);
    // As if it had died between the two files.
    std::fs::remove_file(kept.with_extension("json")).expect("removed");
    assert_eq!(runs::open(&one.run).expect("a run").kept, Vec::<usize>::new());
    one.resume = true;
    run(&one).0.expect("it goes on");
    let found = (tensors(&kept), ModelCard::beside(&kept).expect("a card").threshold);
    assert!(found == expected);
    assert_eq!(runs::open(&one.run).expect("a run").kept, [1, 2]);
}
