//! The watch-list of a run, and classifiers that are given the lungs alone.

use std::path::Path;

use recovnet::imaging;
use recovnet::nn::card::Task;
use recovnet::nn::{ModelCard, Region};
use recovnet::training::control::Controls;
use recovnet::training::event::{NoteKind, TrainingEvent, Watched};
use recovnet::training::recipe::Recipe;
use recovnet::training::trainer::{Job, train};
use recovnet::training::watch::WatchList;

use crate::phantoms;
use crate::runs::{job, run};

/// What was seen of every epoch.
fn seen(job: &Job) -> Vec<Vec<Watched>> {
    let mut seen = Vec::new();
    let outcome = train(job, &Controls::default(), &mut |event| match event {
        TrainingEvent::Watch { epoch, images } => {
            seen.push(images);
            assert_eq!(seen.len(), epoch);
        }
        TrainingEvent::Note { kind, text } => assert_ne!(kind, NoteKind::NotWritten, "{text}"),
        _ => {}
    });
    outcome.expect("it ends well");
    seen
}

fn picture(run: &Path, path: &Path) -> image::DynamicImage {
    image::open(run.join(path)).expect("a picture")
}

#[test]
fn every_epoch_draws_masks_then_maps_with_their_in_lung_ratio() {
    let (data, runs) = (phantoms::folder(30), tempfile::tempdir().expect("a temporary folder"));
    let mut first = job(Task::Segmenter, data.path(), &runs.path().join("one"), &[(2, 64)]);
    first.session.watch = WatchList {
        files: vec!["chest4.png".to_owned()],
        chosen: 2,
    };
    let epochs = seen(&first);
    assert_eq!(epochs.len(), 2);
    for (epoch, images) in (1..).zip(&epochs) {
        assert_eq!(images.len(), 3);
        assert_eq!(images[0].file, "chest4.png");
        assert_ne!(images[1].covid19, images[2].covid19, "both classes alike");
        for watched in images {
            let size = (64, 64);
            let shown = picture(&first.run, &watched.image);
            assert_eq!(
                (shown.color(), (shown.width(), shown.height())),
                (image::ColorType::L16, size)
            );
            let map = picture(&first.run, &watched.map);
            assert_eq!(
                (map.color(), (map.width(), map.height())),
                (image::ColorType::L16, size)
            );
            assert!(
                watched.map.starts_with(format!("watch/epoch-{epoch:03}")),
                "{watched:?}"
            );
            let mask = picture(&first.run, watched.mask.as_deref().expect("a mask")).to_luma8();
            let levels = map.to_luma16();
            let agree = levels
                .pixels()
                .zip(mask.pixels())
                .filter(|(p, m)| (p.0[0] >= 32768) == (m.0[0] == 255));
            assert_eq!(agree.count(), 64 * 64);
            assert!(watched.score.is_some_and(|dice| (0.0..=1.0).contains(&dice)));
        }
        let numbers = std::fs::read_to_string(first.run.join(format!("watch/epoch-{epoch:03}/watch.json")));
        let numbers: Vec<Watched> = serde_json::from_str(&numbers.expect("numbers")).expect("JSON");
        assert_eq!(&numbers, images);
    }

    // The segmenter of phase I finds the lungs for phase II.
    let weights = first.run.join("best.safetensors");
    let mut second = job(Task::Recovnet, data.path(), &runs.path().join("two"), &[(1, 64)]);
    second.init = Some(weights.clone());
    second.segmenter = Some(weights);
    second.session.watch.chosen = 4;
    for region in [Region::Full, Region::LungCrop { margin: 0.1 }] {
        second.config.region = region;
        second.run = runs.path().join(format!("phase two, {}", region.is_full()));
        let images = seen(&second).remove(0);
        assert_eq!(images.len(), 4);
        for watched in images {
            assert!(watched.score.is_some_and(|p| (0.0..=1.0).contains(&p)), "{watched:?}");
            assert!(watched.chance.is_some_and(|c| (0.0..=1.0).contains(&c)), "{watched:?}");
            assert!(watched.in_lung.is_none_or(|r| (0.0..=1.0).contains(&r)), "{watched:?}");
            let largest = watched.largest.expect("a largest value");
            let brightest = picture(&second.run, &watched.map)
                .to_luma16()
                .pixels()
                .map(|p| p.0[0])
                .max();
            assert_eq!(brightest, Some(if largest > 0.0 { u16::MAX } else { 0 }));
        }
        let card = ModelCard::beside(&second.run.join("best.safetensors")).expect("a card");
        assert_eq!(card.input.region, region);
        let text = std::fs::read_to_string(second.run.join("best.json")).expect("a card");
        assert_eq!(text.contains("lung-crop"), !region.is_full());
        assert_eq!(card.details["training"]["segmenter"].is_string(), !region.is_full());
    }
    predicts_in_the_crop(&second.run, &first.run, data.path());
}

/// Inference gives such a network what training gave it, and the map lies where the lungs are.
fn predicts_in_the_crop(classifier: &Path, segmenter: &Path, data: &Path) {
    use recovnet::inference::models::Models;
    use recovnet::inference::pipeline::analyse;
    let weights = tempfile::tempdir().expect("a temporary folder");
    for ending in ["safetensors", "json"] {
        let from = segmenter.join("best").with_extension(ending);
        std::fs::copy(
            from,
            weights.path().join("segmenter-densenet121").with_extension(ending),
        )
        .expect("copied");
    }
    let models = Models::load_file(Some(weights.path()), &classifier.join("best.safetensors"), "cpu").expect("models");
    let image = imaging::open(&data.join("chest2.png")).expect("a picture");
    let findings = analyse(&models, &image, &mut |_| true).expect("findings");
    let (width, margin) = (image.width as usize, 0.1);
    let Some(part) = recovnet::preprocess::lung_box(&findings.mask.pixels, width, margin) else {
        assert!(
            findings.warnings.iter().any(|w| w.contains("whole picture")),
            "{:?}",
            findings.warnings
        );
        return;
    };
    for (i, value) in findings.activation.values.iter().enumerate() {
        let inside = part.columns.contains(&(i % width)) && part.rows.contains(&(i / width));
        assert!(inside || *value == 0.0, "the map is 0 outside the crop");
    }
}

#[test]
fn a_list_that_cannot_be_and_a_region_without_a_segmenter_are_refused_at_once() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(1, 32)]);
    let refused = |one: &Job| {
        let words = run(one).0.expect_err("it cannot be").to_string();
        assert!(!one.run.exists(), "no run folder is begun");
        words
    };
    one.session.watch.files = vec!["chest99.png".to_owned()];
    assert!(refused(&one).contains("chest99.png"));
    one.session.watch = WatchList {
        files: Vec::new(),
        chosen: 1000,
    };
    assert!(refused(&one).contains("at most 64"));
    one.session.watch = WatchList::default();
    one.config = Recipe::Scratch.config(Task::Baseline, one.config.encoder);
    one.config.region = Region::LungMask;
    assert!(refused(&one).contains("--segmenter"));
}
