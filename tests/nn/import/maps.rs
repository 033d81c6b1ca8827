//! The rules of names against the reference maps of all four backbones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recovnet::nn::import::keras::{self, Class, Layer};
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, InputSpec, Network};

use super::writers;
use crate::reference;

const BACKBONES: [&str; 4] = ["densenet121", "resnet50", "inception_v3", "inception_resnet_v2"];

/// A file of the reference maps; `None` (said on standard error) where they are missing and may be.
fn map(name: &str) -> Option<PathBuf> {
    reference::folder()?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/reference/maps")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{}: the maps must be there in CI",
        path.display()
    );
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// A tensor of a torch encoder: name, shape, kind.
type Item = (String, Vec<usize>, String);

fn inventory(backbone: &str) -> Option<Vec<Item>> {
    let text = std::fs::read_to_string(map(&format!("inventory_{backbone}.json"))?).unwrap();
    let all: Vec<Item> = serde_json::from_str(&text).unwrap();
    let ours = |name: &str| !name.starts_with("decoder.") && !name.starts_with("fc.");
    Some(all.into_iter().filter(|(name, ..)| ours(name)).collect())
}

/// Rows of a Keras map: layer, variable, shape, torch tensor.
fn rows(backbone: &str) -> Option<Vec<[String; 4]>> {
    let mut reader = csv::Reader::from_path(map(&format!("keras_{backbone}.csv"))?).unwrap();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        [0, 1, 2, 3].map(|column| row[column].to_owned())
    });
    Some(rows.collect())
}

fn layers(inventory: &[Item], class: Class) -> Vec<Layer<'_>> {
    let (kind, end) = match class {
        Class::Convolution => ("conv", ".weight"),
        Class::Norm => ("mean", ".running_mean"),
    };
    let of_class = inventory.iter().filter(|item| item.2 == kind);
    of_class
        .map(|item| (item.0.strip_suffix(end).unwrap(), class))
        .collect()
}

/// Keras's name of every layer by our rules, its automatic numbers from 0.
fn keras_names(inventory: &[Item]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for class in [Class::Convolution, Class::Norm] {
        let mut number = 0;
        for (layer, _) in keras::as_made(&layers(inventory, class)) {
            let name = keras::own_name(layer).unwrap_or_else(|| {
                number += 1;
                match number {
                    1 => class.automatic().to_owned(),
                    _ => format!("{}_{}", class.automatic(), number - 1),
                }
            });
            names.insert(layer.to_owned(), name);
        }
    }
    names
}

#[test]
fn layers_have_the_names_that_keras_gives_them() {
    for backbone in BACKBONES {
        let (Some(inventory), Some(rows)) = (inventory(backbone), rows(backbone)) else {
            return;
        };
        let names = keras_names(&inventory);
        for [layer, variable, _, torch] in &rows {
            let (ours, part) = torch.rsplit_once('.').unwrap();
            assert_eq!(names[ours], layer.replace('/', "_"), "{backbone}: {torch}");
            let expected = match variable.as_str() {
                "kernel" | "gamma" => "weight",
                "bias" | "beta" => "bias",
                "moving_mean" => "running_mean",
                _ => "running_var",
            };
            assert_eq!(part, expected, "{backbone}: {torch}");
        }
        let mapped: std::collections::BTreeSet<&str> =
            rows.iter().map(|row| row[3].rsplit_once('.').unwrap().0).collect();
        assert_eq!(mapped.len(), names.len(), "{backbone}");
    }
}

#[test]
fn layers_come_in_the_order_in_which_keras_sorts_them() {
    for backbone in BACKBONES {
        let (Some(inventory), Some(rows)) = (inventory(backbone), rows(backbone)) else {
            return;
        };
        for (class, variable) in [(Class::Convolution, "kernel"), (Class::Norm, "moving_mean")] {
            // The maps list the weights as a Keras model does.
            let expected: Vec<&str> = rows
                .iter()
                .filter(|row| row[1] == variable)
                .map(|row| row[3].rsplit_once('.').unwrap().0)
                .collect();
            let layers = layers(&inventory, class);
            let sorted: Vec<&str> = keras::as_sorted(&layers).into_iter().map(|(layer, _)| layer).collect();
            assert_eq!(sorted, expected, "{backbone}");
            // Whatever the order within a module was before.
            let mut shuffled = layers.clone();
            shuffled.sort_by_key(|(name, _)| {
                let module = name.split(".branch").next().unwrap_or(name);
                let stage = layers.iter().position(|(other, _)| other.starts_with(module));
                (stage, std::cmp::Reverse(name.len()), *name)
            });
            if backbone.starts_with("inception") {
                let again: Vec<&str> = keras::as_made(&shuffled).into_iter().map(|(layer, _)| layer).collect();
                let made: Vec<&str> = keras::as_made(&layers).into_iter().map(|(layer, _)| layer).collect();
                assert_eq!(again, made, "{backbone}");
            }
        }
    }
}

#[test]
fn encoders_need_what_the_inventories_list() {
    for kind in BackboneKind::ALL {
        let Some(inventory) = inventory(kind.name()) else {
            return;
        };
        let network = Classifier::new(kind, Graph::Torch, 0, &Device::Cpu).unwrap();
        let mut found = BTreeMap::new();
        network.visit(&mut |name, tensor, _| {
            let shape = match *tensor.dims() {
                [o, h, w, i] => vec![o, i, h, w],
                ref other => other.to_vec(),
            };
            found.insert(name.to_owned(), shape);
        });
        found.retain(|name, _| !name.starts_with("fc."));
        let expected: BTreeMap<String, Vec<usize>> =
            inventory.into_iter().map(|(name, shape, _)| (name, shape)).collect();
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn written_layouts_are_the_maps() {
    // The writers of these tests use the rules they test; here they meet the maps.
    for backbone in BACKBONES {
        let Some(rows) = rows(backbone) else { return };
        let tensors: Vec<writers::Named> = rows
            .iter()
            .map(|row| writers::Named {
                name: row[3].clone(),
                shape: vec![1; if row[1] == "kernel" { 4 } else { 1 }],
                values: vec![1.0],
            })
            .collect();
        let datasets = writers::keras_named(&tensors, 0);
        let paths: Vec<String> = datasets
            .iter()
            .map(|(path, ..)| {
                path.replace("conv2d_0", "conv2d")
                    .replace("batch_normalization_0", "batch_normalization")
            })
            .collect();
        for [layer, variable, ..] in &rows {
            let path = format!("{layer}/{layer}/{variable}:0");
            assert!(paths.contains(&path), "{backbone}: {path}");
        }
        assert_eq!(datasets.len(), rows.len(), "{backbone}");
    }
}

#[test]
fn encoders_see_what_keras_shows_them() {
    let Some(json) = reference::json("keras_preprocess.json") else {
        return;
    };
    let input = reference::numbers(&json["input_rgb_0_255_nhwc"]);
    for kind in BackboneKind::ALL {
        let spec = InputSpec::of(kind, Graph::Keras);
        let expected = reference::numbers(&json[kind.name()]);
        let found: Vec<f64> = (0..input.len())
            .map(|i| {
                let (pixel, channel) = (i / 3, i % 3);
                // Grey pictures have no order of channels; this one has, and Keras's ResNet sees BGR.
                let from = if kind == BackboneKind::ResNet50 {
                    2 - channel
                } else {
                    channel
                };
                (input[pixel * 3 + from] / 255.0 - f64::from(spec.mean[channel])) / f64::from(spec.std[channel])
            })
            .collect();
        reference::within(&found, &expected, 1e-4, kind.name());
    }
}
