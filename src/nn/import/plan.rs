//! Which tensor of a file is which of ours: the rules for torch's and Keras's names, and what is said about the
//! tensors that are not needed.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::backbone::Backbone;
use super::super::init::Init;
use super::super::{BackboneKind, Device, Graph, Result, Role};
use super::keras::{self, Class, Layer};
use super::source::{Format, Found};

/// A tensor that an encoder needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    /// Its torch name.
    pub name: String,
    /// Its shape, kernels as OIHW.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

impl Needed {
    /// Torch name of the layer that it belongs to.
    pub fn layer(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(layer, _)| layer)
    }
}

/// All tensors of an encoder, in the order of its graph.
///
/// # Errors
/// If there is no room for an empty network of this kind.
pub(super) fn needed(kind: BackboneKind, graph: Graph) -> Result<Vec<Needed>> {
    let encoder = Backbone::new(kind, graph, &mut Init::blank(&Device::Cpu))?;
    let mut needed = Vec::new();
    encoder.visit(&mut |name, tensor, role| {
        let mut shape = tensor.dims().to_vec();
        if let [o, kh, kw, i] = shape[..] {
            shape = vec![o, i, kh, kw];
        }
        needed.push(Needed {
            name: name.to_owned(),
            shape,
            role,
        });
    });
    Ok(needed)
}

/// What a tensor is that an encoder does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// torch's count of batches.
    Counter,
    /// A classifier for other classes than ours.
    Head,
    /// Part of an encoder, but not of this one.
    OtherEncoder,
    /// None of these.
    Unknown,
}

/// What is taken from where.
#[derive(Debug)]
pub(super) struct Plan {
    /// For each needed tensor the number of the found one.
    pub sources: Vec<Option<usize>>,
    /// The found ones that are not needed.
    pub rest: Vec<(usize, Rest)>,
}

impl Plan {
    /// Matches names; shapes are not looked at.
    pub fn new(needed: &[Needed], found: &[Found], format: Format) -> Self {
        let by_name = match format {
            Format::KerasNamed => named(needed, found),
            Format::KerasCounted => counted(needed, found),
            _ => found
                .iter()
                .enumerate()
                .map(|(i, f)| (torch_name(&f.name), i))
                .collect(),
        };
        let sources: Vec<Option<usize>> = needed.iter().map(|n| by_name.get(&n.name).copied()).collect();
        let used: HashSet<usize> = sources.iter().flatten().copied().collect();
        let stems: HashSet<&str> = needed.iter().map(|n| first(&n.name)).collect();
        let rest = (0..found.len()).filter(|i| !used.contains(i)).map(|i| {
            let name = &found[i].name;
            let what = if format.is_keras() {
                keras_rest(name)
            } else {
                torch_rest(&torch_name(name), &stems)
            };
            (i, what)
        });
        Self {
            sources,
            rest: rest.collect(),
        }
    }

    /// How many needed tensors are there in their shape.
    pub fn fits(&self, needed: &[Needed], found: &[Found], format: Format) -> usize {
        let fit = |(n, source): (&Needed, &Option<usize>)| {
            source.is_some_and(|i| n.shape == shape(&found[i], n.role, format))
        };
        needed
            .iter()
            .zip(&self.sources)
            .filter(|pair| fit((pair.0, pair.1)))
            .count()
    }
}

/// Shape of a found tensor in our layout: Keras's kernels are HWIO.
pub(super) fn shape(found: &Found, role: Role, format: Format) -> Vec<usize> {
    match found.shape[..] {
        [h, w, i, o] if role == Role::Kernel && format.is_keras() => vec![o, i, h, w],
        _ => found.shape.clone(),
    }
}

fn first(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// A torch name without the prefix of parallel training, and `DenseNet`'s as it is today: files of 2017 have
/// `denselayer1.norm.1` for `denselayer1.norm1`.
pub(super) fn torch_name(name: &str) -> String {
    let name = name.strip_prefix("module.").unwrap_or(name);
    let mut parts: Vec<&str> = name.split('.').collect();
    let legacy = parts.windows(3).position(|part| {
        part[0].starts_with("denselayer") && matches!(part[1], "norm" | "conv" | "relu") && matches!(part[2], "1" | "2")
    });
    let Some(at) = legacy else { return name.to_owned() };
    let joined = format!("{}{}", parts[at + 1], parts[at + 2]);
    parts.splice(at + 1..at + 3, [joined.as_str()]);
    parts.join(".")
}

fn torch_rest(name: &str, stems: &HashSet<&str>) -> Rest {
    if name.ends_with(".num_batches_tracked") {
        return Rest::Counter;
    }
    match first(name) {
        "fc" | "classifier" | "classif" | "head" | "last_linear" | "AuxLogits" => Rest::Head,
        stem if stems.contains(stem) => Rest::OtherEncoder,
        _ => Rest::Unknown,
    }
}

fn keras_rest(path: &str) -> Rest {
    let layer = match counted_layer(path) {
        Some((_, layer, _)) => layer.to_owned(),
        None => named_layer(path).0,
    };
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| layer.starts_with(prefix));
    if begins(&["predictions", "dense", "fc"]) {
        Rest::Head
    } else if begins(&["conv", "batch_normalization", "block", "pool", "bn"]) {
        Rest::OtherEncoder
    } else {
        Rest::Unknown
    }
}

/// The layers that hold `needed`, of one class, in the order of the graph.
fn layers(needed: &[Needed], class: Class) -> Vec<Layer<'_>> {
    let role = match class {
        Class::Convolution => Role::Kernel,
        Class::Norm => Role::RunningMean,
    };
    let of_role = needed.iter().filter(|n| n.role == role);
    of_role.map(|n| (n.layer(), class)).collect()
}

/// Our name of a layer's variable by Keras's.
fn ours(layer: &str, class: Class, variable: &str) -> String {
    let part = match (class, variable) {
        (Class::Convolution, "kernel") | (Class::Norm, "gamma") => "weight",
        (_, "bias" | "beta") => "bias",
        (_, "moving_mean") => "running_mean",
        (_, "moving_variance") => "running_var",
        (_, other) => other,
    };
    format!("{layer}.{part}")
}

/// A layer and its variable from a path such as `conv1/conv/conv1/conv/kernel:0`; a `/` in a layer's name becomes
/// `_`, as Keras 3 has it.
fn named_layer(path: &str) -> (String, &str) {
    let path = path.strip_prefix("model_weights/").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let (variable, groups) = parts.split_last().unwrap_or((&"", &[]));
    let variable = variable.split(':').next().unwrap_or(variable);
    let (one, two) = groups.split_at(groups.len() / 2);
    let layer = if one == two {
        one.join("_")
    } else if let ["conv1", part @ ("conv" | "bn"), ..] = groups {
        format!("conv1_{part}")
    } else {
        groups.first().copied().unwrap_or_default().to_owned()
    };
    (layer, variable)
}

/// Number at the end of an automatic name: `conv2d` is 0, `conv2d_7` is 7.
fn automatic_number(layer: &str, class: Class) -> Option<usize> {
    match layer.strip_prefix(class.automatic())? {
        "" => Some(0),
        rest => rest.strip_prefix('_')?.parse().ok(),
    }
}

/// Files that go by layer names: our names to found tensors.
fn named(needed: &[Needed], found: &[Found]) -> HashMap<String, usize> {
    let mut held: HashMap<String, Vec<(&str, usize)>> = HashMap::new();
    for (i, f) in found.iter().enumerate() {
        let (layer, variable) = named_layer(&f.name);
        held.entry(layer).or_default().push((variable, i));
    }
    let mut names = HashMap::new();
    for class in [Class::Convolution, Class::Norm] {
        let (own, automatic): (Vec<_>, Vec<_>) = layers(needed, class)
            .into_iter()
            .partition(|(layer, _)| keras::own_name(layer).is_some());
        // Only the order of the numbers counts: the first depends on what the session made before.
        let mut numbered: Vec<(usize, &str)> = held
            .keys()
            .filter_map(|key| Some((automatic_number(key, class)?, key.as_str())))
            .collect();
        numbered.sort_unstable();
        let own = own
            .into_iter()
            .map(|(layer, _)| (layer, keras::own_name(layer).unwrap_or_default()));
        let made = if numbered.len() == automatic.len() {
            keras::as_made(&automatic)
        } else {
            Vec::new()
        };
        let automatic = made
            .iter()
            .zip(numbered)
            .map(|((layer, _), (_, key))| (*layer, key.to_owned()));
        for (layer, key) in own.chain(automatic) {
            for &(variable, i) in held.get(&key).into_iter().flatten() {
                names.insert(ours(layer, class, variable), i);
            }
        }
    }
    names
}

/// Parent, layer and variable number of a path such as `layers/conv2d_12/vars/0`.
fn counted_layer(path: &str) -> Option<(&str, &str, usize)> {
    let (layer, variable) = path.rsplit_once("/vars/")?;
    let (parent, layer) = layer.rsplit_once('/').unwrap_or(("", layer));
    Some((parent, layer, variable.parse().ok()?))
}

/// Files that go by counters: our names to found tensors.
fn counted(needed: &[Needed], found: &[Found]) -> HashMap<String, usize> {
    let mut names = HashMap::new();
    for class in [Class::Convolution, Class::Norm] {
        let mut held: BTreeMap<(&str, usize), BTreeMap<usize, usize>> = BTreeMap::new();
        for (i, f) in found.iter().enumerate() {
            let Some((parent, layer, variable)) = counted_layer(&f.name) else {
                continue;
            };
            if let Some(number) = automatic_number(layer, class) {
                held.entry((parent, number)).or_default().insert(variable, i);
            }
        }
        let layers = keras::as_sorted(&layers(needed, class));
        if layers.len() != held.len() {
            continue;
        }
        for ((layer, _), variables) in layers.iter().zip(held.values()) {
            // A normalisation without scale keeps no gamma.
            let order: &[&str] = match (class, variables.len()) {
                (Class::Convolution, _) => &["kernel", "bias"],
                (Class::Norm, 3) => &["beta", "moving_mean", "moving_variance"],
                (Class::Norm, _) => &["gamma", "beta", "moving_mean", "moving_variance"],
            };
            for (&variable, &i) in variables {
                if let Some(variable) = order.get(variable) {
                    names.insert(ours(layer, class, variable), i);
                }
            }
        }
    }
    names
}
