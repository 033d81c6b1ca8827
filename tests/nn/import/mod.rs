//! Encoders of torchvision, timm and Keras: what is imported equals what was written, tensor by tensor.

mod hostile;
mod maps;
mod writers;

use std::path::Path;

use recovnet::nn::import::report::Fate;
use recovnet::nn::import::{self, Imported};
use recovnet::nn::{BackboneKind, Classifier, Device, Graph, Network, Role, Tensor, weights};

use crate::golden::rule_tensor;
use writers::Named;

/// Writes a file of tensors.
type Writer = fn(&[Named]) -> Vec<u8>;

/// Seed of the values.
const SEED: u64 = 7;

/// The encoder's tensors by the value rule, in memory layout.
fn rule_filled(kind: BackboneKind, graph: Graph) -> Vec<(String, Tensor)> {
    let tensors = rule_filled_roles(kind, graph);
    tensors.into_iter().map(|(name, tensor, _)| (name, tensor)).collect()
}

fn rule_filled_roles(kind: BackboneKind, graph: Graph) -> Vec<(String, Tensor, Role)> {
    let network = Classifier::new(kind, graph, 0, &Device::Cpu).unwrap();
    let mut tensors = Vec::new();
    network.visit(&mut |name, tensor, role| {
        if name.starts_with("fc.") {
            return;
        }
        let filled = rule_tensor(SEED, name, tensor.dims(), role);
        tensors.push((name.to_owned(), filled, role));
    });
    tensors
}

/// The tensors as files have them.
fn as_written(tensors: &[(String, Tensor)]) -> Vec<Named> {
    tensors
        .iter()
        .map(|(name, tensor)| {
            let tensor = match tensor.rank() {
                4 => tensor.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap(),
                _ => tensor.clone(),
            };
            Named {
                name: name.clone(),
                shape: tensor.dims().to_vec(),
                values: values(&tensor),
            }
        })
        .collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Imports bytes under a file name.
fn import(bytes: &[u8], name: &str, kind: BackboneKind) -> Result<Imported, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let imported = import::read(&path, kind).map_err(|e| e.to_string());
    // Every error names the file.
    if let Err(error) = &imported {
        assert!(error.starts_with(&path.display().to_string()), "{error}");
    }
    imported
}

/// Fails unless the import, saved and read again, is exactly `expected`, and its metadata name encoder and graph.
fn expect_equal(imported: &Imported, expected: &[(String, Tensor)], graph: Graph) {
    let report = &imported.report;
    assert_eq!(report.problem, None);
    assert_eq!((report.needed, report.graph), (expected.len(), graph));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("imported.safetensors");
    let sha256 = imported.save(&path).unwrap();
    assert_eq!(weights::sha256_of(&path).unwrap(), sha256);
    let (state, metadata) = weights::read(&path, &Device::Cpu).unwrap();
    assert_eq!(import::encoder_of(&metadata), Some((report.backbone, graph)));
    assert_eq!(metadata["source"], report.file);
    assert_eq!(metadata["source_sha256"], report.sha256);
    assert_eq!(state.len(), expected.len());
    for (name, tensor) in expected {
        assert_eq!(state[name].dims(), tensor.dims(), "{name}");
        assert!(values(&state[name]) == values(tensor), "{name} differs");
    }
}

fn count(imported: &Imported, fate: Fate) -> usize {
    imported.report.count(fate)
}

#[test]
fn torch_files_of_every_backbone_are_imported_whole() {
    for kind in BackboneKind::ALL {
        let expected = rule_filled(kind, Graph::Torch);
        let mut written = as_written(&expected);
        let needed = written.len();
        // What files have beside the encoder.
        for (name, shape) in [
            ("fc.weight", vec![3, 2]),
            ("fc.bias", vec![3]),
            ("extra.weight", vec![1]),
        ] {
            let values = vec![0.5; shape.iter().product()];
            written.push(Named {
                name: name.to_owned(),
                shape,
                values,
            });
        }
        let all: [(&str, Writer); 3] = [
            ("w.safetensors", writers::safetensors),
            ("w.pth", writers::torch_zip),
            ("old.pth", writers::torch_legacy),
        ];
        // One form of each backbone, and of the smallest all.
        let forms = if kind == BackboneKind::DenseNet121 {
            &all[..]
        } else {
            &all[1..2]
        };
        for (name, write) in forms {
            let imported = import(&write(&written), name, kind).unwrap();
            expect_equal(&imported, &expected, Graph::Torch);
            assert_eq!(count(&imported, Fate::Used), needed, "{kind} {name}");
            assert_eq!(
                (count(&imported, Fate::Ignored), count(&imported, Fate::LeftOver)),
                (2, 1)
            );
        }
    }
}

#[test]
fn keras_files_of_every_backbone_are_imported_whole() {
    for kind in BackboneKind::ALL {
        let expected = rule_filled(kind, Graph::Keras);
        // Keras's Inceptions have no scale, which stands for 1.
        let mut without_scale = rule_filled_roles(kind, Graph::Keras);
        without_scale.retain(|(.., role)| *role != Role::FixedGamma);
        let filled = expected.len() - without_scale.len();
        let without_scale: Vec<_> = without_scale
            .into_iter()
            .map(|(name, tensor, _)| (name, tensor))
            .collect();
        let written = as_written(&without_scale);
        let kernels = written.iter().filter(|t| t.shape.len() == 4).count();
        let mut forms = vec![("w.weights.h5", writers::keras_counted(&written))];
        if kind == BackboneKind::DenseNet121 {
            forms.push(("notop.h5", writers::keras_named(&written, 95)));
        }
        for (name, datasets) in forms {
            let imported = import(&writers::hdf5(&datasets), name, kind).unwrap();
            expect_equal(&imported, &expected, Graph::Keras);
            assert_eq!(count(&imported, Fate::Changed), kernels, "{kind} {name}");
            assert_eq!(count(&imported, Fate::Filled), filled, "{kind} {name}");
        }
    }
}

#[test]
fn a_file_that_h5py_wrote_is_read() {
    // tests/nn/import/h5py_fixture.py made it.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nn/import/h5py.h5");
    let imported = import::read(&path, BackboneKind::ResNet50).unwrap();
    let entry = |name: &str| {
        let entry = imported
            .report
            .tensors
            .iter()
            .find(|entry| entry.name.as_deref() == Some(name));
        entry.unwrap_or_else(|| panic!("{name} is not needed"))
    };
    assert_eq!(
        (entry("bn1.bias").fate, entry("bn1.bias").stored),
        (Fate::Used, Some("f32"))
    );
    assert_eq!(entry("bn1.running_mean").note, "converted from f64");
    assert_eq!(entry("conv1.weight").note, "turned from HWIO to OIHW");
    assert_eq!(entry("layer1.0.conv1.weight").fate, Fate::WrongShape);
    assert_eq!(entry("layer1.0.conv1.bias").fate, Fate::Missing);
    assert!(imported.report.problem.is_some());
}

#[test]
fn numbers_of_half_width_are_converted_and_reported() {
    let kind = BackboneKind::DenseNet121;
    let expected = rule_filled(kind, Graph::Torch);
    // Multiples of 1/8 below 2 are exact in f16 and bf16.
    let coarse: Vec<(String, Tensor)> = expected
        .into_iter()
        .map(|(name, t)| (name, ((t * 8.0).unwrap().round().unwrap() / 8.0).unwrap()))
        .collect();
    let tensors = as_written(&coarse);
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|t| {
            t.values
                .iter()
                .flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors.iter().zip(&data).map(|(t, data)| {
        let name = format!("module.{}", t.name);
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::BF16, t.shape.clone(), data).unwrap();
        (name, view)
    });
    let imported = import(&safetensors::serialize(views, None).unwrap(), "half.safetensors", kind).unwrap();
    expect_equal(&imported, &coarse, Graph::Torch);
    assert_eq!(count(&imported, Fate::Changed), tensors.len());
    assert_eq!(imported.report.tensors[0].note, "converted from bf16");
}

#[test]
fn the_names_of_2017_and_counters_are_accepted() {
    let kind = BackboneKind::DenseNet121;
    let expected = rule_filled(kind, Graph::Torch);
    let mut written = as_written(&expected);
    let mut renamed = 0;
    for t in &mut written {
        for part in ["norm1", "norm2", "conv1", "conv2"] {
            let (new, old) = (format!(".{part}."), format!(".{}.{}.", &part[..4], &part[4..]));
            if t.name.contains(".denselayer") && t.name.contains(&new) {
                t.name = t.name.replace(&new, &old);
                renamed += 1;
            }
        }
    }
    assert!(renamed > 500, "{renamed}");
    written.push(Named {
        name: "features.denseblock1.denselayer1.norm.1.num_batches_tracked".to_owned(),
        shape: vec![],
        values: vec![1.0],
    });
    let imported = import(&writers::torch_legacy(&written), "densenet121-a639ec97.pth", kind).unwrap();
    expect_equal(&imported, &expected, Graph::Torch);
    assert_eq!(count(&imported, Fate::Ignored), 1);
}

#[test]
fn a_tensor_in_another_order_is_gathered() {
    let kind = BackboneKind::DenseNet121;
    let expected = rule_filled(kind, Graph::Torch);
    let written = as_written(&expected);
    // Every kernel's numbers as channels last, with strides that say so.
    let mut pickle = b"\x80\x02}X\x05\x00\x00\x00model}(".to_vec();
    let mut storages = Vec::new();
    for (key, (t, (_, memory))) in written.iter().zip(&expected).enumerate() {
        let strides = match t.shape[..] {
            [_, i, h, w] => vec![h * w * i, 1, w * i, i],
            _ => writers::row_major(&t.shape),
        };
        pickle.push(b'X');
        pickle.extend((t.name.len() as u32).to_le_bytes());
        pickle.extend(t.name.as_bytes());
        writers::tensor(&mut pickle, key, t.values.len(), &t.shape, &strides, false);
        storages.push(values(memory).iter().flat_map(|v| v.to_le_bytes()).collect());
    }
    pickle.extend(b"us.");
    let imported = import(&writers::archive(&pickle, &storages), "model.pth", kind).unwrap();
    expect_equal(&imported, &expected, Graph::Torch);
    let gathered = imported
        .report
        .tensors
        .iter()
        .filter(|entry| entry.note == "gathered")
        .count();
    // A 1x1 kernel is the same in both orders.
    let spatial = written.iter().filter(|t| t.shape.len() == 4 && t.shape[2] > 1).count();
    assert_eq!(gathered, spatial);
}

#[test]
fn values_that_no_network_can_compute_with_are_refused() {
    let kind = BackboneKind::DenseNet121;
    let folder = tempfile::tempdir().unwrap();
    for (name, value, word) in [
        ("features.conv0.weight", f32::NAN, "holds NaN"),
        ("features.norm5.bias", f32::INFINITY, "holds inf"),
        ("features.norm5.running_var", -0.5, "negative variance"),
    ] {
        let mut written = as_written(&rule_filled(kind, Graph::Torch));
        written.iter_mut().find(|t| t.name == name).unwrap().values[3] = value;
        let imported = import(&writers::safetensors(&written), "w.safetensors", kind).unwrap();
        let problem = imported.report.problem.as_deref().unwrap();
        assert!(problem.contains(name) && problem.contains(word), "{problem}");
        assert!(imported.save(&folder.path().join("w")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn another_encoder_is_recognised() {
    let written = as_written(&rule_filled(BackboneKind::DenseNet121, Graph::Torch));
    let file = writers::safetensors(&written);
    let imported = import(&file, "w.safetensors", BackboneKind::ResNet50).unwrap();
    let problem = imported.report.problem.unwrap();
    assert!(
        problem.contains("--as densenet121") && problem.contains("604 of 604"),
        "{problem}"
    );
    // A deeper network of the same family holds every tensor of the smaller one, and more.
    let mut deeper = written.clone();
    deeper.push(Named {
        name: "features.denseblock4.denselayer17.norm1.weight".to_owned(),
        shape: vec![1024],
        values: vec![1.0; 1024],
    });
    let imported = import(
        &writers::safetensors(&deeper),
        "w.safetensors",
        BackboneKind::DenseNet121,
    )
    .unwrap();
    let problem = imported.report.problem.unwrap();
    assert!(problem.contains("denselayer17"), "{problem}");
    let missing = &written[1..];
    let imported = import(
        &writers::safetensors(missing),
        "w.safetensors",
        BackboneKind::DenseNet121,
    )
    .unwrap();
    let problem = imported.report.problem.unwrap();
    assert!(
        problem.contains("1 of 604 tensors are missing (the first is features.conv0.weight)"),
        "{problem}"
    );
}
