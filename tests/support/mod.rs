//! What several test programs need: random weights with right cards, and synthetic pictures.
#![allow(dead_code, reason = "every test program uses its own part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recovnet::imaging;
use recovnet::inference::models::{ClassifierName, Models};
use recovnet::nn::card::Task;
use recovnet::nn::weights::{self, Precision};
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, InputSpec, ModelCard, Network, Segmenter, Tape};
use recovnet::preprocess;

/// Side of the networks' input in these tests: small, so that they run in no time.
pub const INPUT: usize = 64;

/// A folder with a randomly initialised segmenter and ReCovNet-v1; made once, whichever test comes first.
pub fn weights_folder() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = parent.join("random-weights-2");
    if !folder.is_dir() {
        std::fs::create_dir_all(parent).unwrap();
        let fresh = tempfile::tempdir_in(parent).unwrap();
        write_random_weights(fresh.path());
        // Another test may have been faster; its folder is as good.
        let _ = std::fs::rename(fresh.path(), &folder);
    }
    folder
}

/// The random networks, loaded.
pub fn models() -> Models {
    Models::load(Some(&weights_folder()), ClassifierName::RecovnetV1, "cpu").unwrap()
}

fn write_random_weights(folder: &Path) {
    let kind = BackboneKind::DenseNet121;
    let mut segmenter = Segmenter::new(kind, Graph::Torch, 11, &Device::Cpu).unwrap();
    balance(&mut segmenter, folder);
    write_network(folder, "segmenter-densenet121", Task::Segmenter, &segmenter);
    let classifier = Classifier::new(kind, Graph::Torch, 12, &Device::Cpu).unwrap();
    write_network(folder, "recovnet-v1", Task::Recovnet, &classifier);
}

/// Shifts the last bias so that about half of a chest picture is inside the random mask.
fn balance(segmenter: &mut Segmenter, folder: &Path) {
    let path = folder.join("chest.png");
    write_chest(&path, 96, 96, 1);
    let grey = preprocess::grey(&imaging::open(&path).unwrap(), &input_spec()).unwrap();
    let input = preprocess::tensor(&grey, &input_spec(), &Device::Cpu).unwrap();
    let logits = segmenter.forward(&input, &mut Tape::evaluation()).unwrap();
    let mean = logits.tensor().mean_all().unwrap().to_scalar::<f32>().unwrap();
    let mut state = segmenter.state();
    let bias = state.get_mut("decoder.out.bias").unwrap();
    *bias = (&*bias - f64::from(mean)).unwrap();
    segmenter.load_state(&state).unwrap();
    std::fs::remove_file(path).unwrap();
}

fn input_spec() -> InputSpec {
    InputSpec {
        width: INPUT,
        height: INPUT,
        ..InputSpec::default()
    }
}

/// Writes a network on DenseNet-121 with a card that fits it.
pub fn write_network(folder: &Path, name: &str, task: Task, network: &dyn Network) {
    write_network_on(BackboneKind::DenseNet121, INPUT, folder, name, task, network);
}

/// Writes a network with a card for an encoder and an input of `side` rows and columns.
pub fn write_network_on(
    backbone: BackboneKind,
    side: usize,
    folder: &Path,
    name: &str,
    task: Task,
    network: &dyn Network,
) {
    let path = folder.join(format!("{name}.safetensors"));
    let sha256 = weights::save(&path, &network.state(), &BTreeMap::new(), Precision::F16Kernels).unwrap();
    let card = ModelCard {
        name: name.to_owned(),
        version: "0.0.0-random".to_owned(),
        task,
        backbone,
        graph: Graph::Torch,
        input: InputSpec {
            width: side,
            height: side,
            ..InputSpec::default()
        },
        threshold: 0.5,
        sha256,
        details: serde_json::Map::new(),
    };
    let json = serde_json::to_string_pretty(&card).unwrap();
    std::fs::write(path.with_extension("json"), json).unwrap();
}

/// A copy of the random weights that a test may spoil.
pub fn weights_copy() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(weights_folder()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

/// Writes a grey PNG with two dark ellipses on a bright ground, different for every `seed`.
pub fn write_chest(path: &Path, width: u32, height: u32, seed: u32) {
    let picture = image::GrayImage::from_fn(width, height, |x, y| {
        let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let inside = |cx: f64| ((u - cx) / 0.16).powi(2) + ((v - 0.5) / 0.33).powi(2) < 1.0;
        let grain = (x * 7 + y * 13 + seed * 31) % 17;
        let base = if inside(0.3) || inside(0.7) { 50 } else { 170 };
        image::Luma([(base + grain) as u8])
    });
    picture.save_with_format(path, image::ImageFormat::Png).unwrap();
}
