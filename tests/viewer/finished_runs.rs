//! Run folders made by hand: settings, curves, a card, an evaluation, an audit.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use recovnet::nn::weights;
use recovnet::training::audit::{self, Audit, AuditRecord};
use recovnet::training::evaluation::{
    Evaluation, MaskRecord, Origin, Record, Report, SegmentedImage, SegmenterReport, Subject, saved,
};
use recovnet::training::metrics::Confusion;
use recovnet::training::recipe::{Config, Recipe};
use recovnet::training::request::Request;
use recovnet::training::runs;
use recovnet::training::{BackboneKind, Task};

use crate::panels::write_png;
use crate::segmenter::segmenter_report;

/// Threshold in the card.
pub const THRESHOLD: f64 = 0.5;
/// Images of the evaluation.
pub const IMAGES: usize = 60;

/// The hash of a run's weights, which are none but its name.
fn sha256(run: &str) -> String {
    weights::sha256(run.as_bytes())
}

/// Writes a finished run with a rate of its own.
pub fn write_run(root: &Path, name: &str, rate: f64) -> PathBuf {
    let run = root.join(name);
    std::fs::create_dir_all(&run).unwrap();
    let config = Config {
        rate,
        ..Recipe::Scratch.config(Task::Recovnet, BackboneKind::DenseNet121)
    };
    std::fs::write(run.join("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
    let epochs = config.epochs();
    let lines = (1..=epochs).map(|epoch| {
        let share = epoch as f64 / epochs as f64;
        format!(
            "{{\"epoch\":{epoch},\"epochs\":{epochs},\"size\":128,\"train_loss\":{},\"rate\":{rate},\
             \"validation_loss\":{},\"metric\":\"roc_auc\",\"validation_score\":{},\"best\":{},\"images\":320,\
             \"seconds\":12.5,\"images_per_second\":25.6}}\n",
            0.8 - 0.6 * share * rate * 1000.0,
            0.9 - 0.5 * share,
            0.6 + 0.3 * share,
            epoch == epochs
        )
    });
    std::fs::write(run.join("metrics.jsonl"), lines.collect::<String>()).unwrap();
    let card = serde_json::json!({
        "name": "recovnet-v1", "version": "2026.11.1", "task": "recovnet", "backbone": "densenet121",
        "graph": "torch",
        "input": { "width": 224, "height": 224, "aspect": "stretch", "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2] },
        "threshold": THRESHOLD, "sha256": sha256(name),
    });
    std::fs::write(run.join("best.json"), card.to_string()).unwrap();
    std::fs::write(run.join("best.safetensors"), name).unwrap();
    run
}

/// Writes an interrupted run of a segmenter, which has settings and nothing else.
pub fn write_segmenter_run(root: &Path, name: &str) -> PathBuf {
    let run = root.join(name);
    std::fs::create_dir_all(&run).unwrap();
    let config = Recipe::Scratch.config(Task::Segmenter, BackboneKind::DenseNet121);
    std::fs::write(run.join("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
    run
}

/// Lets a run keep what it was asked for.
pub fn write_request(run: &Path, data: &Path) -> Request {
    let config = std::fs::read_to_string(run.join("config.json")).unwrap();
    let request = Request {
        threads: Some(3),
        ..Request::new(serde_json::from_str(&config).unwrap(), data, run)
    };
    std::fs::write(run.join("job.json"), serde_json::to_string(&request).unwrap()).unwrap();
    request
}

/// The score of an image of the evaluation: most COVID-19 images are above most others; `skill` from 0 to 1.
fn score(number: usize, skill: f64) -> f64 {
    let noise = ((number * 37) % 101) as f64 / 101.0;
    let truth = if is_covid19(number) { 1.0 } else { 0.0 };
    (0.5 + 0.5 * skill * (truth - 0.5) + 0.6 * (noise - 0.5)).clamp(0.001, 0.999)
}

fn is_covid19(number: usize) -> bool {
    number.is_multiple_of(3)
}

fn record(number: usize, skill: f64, part: &str) -> Record {
    let score = score(number, skill);
    Record {
        file: format!("{number}.png"),
        group: format!("p{}", number / 2),
        source: ["one", "two"][number % 2].to_owned(),
        label: if is_covid19(number) { "covid" } else { "normal" }.to_owned(),
        part: part.to_owned(),
        is_child: number.is_multiple_of(7),
        is_early: number.is_multiple_of(9),
        is_covid19: is_covid19(number),
        score,
        margin: (score / (1.0 - score)).ln(),
        mask: number.is_multiple_of(4).then(|| MaskRecord {
            convention: "lung-field/manual".to_owned(),
            confusion: Confusion {
                tn: 500,
                fp: number as u64,
                fn_: 12,
                tp: 400,
            },
            hd95_px: Some(3.0 + number as f64 / 10.0),
            hd95_mm: None,
        }),
        in_lung: Some(0.4 + number as f64 / 300.0),
        chance: Some(0.31),
    }
}

/// Writes pictures and a manifest that the evaluations are of.
pub fn write_data(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut lines = "file,label,patient,source\n".to_owned();
    for number in 0..IMAGES {
        write_png(folder, &format!("{number}.png"), number as u8);
        let label = if is_covid19(number) { "covid" } else { "normal" };
        let source = ["one", "two"][number % 2];
        writeln!(lines, "{number}.png,{label},p{},{source}", number / 2).unwrap();
    }
    std::fs::write(folder.join("manifest.csv"), lines).unwrap();
}

/// What the run's best weights were run on.
fn subject(run: &str, data: &str, part: &str) -> Subject {
    Subject {
        data: data.to_owned(),
        split: part.to_owned(),
        classifier: "recovnet-v1".to_owned(),
        classifier_version: "2026.11.1".to_owned(),
        weights_sha256: sha256(run),
        segmenter_sha256: "ab".repeat(32),
        threshold: THRESHOLD,
        in_training_part: 0,
    }
}

/// Evaluates a run by hand on a part of the data; returns how often it decides rightly.
pub fn write_evaluation(run: &Path, data: &Path, skill: f64, part: &str) -> Confusion {
    let records: Vec<Record> = (0..IMAGES).map(|number| record(number, skill, part)).collect();
    let name = run.file_name().unwrap().to_str().unwrap();
    let report = Report {
        subject: subject(name, &data.display().to_string(), part),
        origin: Origin::default(),
        device: "CPU, 2 threads".to_owned(),
        laterals_left_out: 0,
        evaluation: Evaluation::of(&records, THRESHOLD),
        failures: Vec::new(),
    };
    saved::write(&runs::evaluation_folder(run, part), &report, &records).unwrap();
    report.evaluation.overall.confusion
}

/// Evaluates a segmenter by hand on the part `test`.
pub fn write_segmenter_evaluation(run: &Path) {
    let image = |number| {
        let record = record(number, 0.9, "test");
        Some(SegmentedImage {
            file: record.file,
            group: record.group,
            source: record.source,
            mask: record.mask?,
        })
    };
    let images: Vec<SegmentedImage> = (0..IMAGES).filter_map(image).collect();
    let report = SegmenterReport {
        without_mask: IMAGES - images.len(),
        ..segmenter_report(&images)
    };
    saved::write_segmented(&runs::evaluation_folder(run, "test"), &report, &images).unwrap();
}

/// Audits a run by hand; one that needs no lungs gets red.
pub fn write_audit(run: &Path, needs_lungs: bool) -> Audit {
    let records: Vec<AuditRecord> = (0..IMAGES)
        .map(|number| {
            let noise = |key: usize| ((number * 31 + key * 17) % 97) as f64 / 97.0;
            let removed = if needs_lungs { noise(3) } else { score(number, 1.0) };
            let whole = score(number, 0.9);
            AuditRecord {
                group: format!("p{}", number / 2),
                source: ["one", "two"][number % 2].to_owned(),
                is_covid19: is_covid19(number),
                scores: [Some(whole), Some(whole), Some(removed), Some(noise(5))],
                features: (0..4).map(|index| noise(index + 11) as f32).collect(),
                in_lung: Some(0.45 + 0.2 * noise(7)),
                chance: Some(0.31),
            }
        })
        .collect();
    let name = run.file_name().unwrap().to_str().unwrap();
    let audit = Audit::of(subject(name, "data", "test"), &records, Vec::new());
    audit::saved::write(&runs::audit_folder(run), &audit).unwrap();
    audit
}
