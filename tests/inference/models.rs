//! Finding and verifying weights: every way to be wrong has its own sentence.

use std::fs;
use std::path::Path;

use recovnet::inference::models::{ClassifierName, Error, Models, verified_classifier, weights_folders};
use recovnet::nn::card::Task;
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, Tensor, weights};
use recovnet::training::recipe::Recipe;

use crate::support;

fn load(folder: &Path) -> Error {
    let loaded = Models::load(Some(folder), ClassifierName::RecovnetV1, "cpu");
    loaded.err().expect("these weights must not load")
}

/// Changes the card of ReCovNet-v1 in a folder.
fn edit_card(folder: &Path, edit: impl FnOnce(&mut serde_json::Value)) {
    let path = folder.join("recovnet-v1.json");
    let mut card = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    edit(&mut card);
    fs::write(path, card.to_string()).unwrap();
}

#[test]
fn names_are_those_of_the_command_line() {
    for name in ClassifierName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    let error = "vgg16".parse::<ClassifierName>().unwrap_err();
    assert!(error.contains("vgg16") && error.contains("recovnet-v1"), "{error}");
}

#[test]
fn the_given_folder_comes_first_and_the_current_one_last() {
    let folders = weights_folders(Some(Path::new("/given")));
    assert_eq!(folders.first().unwrap(), Path::new("/given"));
    assert_eq!(folders.last().unwrap(), Path::new("weights"));
}

#[test]
fn missing_weights_name_the_folders_and_the_way_out() {
    let folders = [
        Path::new("/nowhere/one").to_owned(),
        Path::new("/nowhere/two").to_owned(),
    ];
    let error = verified_classifier(&folders, ClassifierName::RecovnetV2)
        .unwrap_err()
        .to_string();
    for part in ["recovnet-v2.safetensors", "/nowhere/one", "/nowhere/two", "--weights"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn every_network_that_is_trained_has_a_name_here() {
    for encoder in BackboneKind::ALL {
        for task in [Task::Recovnet, Task::Baseline] {
            let name = Recipe::Scratch.config(task, encoder).model_name();
            assert!(name.parse::<ClassifierName>().is_ok(), "{name}");
        }
    }
}

#[test]
fn a_card_with_an_input_too_small_for_its_encoder_is_refused() {
    let folder = support::weights_copy();
    let (from, to) = (folder.path().join("recovnet-v1"), folder.path().join("inception_v3"));
    fs::copy(from.with_extension("safetensors"), to.with_extension("safetensors")).unwrap();
    let mut card: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(from.with_extension("json")).unwrap()).unwrap();
    card["task"] = "baseline".into();
    card["backbone"] = "inception_v3".into();
    assert_eq!(card["input"]["width"], 64);
    fs::write(to.with_extension("json"), card.to_string()).unwrap();
    let error = verified_classifier(&[folder.path().to_owned()], ClassifierName::InceptionV3).unwrap_err();
    assert!(matches!(error, Error::Card { .. }), "{error}");
    assert!(error.to_string().contains("between 75 and 4096 pixels"), "{error}");
}

#[test]
fn a_changed_byte_is_found_by_the_hash() {
    let folder = support::weights_copy();
    let path = folder.path().join("recovnet-v1.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = load(folder.path());
    assert!(matches!(error, Error::WrongHash { .. }), "{error}");
    assert!(error.to_string().contains("recovnet-v1.safetensors"), "{error}");
}

#[test]
fn a_missing_or_broken_card_is_named() {
    let folder = support::weights_copy();
    let card = folder.path().join("recovnet-v1.json");
    fs::write(&card, "{ not json").unwrap();
    assert!(load(folder.path()).to_string().contains("recovnet-v1.json"));
    fs::remove_file(&card).unwrap();
    assert!(load(folder.path()).to_string().contains("recovnet-v1.json"));
}

#[test]
fn a_card_of_another_network_is_refused() {
    let folder = support::weights_copy();
    edit_card(folder.path(), |card| card["task"] = "baseline".into());
    let error = load(folder.path());
    assert!(matches!(error, Error::OtherNetwork { .. }), "{error}");
    assert!(error.to_string().contains("baseline on densenet121"), "{error}");
}

#[test]
fn a_card_with_impossible_numbers_is_refused() {
    let spoil: [fn(&mut serde_json::Value); 3] = [
        |card| card["input"]["std"][1] = 0.0.into(),
        |card| card["input"]["width"] = 1_000_000.into(),
        |card| card["threshold"] = 1.5.into(),
    ];
    for edit in spoil {
        let folder = support::weights_copy();
        edit_card(folder.path(), edit);
        let error = load(folder.path());
        assert!(matches!(error, Error::Card { .. }), "{error}");
    }
}

#[test]
fn tensors_of_another_shape_are_refused() {
    let folder = support::weights_copy();
    let other = Classifier::new(BackboneKind::ResNet50, Graph::Torch, 3, &Device::Cpu).unwrap();
    support::write_network(folder.path(), "recovnet-v1", Task::Recovnet, &other);
    let error = load(folder.path());
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("recovnet-v1.safetensors"), "{error}");
}

#[test]
fn a_device_without_a_name_is_refused() {
    let load = |device| {
        let models = Models::load(Some(&support::weights_folder()), ClassifierName::RecovnetV1, device);
        models.map_err(|error| error.to_string())
    };
    let error = load("tpu").err().expect("there is no such device");
    assert!(error.contains("no device is called 'tpu'"), "{error}");
    let auto = load("auto").unwrap();
    assert!(
        auto.device_label.starts_with("CPU, ") || auto.device_label.starts_with("CUDA"),
        "{}",
        auto.device_label
    );
}

/// Puts other bytes in place of ReCovNet-v1's weights, with their own SHA-256 in the card if asked.
fn replace(folder: &Path, bytes: &[u8], with_hash: bool) {
    fs::write(folder.join("recovnet-v1.safetensors"), bytes).unwrap();
    if with_hash {
        edit_card(folder, |card| card["sha256"] = weights::sha256(bytes).into());
    }
}

#[test]
fn a_weights_file_that_is_not_whole_says_so() {
    let folder = support::weights_copy();
    let whole = fs::read(folder.path().join("recovnet-v1.safetensors")).unwrap();
    for with_hash in [false, true] {
        for (length, part) in [
            (0, "is empty".to_owned()),
            (1000, "ends in its header".to_owned()),
            (
                whole.len() / 2,
                format!("holds {} of {} bytes", whole.len() / 2, whole.len()),
            ),
        ] {
            replace(folder.path(), &whole[..length], with_hash);
            let error = load(folder.path()).to_string();
            for part in ["recovnet-v1.safetensors", &part, "fetch it again"] {
                assert!(error.contains(part), "{part} is not in: {error}");
            }
        }
        replace(folder.path(), b"<html>404 Not Found</html>", with_hash);
        let error = load(folder.path()).to_string();
        assert!(error.contains("recovnet-v1.safetensors"), "{error}");
        assert!(!error.contains("fetch it again"), "{error}");
    }
}

#[test]
fn a_tensor_with_nan_or_infinity_is_named() {
    let device = Device::Cpu;
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let folder = support::weights_copy();
        let path = folder.path().join("recovnet-v1.safetensors");
        let (mut state, metadata) = weights::read(&path, &device).unwrap();
        let bias = vec![0.5, value];
        state.insert("fc.bias".to_owned(), Tensor::from_vec(bias, 2, &device).unwrap());
        let sha256 = weights::save(&path, &state, &metadata, weights::Precision::Full).unwrap();
        edit_card(folder.path(), |card| card["sha256"] = sha256.into());
        let error = load(folder.path()).to_string();
        for part in ["recovnet-v1.safetensors", "fc.bias", "NaN or infinity"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }
}

#[test]
fn large_finite_values_are_no_infinity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let values = Tensor::from_vec(vec![f32::MAX; 4], 4, &Device::Cpu).unwrap();
    let state = weights::State::from([("huge".to_owned(), values)]);
    weights::save(&path, &state, &weights::Metadata::new(), weights::Precision::Full).unwrap();
    assert_eq!(weights::read(&path, &Device::Cpu).unwrap().0.len(), 1);
}
