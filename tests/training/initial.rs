//! The weights that a run begins with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recovnet::nn::card::Task;
use recovnet::nn::weights::{self, Precision};
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, InputSpec, ModelCard, Network, Role, Segmenter, Tensor};
use recovnet::training::dataset::Options;
use recovnet::training::initial;
use recovnet::training::phase::{Classification, Phase, Segmentation};
use recovnet::training::recipe::Recipe;
use recovnet::training::request::may_begin_with;
use recovnet::training::split::{SPLIT_KEY, SPLIT_VERSION};
use recovnet::training::trainer::{Job, Session};

/// A segmenter none of whose tensors is what a new network has.
fn trained_segmenter() -> Segmenter {
    let mut network = Segmenter::new(BackboneKind::DenseNet121, Graph::Torch, 4, &Device::Cpu).expect("a network");
    let mut number = 0.0;
    network.visit_mut(&mut |_, tensor, role| {
        number += 1.0;
        if !matches!(role, Role::Kernel) {
            *tensor = tensor.affine(1.0, number / 1000.0).expect("a tensor");
        }
    });
    network
}

fn save(folder: &Path, task: Task, split: Option<&str>) -> PathBuf {
    let path = folder.join("start.safetensors");
    let metadata: BTreeMap<String, String> = split
        .map(|split| (SPLIT_KEY.to_owned(), split.to_owned()))
        .into_iter()
        .collect();
    let state = match task {
        Task::Recovnet => Classifier::from_segmenter(&trained_segmenter(), 9, &Device::Cpu)
            .expect("a network")
            .state(),
        Task::Segmenter | Task::Baseline => trained_segmenter().state(),
    };
    let sha256 = weights::save(&path, &state, &metadata, Precision::Full).expect("saved");
    let card = ModelCard {
        name: "start".to_owned(),
        version: "1".to_owned(),
        task,
        backbone: BackboneKind::DenseNet121,
        graph: Graph::Torch,
        input: InputSpec::default(),
        threshold: 0.5,
        sha256,
        details: serde_json::Map::new(),
    };
    std::fs::write(path.with_extension("json"), serde_json::to_string(&card).expect("JSON")).expect("written");
    path
}

fn job(task: Task, init: Option<PathBuf>) -> Job {
    Job {
        config: Recipe::Scratch.config(task, BackboneKind::DenseNet121),
        data: "data".into(),
        dataset: Options::default(),
        run: "run".into(),
        init,
        segmenter: None,
        resume: false,
        device: Device::Cpu,
        session: Session::default(),
    }
}

fn refusal(job: &Job) -> String {
    initial::read(job).expect_err("it is refused").to_string()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("host tensor")
}

#[test]
fn the_encoder_is_the_segmenters_before_step_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = save(folder.path(), Task::Segmenter, Some(SPLIT_VERSION));
    let job = job(Task::Recovnet, Some(path));
    let start = initial::read(&job).expect("it fits").expect("there are weights");
    let network = Classification::build(&job.config, Some(&start.state), &job.device).expect("a network");
    let segmenter = trained_segmenter().state();
    let (mut compared, mut running, mut head) = (0, 0, 0);
    network.visit(&mut |name, tensor, role| {
        if let Some(expected) = segmenter.get(name) {
            assert_eq!(values(tensor), values(expected), "{name}");
            compared += 1;
            running += usize::from(matches!(role, Role::RunningMean | Role::RunningVariance));
        } else {
            assert!(name.starts_with("fc."), "{name} comes from nowhere");
            head += 1;
        }
    });
    let encoder = segmenter.keys().filter(|name| !name.starts_with("decoder.")).count();
    assert_eq!((compared, running, head), (encoder, 2 * 121, 2));
}

#[test]
fn recovnet_without_a_segmenter_is_a_usage_error() {
    let error = initial::read(&job(Task::Recovnet, None)).expect_err("no weights");
    assert!(matches!(error, recovnet::training::Error::Usage(_)), "{error}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = save(folder.path(), Task::Baseline, Some(SPLIT_VERSION));
    let error = initial::read(&job(Task::Recovnet, Some(path))).expect_err("no segmenter");
    assert!(matches!(error, recovnet::training::Error::Usage(_)), "{error}");
    assert!(error.to_string().contains("baseline"), "{error}");
}

#[test]
fn recovnet_goes_on_from_an_earlier_one_with_its_head() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = save(folder.path(), Task::Recovnet, Some(SPLIT_VERSION));
    let job = job(Task::Recovnet, Some(path));
    let start = initial::read(&job).expect("it fits").expect("there are weights");
    let network = Classification::build(&job.config, Some(&start.state), &job.device).expect("a network");
    let built = network.state();
    assert!(built.contains_key("fc.weight"));
    for (name, tensor) in &built {
        assert_eq!(values(tensor), values(&start.state[name]), "{name}");
    }
}

#[test]
fn segmenter_and_baseline_may_begin_from_nothing() {
    assert!(initial::read(&job(Task::Segmenter, None)).expect("fine").is_none());
    assert!(initial::read(&job(Task::Baseline, None)).expect("fine").is_none());
}

#[test]
fn weights_of_another_split_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = save(folder.path(), Task::Segmenter, Some("another-split"));
    let error = refusal(&job(Task::Recovnet, Some(path)));
    assert!(
        error.contains("another-split") && error.contains("start.safetensors"),
        "{error}"
    );
    let path = save(folder.path(), Task::Segmenter, None);
    let error = refusal(&job(Task::Segmenter, Some(path)));
    assert!(error.contains("do not say which split"), "{error}");
}

#[test]
fn damaged_or_foreign_weights_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = save(folder.path(), Task::Segmenter, Some(SPLIT_VERSION));
    let mut other = job(Task::Recovnet, Some(path.clone()));
    other.config.encoder = BackboneKind::ResNet50;
    assert!(refusal(&other).contains("densenet121"));
    let mut bytes = std::fs::read(&path).expect("it was written");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("it is written");
    assert!(refusal(&job(Task::Recovnet, Some(path.clone()))).contains("SHA-256"));
    std::fs::remove_file(path.with_extension("json")).expect("it was there");
    assert!(refusal(&job(Task::Recovnet, Some(path))).contains("model card"));
}

/// A file as `recovnet import` writes it, of the trained segmenter's encoder.
fn imported(folder: &Path) -> PathBuf {
    let mut encoder = trained_segmenter().state();
    encoder.retain(|name, _| !name.starts_with("decoder."));
    let source = folder.join("densenet121.safetensors");
    weights::save(&source, &encoder, &BTreeMap::new(), Precision::Full).expect("saved");
    let path = folder.join("imported.safetensors");
    let imported = recovnet::nn::import::read(&source, BackboneKind::DenseNet121).expect("an encoder");
    imported.save(&path).expect("written");
    path
}

#[test]
fn an_imported_encoder_begins_under_a_fresh_decoder_or_head() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = imported(folder.path());
    let trained = trained_segmenter().state();
    let check = |network: &dyn Network, fresh: &dyn Network, prefix: &str| {
        let (state, fresh) = (network.state(), fresh.state());
        for (name, tensor) in &state {
            let from = if name.starts_with(prefix) { &fresh } else { &trained };
            assert_eq!(values(tensor), values(&from[name]), "{name}");
        }
        assert!(state.keys().any(|name| name.starts_with(prefix)));
    };
    let (kind, device) = (BackboneKind::DenseNet121, Device::Cpu);
    let baseline = job(Task::Baseline, Some(path.clone()));
    let start = initial::read(&baseline).expect("it fits").expect("there are weights");
    assert!(start.encoder_only);
    assert_eq!(start.sha256, weights::sha256_of(&path).expect("a hash"));
    let network = Classification::build(&baseline.config, Some(&start.state), &device).expect("a network");
    let seed = baseline.config.seed;
    check(
        &network,
        &Classifier::new(kind, Graph::Torch, seed, &device).expect("a network"),
        "fc.",
    );
    let segmenter = job(Task::Segmenter, Some(path));
    let start = initial::read(&segmenter).expect("it fits").expect("there are weights");
    let network = Segmentation::build(&segmenter.config, Some(&start.state), &device).expect("a network");
    check(
        &network,
        &Segmenter::new(kind, Graph::Torch, seed, &device).expect("a network"),
        "decoder.",
    );
}

#[test]
fn an_imported_encoder_must_be_the_one_that_is_trained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = imported(folder.path());
    let error = initial::read(&job(Task::Recovnet, Some(path.clone()))).expect_err("no segmenter");
    assert!(matches!(error, recovnet::training::Error::Usage(_)), "{error}");
    assert!(error.to_string().contains("imported encoder"), "{error}");
    let mut other = job(Task::Baseline, Some(path));
    other.config.graph = Graph::Keras;
    let error = refusal(&other);
    assert!(error.contains("--graph torch"), "{error}");
    other.config.encoder = BackboneKind::ResNet50;
    assert!(refusal(&other).contains("--encoder densenet121"));
    // A file that lacks part of the encoder cannot pass for one.
    let cut = folder.path().join("cut.safetensors");
    let (mut state, metadata) = weights::read(&folder.path().join("imported.safetensors"), &Device::Cpu).expect("read");
    state.remove("features.norm5.weight");
    weights::save(&cut, &state, &metadata, Precision::Full).expect("saved");
    let job = job(Task::Segmenter, Some(cut));
    let start = initial::read(&job)
        .expect("it is an encoder")
        .expect("there are weights");
    let error = Segmentation::build(&job.config, Some(&start.state), &Device::Cpu).expect_err("it lacks a tensor");
    assert!(error.to_string().contains("features.norm5.weight"), "{error}");
}

#[test]
fn what_the_window_says_of_initial_weights_is_what_the_trainer_does() {
    let tasks = [Task::Segmenter, Task::Recovnet, Task::Baseline];
    for found in tasks {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = save(folder.path(), found, Some(SPLIT_VERSION));
        for task in tasks {
            let read = initial::read(&job(task, Some(path.clone())));
            assert_eq!(read.is_ok(), may_begin_with(task, found), "{task:?} from {found:?}");
        }
    }
}
