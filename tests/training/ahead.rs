//! Inputs that are ready before they are asked for: a run computes the same with them and without.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use recovnet::imaging::phantom;
use recovnet::nn::Region;
use recovnet::nn::card::Task;
use recovnet::training::control::Controls;
use recovnet::training::event::TrainingEvent;
use recovnet::training::manifest::Manifest;
use recovnet::training::trainer::{Job, train};

use crate::age::{SETTLED, set_age};
use crate::phantoms;
use crate::runs::{job, run, tensors, timeless};

/// A change of the image size after the first epoch.
const SCHEDULE: [(usize, usize); 2] = [(1, 32), (1, 40)];

fn data() -> tempfile::TempDir {
    let folder = phantoms::folder(24);
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        set_age(&entry.expect("an entry").path(), SETTLED);
    }
    folder
}

/// Packs of a size in a cache.
fn packs(cache: &Path, size: &str) -> Vec<PathBuf> {
    let folders = fs::read_dir(cache).into_iter().flatten().flatten();
    let of_size = folders.filter(|folder| folder.file_name().to_string_lossy().contains(size));
    let files = of_size.flat_map(|folder| fs::read_dir(folder.path()).expect("a folder").flatten());
    let packs = files.map(|file| file.path());
    packs
        .filter(|path| path.extension().is_some_and(|e| e == "inputs"))
        .collect()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < Duration::from_mins(1), "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Other bytes, of which no picture can be decoded, under the same name, size and time.
fn spoil(path: &Path) {
    let (bytes, about) = (fs::read(path).expect("a file"), fs::metadata(path).expect("a file"));
    fs::write(path, vec![0; bytes.len()]).expect("written");
    let file = fs::File::options().append(true).open(path).expect("a file");
    file.set_modified(about.modified().expect("a time"))
        .expect("its time is set");
}

#[test]
fn the_next_size_is_decoded_beside_the_last_epoch_of_a_stage() {
    for task in [Task::Baseline, Task::Segmenter] {
        let (data, runs) = (data(), tempfile::tempdir().expect("a temporary folder"));
        let plain = job(task, data.path(), &runs.path().join("plain"), &SCHEDULE);
        let (outcome, records) = run(&plain);
        outcome.expect("it ends well");
        let mut ahead = Job {
            run: runs.path().join("ahead"),
            ..plain.clone()
        };
        let cache = runs.path().join("cache");
        ahead.session.cache = Some(cache.clone());
        let mut seen = Vec::new();
        let outcome = train(&ahead, &Controls::default(), &mut |event| {
            if let TrainingEvent::Epoch(record) = event {
                if record.epoch == 1 {
                    // All is in one pack, so that it is there when everything is decoded.
                    wait_for("the next size", || !packs(&cache, "40x40").is_empty());
                    for row in Manifest::read(data.path()).expect("a manifest").rows {
                        spoil(&row.path);
                    }
                }
                seen.push(record);
            }
        });
        outcome.expect("no picture is decoded after the change");
        assert_eq!(timeless(&seen), timeless(&records));
        for file in ["last.safetensors", "best.safetensors"] {
            assert!(
                tensors(&ahead.run.join(file)) == tensors(&plain.run.join(file)),
                "{file} differs"
            );
        }
    }
}

#[test]
fn nothing_is_decoded_ahead_inside_a_stage_or_without_a_cache() {
    let (data, runs) = (data(), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(2, 32)]);
    let cache = runs.path().join("cache");
    one.session.cache = Some(cache.clone());
    run(&one).0.expect("it ends well");
    assert_eq!(packs(&cache, "").len(), 1);
}

#[test]
fn a_run_on_the_lungs_segments_once_for_all_sizes() {
    let (data, runs) = (data(), tempfile::tempdir().expect("a temporary folder"));
    for (seed, row) in (1..).zip(Manifest::read(data.path()).expect("a manifest").rows) {
        let chest = phantom::png_bytes_seeded(160, 160, seed).expect("a phantom");
        fs::write(&row.path, chest).expect("written");
        set_age(&row.path, SETTLED);
    }
    let mut plain = job(Task::Baseline, data.path(), &runs.path().join("plain"), &SCHEDULE);
    plain.config.region = Region::LungCrop { margin: 0.1 };
    plain.segmenter = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/segmenter-densenet121.safetensors"));
    run(&plain).0.expect("it ends well");
    let cache = runs.path().join("cache");
    // The first session fills the cache; the second has nothing else.
    for name in ["first", "second"] {
        let mut cached = Job {
            run: runs.path().join(name),
            ..plain.clone()
        };
        cached.session.cache = Some(cache.clone());
        let mut loaded = Vec::new();
        let outcome = train(&cached, &Controls::default(), &mut |event| {
            if matches!(event, TrainingEvent::Epoch(_)) {
                loaded.push(["32x32", "40x40"].map(|size| packs(&cache, size).len()));
            }
        });
        outcome.expect("it ends well");
        assert_eq!(loaded, [[1, 1], [1, 1]], "{name}");
        for file in ["last.safetensors", "best.safetensors"] {
            assert!(
                tensors(&cached.run.join(file)) == tensors(&plain.run.join(file)),
                "{name}: {file} differs"
            );
        }
        for row in Manifest::read(data.path()).expect("a manifest").rows {
            spoil(&row.path);
        }
    }
}
