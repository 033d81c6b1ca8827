//! Writers of the formats that are imported, as torch and Keras lay them out.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use hdf5_pure::FileBuilder;
use recovnet::nn::import::keras::{self, Class, Layer};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A tensor: name, shape and values, row-major. Kernels are OIHW.
#[derive(Debug, Clone)]
pub struct Named {
    /// torch name.
    pub name: String,
    /// OIHW for kernels.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn int(pickle: &mut Vec<u8>, number: usize) {
    pickle.push(b'J');
    pickle.extend((number as u32).to_le_bytes());
}

fn tuple(pickle: &mut Vec<u8>, numbers: &[usize]) {
    pickle.push(b'(');
    for &number in numbers {
        int(pickle, number);
    }
    pickle.push(b't');
}

/// Strides of a row-major tensor.
pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
pub fn tensor(pickle: &mut Vec<u8>, key: usize, count: usize, shape: &[usize], strides: &[usize], legacy: bool) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(b"ctorch\nFloatStorage\n");
    text(pickle, &key.to_string());
    text(pickle, "cpu");
    int(pickle, count);
    if legacy {
        pickle.push(b'N');
    }
    pickle.extend(b"tQ");
    int(pickle, 0);
    tuple(pickle, shape);
    tuple(pickle, strides);
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

/// The pickle of a state dictionary, with storage `i` for tensor `i`.
fn state_dict(tensors: &[Named], legacy: bool) -> Vec<u8> {
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (key, t) in tensors.iter().enumerate() {
        text(&mut pickle, &t.name);
        tensor(&mut pickle, key, t.values.len(), &t.shape, &row_major(&t.shape), legacy);
    }
    pickle.extend(b"u.");
    pickle
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// `torch.save` since 1.6 around any pickle.
pub fn archive(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("archive/data.pkl", stored).unwrap();
    zip.write_all(pickle).unwrap();
    zip.start_file("archive/byteorder", stored).unwrap();
    zip.write_all(b"little").unwrap();
    for (key, storage) in storages.iter().enumerate() {
        zip.start_file(format!("archive/data/{key}"), stored).unwrap();
        zip.write_all(storage).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// `torch.save` since 1.6.
pub fn torch_zip(tensors: &[Named]) -> Vec<u8> {
    let storages: Vec<Vec<u8>> = tensors.iter().map(|t| bytes(&t.values)).collect();
    archive(&state_dict(tensors, false), &storages)
}

/// What a file of `torch.save` before 1.6 begins with: magic number, version, system.
pub fn legacy_head() -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend(b"\x80\x02}");
    text(&mut file, "little_endian");
    file.extend(b"\x88s.");
    file
}

/// `torch.save` before 1.6.
pub fn torch_legacy(tensors: &[Named]) -> Vec<u8> {
    let mut file = legacy_head();
    file.extend(state_dict(tensors, true));
    file.extend(b"\x80\x02](");
    for key in 0..tensors.len() {
        text(&mut file, &key.to_string());
    }
    file.extend(b"e.");
    for t in tensors {
        file.extend((t.values.len() as u64).to_le_bytes());
        file.extend(bytes(&t.values));
    }
    file
}

/// safetensors.
pub fn safetensors(tensors: &[Named]) -> Vec<u8> {
    let data: Vec<Vec<u8>> = tensors.iter().map(|t| bytes(&t.values)).collect();
    let views = tensors.iter().zip(&data).map(|(t, data)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, t.shape.clone(), data).unwrap();
        (t.name.clone(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// A dataset of an HDF5 file.
pub type Dataset = (String, Vec<usize>, Vec<f32>);

/// HDF5 with datasets by their paths.
pub fn hdf5(datasets: &[Dataset]) -> Vec<u8> {
    let mut tree = Tree::default();
    for dataset in datasets {
        tree.insert(&dataset.0, dataset);
    }
    let mut file = FileBuilder::new();
    for (name, child) in &tree.children {
        if let Some((_, shape, values)) = child.dataset {
            let shape: Vec<u64> = shape.iter().map(|&side| side as u64).collect();
            file.create_dataset(name).with_f32_data(values).with_shape(&shape);
        } else {
            let mut group = file.create_group(name);
            child.write(&mut group);
            file.add_group(group.finish());
        }
    }
    file.finish().unwrap()
}

/// Groups by name.
#[derive(Default)]
struct Tree<'a> {
    children: BTreeMap<String, Tree<'a>>,
    dataset: Option<&'a Dataset>,
}

impl<'a> Tree<'a> {
    fn insert(&mut self, path: &str, dataset: &'a Dataset) {
        match path.split_once('/') {
            Some((group, rest)) => self.children.entry(group.to_owned()).or_default().insert(rest, dataset),
            None => self.children.entry(path.to_owned()).or_default().dataset = Some(dataset),
        }
    }

    fn write(&self, group: &mut hdf5_pure::GroupBuilder) {
        for (name, child) in &self.children {
            if let Some((_, shape, values)) = child.dataset {
                let shape: Vec<u64> = shape.iter().map(|&side| side as u64).collect();
                group.create_dataset(name).with_f32_data(values).with_shape(&shape);
            } else {
                let mut inner = group.create_group(name);
                child.write(&mut inner);
                group.add_group(inner.finish());
            }
        }
    }
}

/// HWIO for OIHW, as Keras keeps kernels.
fn keras_layout(t: &Named) -> (Vec<usize>, Vec<f32>) {
    let [o, i, h, w] = t.shape[..] else {
        return (t.shape.clone(), t.values.clone());
    };
    let mut values = Vec::with_capacity(t.values.len());
    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        for (c, k) in (0..i).flat_map(|c| (0..o).map(move |k| (c, k))) {
            values.push(t.values[((k * i + c) * h + y) * w + x]);
        }
    }
    (vec![h, w, i, o], values)
}

/// Layers of one class and their tensors, kernel or gamma first.
pub fn layers(tensors: &[Named], class: Class) -> Vec<Layer<'_>> {
    let end = match class {
        Class::Convolution => ".weight",
        Class::Norm => ".running_mean",
    };
    let of_class = tensors.iter().filter(|t| class == Class::Norm || t.shape.len() == 4);
    of_class
        .filter_map(|t| Some((t.name.strip_suffix(end)?, class)))
        .collect()
}

const VARIABLES: [(Class, &str, &str); 6] = [
    (Class::Convolution, "weight", "kernel"),
    (Class::Convolution, "bias", "bias"),
    (Class::Norm, "weight", "gamma"),
    (Class::Norm, "bias", "beta"),
    (Class::Norm, "running_mean", "moving_mean"),
    (Class::Norm, "running_var", "moving_variance"),
];

/// The layout of `.weights.h5` of Keras 3.
pub fn keras_counted(tensors: &[Named]) -> Vec<Dataset> {
    let mut datasets = Vec::new();
    for class in [Class::Convolution, Class::Norm] {
        for (number, (layer, _)) in keras::as_sorted(&layers(tensors, class)).iter().enumerate() {
            let held = VARIABLES.iter().filter(|v| v.0 == class).filter_map(|v| {
                tensors
                    .iter()
                    .find(|t| t.name.strip_prefix(layer).and_then(|n| n.strip_prefix('.')) == Some(v.1))
            });
            for (variable, t) in held.enumerate() {
                let number = if number == 0 {
                    String::new()
                } else {
                    format!("_{number}")
                };
                let (shape, values) = keras_layout(t);
                datasets.push((
                    format!("layers/{}{number}/vars/{variable}", class.automatic()),
                    shape,
                    values,
                ));
            }
        }
    }
    datasets
}

/// The layout of Keras 2, whose automatic numbers begin anywhere.
pub fn keras_named(tensors: &[Named], first_number: usize) -> Vec<Dataset> {
    let mut datasets = Vec::new();
    for class in [Class::Convolution, Class::Norm] {
        let mut number = first_number;
        for (layer, _) in keras::as_made(&layers(tensors, class)) {
            let name = keras::own_name(layer).unwrap_or_else(|| {
                number += 1;
                format!("{}_{}", class.automatic(), number - 1)
            });
            // Keras 2 has a slash in the names of DenseNet's stem.
            let densenet = layer.starts_with("features.");
            let name = match name.as_str() {
                "conv1_conv" if densenet => "conv1/conv".to_owned(),
                "conv1_bn" if densenet => "conv1/bn".to_owned(),
                _ => name,
            };
            for (of, part, variable) in VARIABLES {
                let t = tensors
                    .iter()
                    .find(|t| of == class && t.name == format!("{layer}.{part}"));
                if let Some(t) = t {
                    let (shape, values) = keras_layout(t);
                    datasets.push((format!("{name}/{name}/{variable}:0"), shape, values));
                }
            }
        }
    }
    datasets
}
