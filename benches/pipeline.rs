//! From the file to the findings, stage by stage, on the phantom as a 2000 x 2500 DICOM file.
//!
//! The shipped weights are used where they lie in `weights/`; random ones of the same networks take as long.
//! `benches/compare/compare.py` times the same networks beside PyTorch and onnxruntime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};

use recovnet::imaging::{self, Radiograph, phantom};
use recovnet::inference::models::{ClassifierName, Models};
use recovnet::inference::pipeline::analyse;
use recovnet::nn::card::Task;
use recovnet::nn::weights::{self, Precision};
use recovnet::nn::{BackboneKind, CamTarget, Classifier, Device, Graph, InputSpec, ModelCard, Network, Segmenter};
use recovnet::{preprocess, report};

const WIDTH: u32 = 2000;
const HEIGHT: u32 = 2500;

/// The phantom on disk and the networks in memory.
struct Fixture {
    folder: tempfile::TempDir,
    models: Models,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let bytes = phantom::dicom_bytes(WIDTH, HEIGHT).expect("the size is in range");
        std::fs::write(folder.path().join("phantom.dcm"), bytes).expect("the phantom can be written");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
        let models = Models::load(Some(&shipped), ClassifierName::RecovnetV1, "cpu").unwrap_or_else(|reason| {
            println!("random weights: {reason}");
            write_random_weights(folder.path());
            Models::load(Some(folder.path()), ClassifierName::RecovnetV1, "cpu").expect("own weights load")
        });
        Self { folder, models }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("phantom.dcm")
    }

    fn image(&self) -> Radiograph {
        imaging::open(&self.file()).expect("the phantom opens")
    }
}

fn write_random_weights(folder: &Path) {
    let kind = BackboneKind::DenseNet121;
    let segmenter = Segmenter::new(kind, Graph::Torch, 1, &Device::Cpu).expect("the network fits");
    write_network(folder, "segmenter-densenet121", Task::Segmenter, &segmenter);
    let classifier = Classifier::new(kind, Graph::Torch, 2, &Device::Cpu).expect("the network fits");
    write_network(folder, "recovnet-v1", Task::Recovnet, &classifier);
}

fn write_network(folder: &Path, name: &str, task: Task, network: &dyn Network) {
    let path = folder.join(format!("{name}.safetensors"));
    let sha256 = weights::save(&path, &network.state(), &BTreeMap::new(), Precision::F16Kernels);
    let card = ModelCard {
        name: name.to_owned(),
        version: "random".to_owned(),
        task,
        backbone: BackboneKind::DenseNet121,
        graph: Graph::Torch,
        input: InputSpec::default(),
        threshold: 0.5,
        sha256: sha256.expect("weights can be written"),
        details: serde_json::Map::new(),
    };
    let json = serde_json::to_string(&card).expect("a card is JSON");
    std::fs::write(path.with_extension("json"), json).expect("the card can be written");
}

fn stages(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let Fixture { models, .. } = &fixture;
    let file = fixture.file();
    criterion.bench_function("decode", |b| {
        b.iter(|| imaging::open(&file).expect("the phantom opens"));
    });

    let image = fixture.image();
    let spec = &models.segmenter.1.input;
    let prepare = || {
        let grey = preprocess::grey(&image, spec).expect("the phantom is grey");
        preprocess::tensor(&grey, spec, &models.device).expect("the tensor fits")
    };
    criterion.bench_function("preprocess", |b| b.iter(prepare));

    let input = prepare();
    let segmenter = &models.segmenter.0;
    criterion.bench_function("segment", |b| {
        b.iter(|| segmenter.predict(&input).expect("the shapes fit"));
    });

    let classifier = &models.classifier.0;
    criterion.bench_function("classify", |b| {
        b.iter(|| classifier.predict(&input).expect("the shapes fit"));
    });

    let output = classifier.predict(&input).expect("the shapes fit");
    let explain = || {
        classifier
            .activation_map(&output.features, 1, CamTarget::Logit)
            .expect("the shapes fit")
    };
    criterion.bench_function("explain", |b| b.iter(explain));
}

fn whole(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let predict = || {
        let image = fixture.image();
        let findings = analyse(&fixture.models, &image, &mut |_| true).expect("the phantom is in scope");
        let mask = report::mask_png(&findings.mask).expect("the mask has pixels");
        let map = report::map_png(&findings.activation).expect("the map has pixels");
        (findings, mask, map)
    };
    criterion.bench_function("predict", |b| b.iter(predict));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = stages, whole
}
criterion_main!(benches);
