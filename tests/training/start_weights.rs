//! What a file of initial weights is, before a run begins with it.

use std::collections::BTreeMap;

use recovnet::nn::weights::{self, Precision};
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, Network};
use recovnet::training::start_weights::{StartWeights, import_encoder, look_at};

#[test]
fn a_foreign_encoder_is_imported_and_known_from_then_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("timm.safetensors");
    let network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 5, &Device::Cpu).expect("a network");
    weights::save(&file, &network.state(), &BTreeMap::new(), Precision::Full).expect("saved");
    assert_eq!(look_at(&file).expect("a look"), StartWeights::Foreign);

    let imported = import_encoder(&file, BackboneKind::DenseNet121).expect("imported");
    assert_eq!(imported.graph, Graph::Torch);
    assert!(imported.title.contains("densenet121"), "{}", imported.title);
    let used = imported
        .counts
        .iter()
        .find(|(name, _)| *name == "used")
        .expect("some are used");
    assert!(used.1 > 300, "{:?}", imported.counts);
    assert!(imported.weights.is_file());
    let known = StartWeights::Encoder {
        encoder: BackboneKind::DenseNet121,
        graph: Graph::Torch,
    };
    assert_eq!(look_at(&imported.weights).expect("a look"), known);
}

#[test]
fn what_cannot_be_imported_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("timm.safetensors");
    let network = Classifier::new(BackboneKind::DenseNet121, Graph::Torch, 5, &Device::Cpu).expect("a network");
    weights::save(&file, &network.state(), &BTreeMap::new(), Precision::Full).expect("saved");
    let error = import_encoder(&file, BackboneKind::ResNet50)
        .expect_err("another encoder")
        .to_string();
    assert!(
        error.contains("timm.safetensors") && error.contains("nothing was written"),
        "{error}"
    );
    let files = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(files, 1);
    let missing = look_at(&folder.path().join("nowhere.pth"))
        .expect_err("no file")
        .to_string();
    assert!(missing.contains("no such file"), "{missing}");
}
