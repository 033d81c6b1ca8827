//! The audit of real networks on synthetic chests: one that reads a mark in the corner, one that reads the lungs.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use image::{GrayImage, Luma};
use recovnet::imaging;
use recovnet::inference::models::{ClassifierName, Models};
use recovnet::nn::card::Task;
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, InputSpec, Network, Tensor};
use recovnet::preprocess;
use recovnet::training::audit::{self, Audit, Light, Region};
use recovnet::training::evaluation::Selection;
use recovnet::training::evaluation::measure::Chosen;
use recovnet::training::manifest::{Class, Manifest, Row};

use crate::{phantoms, runs, support};

/// Side of the pictures and of the networks' input.
const SIDE: u32 = 96;
const IMAGES: u32 = 40;

/// What the chests of class `covid` have and the others have not.
#[derive(Clone, Copy)]
enum Sign {
    /// A bright square in the upper left corner.
    Corner,
    /// Bright patches well inside the lungs.
    Lungs,
}

/// How far a pixel is from the middle of the nearer lung, in 0..=1 inside.
fn depth(x: u32, y: u32, shift: f64) -> f64 {
    let (x, y) = (f64::from(x) / f64::from(SIDE), f64::from(y) / f64::from(SIDE));
    let distance = |cx: f64| ((x - cx - shift) / 0.14).powi(2) + ((y - 0.5) / 0.33).powi(2);
    distance(0.3).min(distance(0.7))
}

/// Writes chests and their table.
fn chests(sign: Sign) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut table = "file,label,group,source\n".to_owned();
    for number in 0..IMAGES {
        let covid = number % 2 == 0;
        let shift = f64::from(number % 5) * 0.012 - 0.024;
        let chest = GrayImage::from_fn(SIDE, SIDE, |x, y| {
            let grain = (x * 7 + y * 13 + number * 29) % 17;
            let depth = depth(x, y, shift);
            let level = match sign {
                Sign::Corner if covid && x < 18 && y < 18 => 238,
                Sign::Lungs if covid && depth < 0.5 && (x / 5 + y / 5 + number).is_multiple_of(2) => 130,
                _ if depth <= 1.0 => 40,
                _ => 170,
            };
            Luma([(level + grain) as u8])
        });
        chest.save(folder.path().join(format!("{number}.png"))).unwrap();
        let label = if covid { "covid" } else { "normal" };
        writeln!(table, "{number}.png,{label},p{number},phantom").unwrap();
    }
    std::fs::write(folder.path().join("manifest.csv"), table).unwrap();
    folder
}

fn spec() -> InputSpec {
    InputSpec {
        width: SIDE as usize,
        height: SIDE as usize,
        ..InputSpec::default()
    }
}

/// The pooled features of a picture.
fn features(network: &Classifier, row: &Row) -> Vec<f32> {
    let image = imaging::open(&row.path).unwrap();
    let grey = preprocess::grey(&image, &spec()).unwrap();
    let input = preprocess::tensor(&grey, &spec(), &Device::Cpu).unwrap();
    let features = network.predict(&input).unwrap().features;
    features.get(0).and_then(|map| map.mean((1, 2))?.to_vec1()).unwrap()
}

/// A network whose encoder is random and whose head tells the two classes of the chests apart by their mean features:
/// trained in no time, and it can only have learned the one thing in which they differ.
fn classifier(rows: &[Row]) -> Classifier {
    let mut network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 1, &Device::Cpu).unwrap();
    let pooled: Vec<(Vec<f32>, bool)> = rows
        .iter()
        .map(|row| (features(&network, row), row.class == Class::Covid19))
        .collect();
    let channels = pooled[0].0.len();
    let of_channel = |i: usize, covid: bool| -> (f64, f64) {
        let values: Vec<f64> = pooled
            .iter()
            .filter(|p| p.1 == covid)
            .map(|p| f64::from(p.0[i]))
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (
            mean,
            values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64,
        )
    };
    let mut weight = vec![0.0; channels];
    let mut middle = 0.0;
    for (i, weight) in weight.iter_mut().enumerate() {
        let ((control, spread), (covid, other)) = (of_channel(i, false), of_channel(i, true));
        // Fisher's direction, channel by channel, so that no single one decides.
        *weight = (covid - control) / (spread + other + 1e-3 * control.powi(2) + 1e-12).sqrt();
        middle += *weight * f64::midpoint(covid, control);
    }
    let margins: Vec<f64> = pooled
        .iter()
        .map(|(values, _)| values.iter().zip(&weight).map(|(v, w)| f64::from(*v) * w).sum::<f64>() - middle)
        .collect();
    let scale = 3.0 / (margins.iter().map(|m| m.abs()).sum::<f64>() / margins.len() as f64);
    let rows: Vec<f32> = std::iter::repeat_n(0.0, channels)
        .chain(weight.iter().map(|w| (w * scale) as f32))
        .collect();
    let mut state = network.state();
    let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    state.insert("fc.weight".to_owned(), tensor(rows, &[2, channels]));
    state.insert("fc.bias".to_owned(), tensor(vec![0.0, (-middle * scale) as f32], &[2]));
    network.load_state(&state).unwrap();
    network
}

/// A segmenter trained for a few epochs on such chests, with its card.
fn segmenter(folder: &Path) {
    let data = phantoms::folder(30);
    let run = tempfile::tempdir().unwrap();
    let job = runs::job(Task::Segmenter, data.path(), &run.path().join("run"), &[(6, 64)]);
    let outcome = runs::run(&job).0.unwrap();
    for ending in ["safetensors", "json"] {
        let from = outcome.weights.with_extension(ending);
        std::fs::copy(from, folder.join("segmenter-densenet121").with_extension(ending)).unwrap();
    }
}

fn audit_of(sign: Sign, weights: &Path) -> Audit {
    let data = chests(sign);
    let manifest = Manifest::read(data.path()).unwrap();
    let network = classifier(&manifest.rows);
    support::write_network_on(
        BackboneKind::DenseNet121,
        SIDE as usize,
        weights,
        "recovnet-v1",
        Task::Recovnet,
        &network,
    );
    let mut models = Models::load(Some(weights), ClassifierName::RecovnetV1, "cpu").unwrap();
    let chosen = Chosen::of(&manifest, Selection::All);
    let never = AtomicBool::new(false);
    audit::measure::audit(
        &mut models,
        "chests".to_owned(),
        Selection::All,
        &chosen,
        &never,
        &mut |_, _| {},
    )
    .unwrap()
}

fn area(audit: &Audit, region: Region) -> f64 {
    audit.regions[region.name()].roc_auc.value.expect("both classes")
}

#[test]
fn a_network_that_reads_a_mark_in_the_corner_is_red_and_one_that_reads_the_lungs_is_not() {
    let weights = tempfile::tempdir().unwrap();
    segmenter(weights.path());

    let corner = audit_of(Sign::Corner, weights.path());
    assert_eq!(corner.without_lungs, 0, "the segmenter finds lungs");
    assert!(area(&corner, Region::Full) > 0.95 && area(&corner, Region::LungsRemoved) > 0.95);
    assert_eq!(corner.light, Light::Red, "{:?}", corner.reasons);
    assert!(
        corner
            .reasons
            .iter()
            .any(|reason| reason.contains("does not need the lungs")),
        "{:?}",
        corner.reasons
    );

    let lungs = audit_of(Sign::Lungs, weights.path());
    assert!(area(&lungs, Region::Full) > 0.95 && area(&lungs, Region::LungsOnly) > 0.8);
    assert!(area(&lungs, Region::LungsRemoved) < area(&lungs, Region::LungsOnly));
    assert_ne!(lungs.light, Light::Red, "{:?}", lungs.reasons);
}
