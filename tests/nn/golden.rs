//! Goldens of the networks: the value rule that Rust and Python share, and the sampled tensors.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use recovnet::inference::device::DeviceChoice;
use recovnet::nn::{BackboneKind, Device, Graph, Network, Role, Tensor};

use crate::reference::{flat, folder, json, within};

/// The configuration of a golden, by the name that begins its files.
fn configuration(name: &str) -> (BackboneKind, Graph) {
    let (name, graph) = name
        .strip_suffix("_keras")
        .map_or((name, Graph::Torch), |n| (n, Graph::Keras));
    (
        name.parse().unwrap_or_else(|e| panic!("a golden of no backbone: {e}")),
        graph,
    )
}

/// Where the goldens are computed: `RECOVNET_GOLDEN_DEVICE`, such as `cuda:0`, or the CPU.
pub fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || {
        let name = std::env::var("RECOVNET_GOLDEN_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
        let opened = name.parse().and_then(DeviceChoice::open);
        opened.unwrap_or_else(|e| panic!("RECOVNET_GOLDEN_DEVICE: {e}")).device
    };
    DEVICE.get_or_init(open).clone()
}

/// A tolerance that holds on the CPU, and ten times that on a GPU, which sums in another order.
pub fn tolerance(cpu: f64) -> f64 {
    if device().is_cpu() { cpu } else { 10.0 * cpu }
}

/// Every `CFG.KIND*.safetensors`.
pub fn goldens(kind: &str) -> Vec<Golden> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder can be listed") {
        let path = entry.expect("an entry can be read").path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((name, rest)) = file.split_once('.') else {
            continue;
        };
        if !rest.starts_with(kind) || !rest.ends_with("safetensors") {
            continue;
        }
        let (backbone, graph) = configuration(name);
        found.push(Golden::read(&path, backbone, graph));
    }
    for backbone in BackboneKind::ALL {
        assert!(
            found.iter().any(|g| g.backbone == backbone),
            "no {kind} golden for {backbone} in {}",
            folder.display()
        );
    }
    found
}

/// One golden file.
pub struct Golden {
    pub name: String,
    pub backbone: BackboneKind,
    pub graph: Graph,
    pub seed: u64,
    tensors: BTreeMap<String, Tensor>,
}

/// Some elements of a tensor in torch layout, and statistics over all of them.
pub struct Sampled {
    pub shape: Vec<usize>,
    pub index: Vec<usize>,
    pub values: Vec<f64>,
    /// Mean, population standard deviation, minimum, maximum, l2 norm.
    pub stats: Vec<f64>,
}

impl Golden {
    fn read(path: &Path, backbone: BackboneKind, graph: Graph) -> Self {
        let bytes = std::fs::read(path).expect("the golden can be read");
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let seed = header.metadata().as_ref().expect("metadata")["seed"]
            .parse()
            .expect("a seed");
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).expect("tensors");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            name,
            backbone,
            graph,
            seed,
            tensors: tensors.into_iter().collect(),
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.tensors.contains_key(key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub fn values(&self, key: &str) -> Vec<f64> {
        let tensor = self
            .tensors
            .get(key)
            .unwrap_or_else(|| panic!("{}: no {key}", self.name));
        flat(tensor)
    }

    pub fn shape(&self, key: &str) -> Vec<usize> {
        self.tensors[key].dims().to_vec()
    }

    pub fn sampled(&self, key: &str) -> Sampled {
        let integers = |suffix: &str| -> Vec<usize> {
            self.tensors[&format!("{key}.{suffix}")]
                .to_vec1::<i64>()
                .expect("i64")
                .into_iter()
                .map(|i| i as usize)
                .collect()
        };
        Sampled {
            shape: integers("shape"),
            index: integers("idx"),
            values: self.values(&format!("{key}.val")),
            stats: self.values(&format!("{key}.stats")),
        }
    }

    /// The network input of this golden, `[n, 3, h, w]`.
    pub fn input(&self, tag: &str) -> Tensor {
        let shape = self.sampled("input_s").shape;
        let input = rule_input(self.seed, tag, (shape[0], shape[2], shape[3]));
        close(&input, &self.sampled("input_s"), 0.0, &format!("{} input", self.name));
        input.to_device(&device()).expect("the device takes it")
    }

    /// Fills a network by the rule.
    pub fn fill(&self, network: &mut dyn Network) {
        let seed = self.seed;
        network.visit_mut(&mut |name, tensor, role| {
            let filled = rule_tensor(seed, name, tensor.dims(), role);
            *tensor = filled.to_device(tensor.device()).expect("the device takes it");
        });
    }
}

fn fnv1a64(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The numbers of one tensor; its name is hashed once.
#[derive(Clone, Copy)]
struct Rule(u64);

impl Rule {
    fn new(seed: u64, name: &str) -> Self {
        Self(fnv1a64(name) ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// In 0..1, of 24 bits.
    fn u24(self, i: u64) -> f64 {
        let mut z = self.0.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f64 / 16_777_216.0
    }

    fn uniform(self, i: usize, lo: f64, hi: f64) -> f32 {
        (lo + (hi - lo) * self.u24(i as u64)) as f32
    }
}

/// A tensor of the rule in memory layout; the rule counts kernels in OIHW order.
pub fn rule_tensor(seed: u64, name: &str, dims: &[usize], role: Role) -> Tensor {
    let fan_in: usize = dims[1..].iter().product();
    let a = (5.0 / fan_in as f64).sqrt();
    let (lo, hi) = match role {
        Role::Kernel | Role::Linear => (-a, a),
        Role::Gamma if name.ends_with(".bn3.weight") => (0.1, 0.3),
        Role::Gamma => (0.75, 1.25),
        Role::RunningVariance => (0.5, 1.5),
        Role::FixedGamma => (1.0, 1.0),
        Role::Bias | Role::Beta | Role::RunningMean => (-0.1, 0.1),
    };
    let rule = Rule::new(seed, name);
    let values: Vec<f32> = (0..dims.iter().product()).map(|i| rule.uniform(i, lo, hi)).collect();
    if role != Role::Kernel {
        return Tensor::from_vec(values, dims, &Device::Cpu).expect("shape");
    }
    let (o, kh, kw, c) = (dims[0], dims[1], dims[2], dims[3]);
    Tensor::from_vec(values, (o, c, kh, kw), &Device::Cpu)
        .and_then(|t| t.permute((0, 2, 3, 1))?.contiguous())
        .expect("shape")
}

fn rule_input(seed: u64, tag: &str, (n, h, w): (usize, usize, usize)) -> Tensor {
    let (rows, columns) = (h.div_ceil(32), w.div_ceil(32));
    let [noise, block] = ["noise", "block"].map(|part| Rule::new(seed, &format!("{tag}.{part}")));
    let mut values = Vec::with_capacity(n * 3 * h * w);
    for plane in 0..n * 3 {
        for y in 0..h {
            for x in 0..w {
                let fine = noise.uniform((plane * h + y) * w + x, -0.5, 0.5);
                let coarse = block.uniform((plane * rows + y / 32) * columns + x / 32, -1.5, 1.5);
                values.push((f64::from(fine) + f64::from(coarse)) as f32);
            }
        }
    }
    Tensor::from_vec(values, (n, 3, h, w), &Device::Cpu).expect("shape")
}

/// Fails unless a tensor in torch layout agrees with a sampled golden, relative to its largest value.
pub fn close(found: &Tensor, golden: &Sampled, tolerance: f64, what: &str) {
    assert_eq!(found.dims(), golden.shape, "{what}: shape");
    let all = flat(found);
    let picked: Vec<f64> = golden.index.iter().map(|i| all[*i]).collect();
    let largest = golden.stats[2].abs().max(golden.stats[3].abs());
    within(&picked, &golden.values, tolerance * largest, what);
    let n = all.len() as f64;
    let mean = all.iter().sum::<f64>() / n;
    let deviation = (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let minimum = all.iter().copied().fold(f64::INFINITY, f64::min);
    let maximum = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let l2 = all.iter().map(|v| v * v).sum::<f64>().sqrt();
    let limit = (tolerance * largest).max(1e-12 * largest);
    within(
        &[mean, deviation, minimum, maximum],
        &golden.stats[..4],
        limit,
        &format!("{what}: statistics"),
    );
    within(
        &[l2],
        &golden.stats[4..],
        tolerance.max(1e-12) * golden.stats[4],
        &format!("{what}: l2"),
    );
}

/// Relative L2 distance.
pub fn relative_l2(found: &[f64], reference: &[f64]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|d| d * d).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(reference).map(|(f, r)| f - r)) / norm(&mut reference.iter().copied()).max(1e-30)
}

#[test]
fn golden_value_rule_matches_its_self_test() {
    let Some(json) = json("rule_selftest.json") else { return };
    let seed = json["seed"].as_u64().expect("a seed");
    for (name, hash) in json["fnv1a64"].as_object().expect("hashes") {
        assert_eq!(fnv1a64(name).to_string(), hash.as_str().expect("a string"));
    }
    for (name, values) in json["u24"].as_object().expect("values") {
        for (i, v) in values.as_array().expect("a list").iter().enumerate() {
            within(
                &[Rule::new(seed, name).u24(i as u64)],
                &[v.as_f64().expect("a number")],
                1e-15,
                name,
            );
        }
    }
}
