//! The batch that the window draws beforehand is the batch that the network is given.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use recovnet::imaging::phantom;
use recovnet::nn::Device;
use recovnet::training::batches::{Batch, Plan};
use recovnet::training::dataset::{self, Options};
use recovnet::training::lungs::Lungs;
use recovnet::training::manifest::Row;
use recovnet::training::pool::{Order, Pool};
use recovnet::training::preview::preview;
use recovnet::training::recipe::{Augmenting, Config, Recipe, Stage};
use recovnet::training::split::Part;
use recovnet::training::{BackboneKind, Region, Task, sample};

use crate::phantoms;

const SIDE: usize = 32;

fn config(augmenting: Augmenting) -> Config {
    Config {
        schedule: vec![Stage { epochs: 3, size: SIDE }],
        batch: 4,
        seed: 5,
        augmenting,
        ..Recipe::Scratch.config(Task::Segmenter, BackboneKind::DenseNet121)
    }
}

#[test]
fn the_preview_is_the_batch_that_the_network_is_given() {
    let data = phantoms::folder(24);
    let manifest = dataset::open(data.path(), &Options::default()).expect("a data set");
    let cancel = AtomicBool::new(false);
    for augmenting in [Augmenting::Off, Augmenting::EachEpoch, Augmenting::PAPER_LUNGS] {
        let config = config(augmenting);
        let spec = config.input(SIDE);
        let rows: Vec<&Row> = manifest.rows.iter().filter(|row| row.part() == Part::Train).collect();
        let samples = sample::load(&rows, &spec, true, &cancel, &mut |_| {}).expect("samples");
        let pool = Pool::of_rows(&rows, &config.augmenting, config.seed);
        let plan = Plan {
            samples: &samples,
            order: Order {
                pool: &pool,
                sampling: config.sampling,
                batch: config.batch,
                seed: config.seed,
            },
            spec: &spec,
            augmentation: (config.augmenting != Augmenting::Off).then_some(config.augmentation),
        };
        let mut second: Option<Batch> = None;
        let _ = plan.for_each((1, 0), |number, batch, _| {
            if number == 1 {
                second = Some(batch);
                return Err(());
            }
            Ok(())
        });
        let batch = second.expect("a second batch");
        let shown = preview(&manifest, &config, None, (1, 1), 3, &cancel).expect("a preview");
        assert_eq!((shown.epoch, shown.batch, shown.side), (2, 2, SIDE));
        assert_eq!((shown.images.len(), shown.total), (3, 4));
        let pixels = SIDE * SIDE;
        for (number, image) in shown.images.iter().enumerate() {
            assert_eq!(
                image.mask,
                batch.masks[number * pixels..][..pixels],
                "mask of {}",
                image.file
            );
            let plane = &batch.images[number * 3 * pixels..][..pixels];
            for (grey, normalised) in image.grey.iter().zip(plane) {
                let value = normalised * spec.std[0] + spec.mean[0];
                assert!((f32::from(*grey) / 255.0 - value).abs() < 0.6 / 255.0, "{}", image.file);
            }
        }
    }
}

#[test]
fn the_batch_after_the_last_is_the_first_of_the_next_epoch() {
    let data = phantoms::folder(24);
    let manifest = dataset::open(data.path(), &Options::default()).expect("a data set");
    let config = config(Augmenting::EachEpoch);
    let cancel = AtomicBool::new(false);
    let one = preview(&manifest, &config, None, (0, 0), 4, &cancel).expect("a preview");
    let after = preview(&manifest, &config, None, (0, one.batches), 4, &cancel).expect("a preview");
    let next = preview(&manifest, &config, None, (1, 0), 4, &cancel).expect("a preview");
    assert_eq!(after, next);
    assert_ne!(one.images, next.images);
}

#[test]
fn a_classifier_that_is_given_the_lungs_is_shown_the_lungs() {
    let data = phantoms::folder(24);
    let manifest = dataset::open(data.path(), &Options::default()).expect("a data set");
    // Chests whose lungs the shipped segmenter finds.
    for (seed, row) in (1..).zip(&manifest.rows) {
        let chest = phantom::png_bytes_seeded(160, 160, seed).expect("a phantom");
        std::fs::write(&row.path, chest).expect("written");
    }
    let cancel = AtomicBool::new(false);
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/segmenter-densenet121.safetensors");
    let lungs = Lungs::open(&weights, &Device::Cpu).expect("a segmenter");
    for region in [Region::LungMask, Region::LungCrop { margin: 0.1 }] {
        let config = Config {
            schedule: vec![Stage { epochs: 1, size: SIDE }],
            batch: 4,
            augmenting: Augmenting::Off,
            region,
            ..Recipe::Scratch.config(Task::Baseline, BackboneKind::DenseNet121)
        };
        let refused = preview(&manifest, &config, None, (0, 0), 2, &cancel).expect_err("no segmenter");
        assert!(refused.to_string().contains("segmenter"), "{refused}");
        let shown = preview(&manifest, &config, Some(&weights), (0, 0), 4, &cancel).expect("a preview");
        let mut differing = 0;
        for image in &shown.images {
            let row = manifest.rows.iter().find(|row| row.file == image.file).expect("a row");
            let samples = lungs.samples(row, &[&config.input(SIDE)]).expect("a sample");
            let sample = &samples[0];
            let greys: Vec<u8> = sample
                .grey()
                .iter()
                .map(|value| (value * 255.0).round() as u8)
                .collect();
            assert_eq!(image.grey, greys, "{}", image.file);
            let whole = sample::load(
                &[row],
                &Config {
                    region: Region::Full,
                    ..config.clone()
                }
                .input(SIDE),
                false,
                &cancel,
                &mut |_| {},
            );
            differing += usize::from(*sample != whole.expect("a sample")[0]);
        }
        assert_eq!(differing, shown.images.len(), "images are shown whole");
    }
}
