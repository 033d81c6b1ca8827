//! Keras's names of our layers, as rules. Three things have to be told apart: layers with names of their own,
//! layers that Keras numbers as they are made, and layers that Keras 3 counts as they are sorted in the model.

use std::cmp::Reverse;
use std::collections::HashMap;

/// Class of a layer that has weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// `Conv2D`.
    Convolution,
    /// `BatchNormalization`.
    Norm,
}

impl Class {
    /// The name that Keras numbers.
    pub fn automatic(self) -> &'static str {
        match self {
            Self::Convolution => "conv2d",
            Self::Norm => "batch_normalization",
        }
    }
}

/// Where a layer stands in its network. `Place::of` reads it from the layer's torch name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Block or module, by its name.
    module: String,
    /// Branch of the module, in the order in which Keras makes them.
    branch: usize,
    /// Position in the branch, and among layers side by side at that position.
    position: (usize, usize),
}

/// A layer's torch name and class.
pub type Layer<'a> = (&'a str, Class);

/// Branches of `Inception`-v3's modules in the order in which they are made.
const V3_BRANCHES: [&str; 8] = ["1x1", "5x5", "3x3", "7x7", "7x7x3", "3x3dbl", "7x7dbl", "pool"];
/// Branch of what follows the branches of an `Inception`-`ResNet` block.
const AFTER_BRANCHES: usize = usize::MAX;
/// Keras layers of a convolution: itself, its normalisation, its `ReLU`.
const LAYERS_A_CONVOLUTION: usize = 3;

impl Place {
    fn of(layer: &str) -> Self {
        let layer = layer
            .strip_suffix(".conv")
            .or(layer.strip_suffix(".bn"))
            .unwrap_or(layer);
        let whole = |module: &str| Self {
            module: module.to_owned(),
            branch: 0,
            position: (0, 0),
        };
        if let Some((module, branch)) = layer.split_once(".branch") {
            let place = if branch.starts_with(|c: char| c.is_ascii_digit()) && !branch.contains('x') {
                Self::of_numbered_branch(branch)
            } else {
                Self::of_named_branch(branch)
            };
            return place.map_or_else(
                || whole(layer),
                |place| Self {
                    module: module.to_owned(),
                    ..place
                },
            );
        }
        if let Some(module) = layer.strip_suffix(".conv2d") {
            return Self {
                branch: AFTER_BRANCHES,
                ..whole(module)
            };
        }
        Self::of_residual(layer).unwrap_or_else(|| whole(layer))
    }

    /// `1.0` of timm's Inception-ResNet-v2.
    fn of_numbered_branch(branch: &str) -> Option<Self> {
        let (branch, position) = branch.split_once('.').unwrap_or((branch, "0"));
        Some(Self {
            module: String::new(),
            branch: branch.parse().ok()?,
            position: (position.parse().ok()?, 0),
        })
    }

    /// `3x3dbl_2`, `3x3_2a`, `pool` of torchvision's Inception-v3.
    fn of_named_branch(branch: &str) -> Option<Self> {
        let branch = branch.trim_start_matches('_');
        let (name, position) = branch.rsplit_once('_').unwrap_or((branch, "1"));
        let side = position.strip_suffix('a').map(|p| (p, 0));
        let side = side.or(position.strip_suffix('b').map(|p| (p, 1)));
        let (position, side) = side.unwrap_or((position, 0));
        Some(Self {
            module: String::new(),
            branch: V3_BRANCHES.iter().position(|known| *known == name)?,
            position: (position.parse().ok()?, side),
        })
    }

    /// `layer1.0.conv2`, `layer1.0.downsample.1` of `ResNet`, whose shortcut Keras makes first.
    fn of_residual(layer: &str) -> Option<Self> {
        let rest = layer.strip_prefix("layer")?;
        let cut = rest.match_indices('.').nth(1)?.0;
        let (module, layer) = (&rest[..cut], &rest[cut + 1..]);
        let position = layer.strip_prefix("conv").or(layer.strip_prefix("bn"));
        let (branch, position) = match position {
            Some(position) => (1, position.parse().ok()?),
            None if layer.starts_with("downsample.") => (0, 0),
            None => return None,
        };
        Some(Self {
            module: format!("layer{module}"),
            branch,
            position: (position, 0),
        })
    }
}

/// A layer with its place, the number of its module, and the number of Keras layers from it to the module's end.
struct Placed<'a> {
    layer: Layer<'a>,
    place: Place,
    module: usize,
    depth: usize,
}

/// Places of `layers`, whose modules must come in the order of the graph.
fn placed<'a>(layers: &[Layer<'a>]) -> Vec<Placed<'a>> {
    let places: Vec<Place> = layers.iter().map(|(name, _)| Place::of(name)).collect();
    let mut modules: HashMap<&str, usize> = HashMap::new();
    // Last position of each branch, and whether it ends in layers side by side, which Keras joins by a layer more.
    let mut ends: HashMap<(&str, usize), (usize, bool)> = HashMap::new();
    for place in &places {
        let next = modules.len();
        modules.entry(&place.module).or_insert(next);
        let end = ends.entry((&place.module, place.branch)).or_default();
        *end = (end.0.max(place.position.0), end.1 || place.position.1 > 0);
    }
    let placed = |(&layer, place): (&Layer<'a>, &Place)| {
        let (end, forked) = ends[&(place.module.as_str(), place.branch)];
        let behind = 1 + LAYERS_A_CONVOLUTION * (end - place.position.0) + usize::from(forked);
        Placed {
            layer,
            place: place.clone(),
            module: modules[place.module.as_str()],
            depth: if place.branch == AFTER_BRANCHES { 0 } else { behind },
        }
    };
    layers.iter().zip(&places).map(placed).collect()
}

/// Layers in the order in which Keras makes them, which is the order of its automatic numbers.
pub fn as_made<'a>(layers: &[Layer<'a>]) -> Vec<Layer<'a>> {
    let mut placed = placed(layers);
    placed.sort_by_key(|at| (at.module, at.place.branch, at.place.position));
    placed.into_iter().map(|at| at.layer).collect()
}

/// Layers in the order in which a Keras model sorts them: by the number of layers that still follow, then as they
/// were made. Keras 3 counts in this order.
pub fn as_sorted<'a>(layers: &[Layer<'a>]) -> Vec<Layer<'a>> {
    let mut placed = placed(layers);
    placed.sort_by_key(|at| (at.module, Reverse(at.depth), at.place.branch, at.place.position));
    placed.into_iter().map(|at| at.layer).collect()
}

/// The name that Keras gives a layer, with `_` for `/`; `None` where it numbers it.
pub fn own_name(layer: &str) -> Option<String> {
    let parts: Vec<&str> = layer.split('.').collect();
    let number = |text: &str, prefix: &str| text.strip_prefix(prefix)?.parse::<usize>().ok();
    Some(match parts.as_slice() {
        ["conv1"] | ["features", "conv0"] => "conv1_conv".to_owned(),
        ["bn1"] | ["features", "norm0"] => "conv1_bn".to_owned(),
        ["features", "norm5"] => "bn".to_owned(),
        ["features", block, layer, part] => {
            let (block, layer) = (number(block, "denseblock")?, number(layer, "denselayer")?);
            let part = match *part {
                "norm1" => "0_bn",
                "conv1" => "1_conv",
                "norm2" => "1_bn",
                "conv2" => "2_conv",
                _ => return None,
            };
            format!("conv{}_block{layer}_{part}", block + 1)
        }
        ["features", transition, part] => {
            let part = if *part == "norm" { "bn" } else { part };
            format!("pool{}_{part}", number(transition, "transition")? + 1)
        }
        ["conv2d_7b", "conv"] => "conv_7b".to_owned(),
        ["conv2d_7b", "bn"] => "conv_7b_bn".to_owned(),
        ["block8", "conv2d"] => "block8_10_conv".to_owned(),
        [stage, block, "conv2d"] => {
            let stage = match *stage {
                "repeat" => "block35",
                "repeat_1" => "block17",
                "repeat_2" => "block8",
                _ => return None,
            };
            format!("{stage}_{}_conv", block.parse::<usize>().ok()? + 1)
        }
        [stage, block, rest @ ..] if stage.starts_with("layer") => {
            let (stage, block) = (number(stage, "layer")? + 1, block.parse::<usize>().ok()? + 1);
            let part = match rest {
                ["downsample", "0"] => "0_conv".to_owned(),
                ["downsample", "1"] => "0_bn".to_owned(),
                [layer] if layer.starts_with("conv") => format!("{}_conv", number(layer, "conv")?),
                [layer] => format!("{}_bn", number(layer, "bn")?),
                _ => return None,
            };
            format!("conv{stage}_block{block}_{part}")
        }
        _ => return None,
    })
}
