//! The folder of reference numbers, `RECOVNET_REFERENCE` or `../shared/reference/open`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use recovnet::nn::{DType, Device, Tensor};

/// Where the folder lies if the environment does not say.
fn default_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/open")
}

/// The folder; `None` (said on standard error) where it is missing and may be.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("RECOVNET_REFERENCE").map_or_else(default_folder, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{}: the goldens must be there in CI",
        folder.display()
    );
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// A file of the folder; of the usual folder where another one, which may hold networks only, lacks it.
fn file(name: &str) -> Option<PathBuf> {
    let path = folder()?.join(name);
    Some(if path.exists() {
        path
    } else {
        default_folder().join(name)
    })
}

/// A JSON file of the folder.
#[allow(dead_code, reason = "not every test binary reads JSON")]
pub fn json(name: &str) -> Option<serde_json::Value> {
    let path = file(name)?;
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(serde_json::from_str(&text).expect("JSON"))
}

/// A safetensors file of the folder.
#[allow(dead_code, reason = "as above")]
pub fn tensors(name: &str) -> Option<HashMap<String, Tensor>> {
    let path = file(name)?;
    Some(candle_core::safetensors::load(&path, &Device::Cpu).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// All elements, row-major, from whatever device.
pub fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor
        .to_device(&Device::Cpu)
        .and_then(|t| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1())
        .expect("elements that are numbers")
}

/// An array of numbers, whatever its nesting.
#[allow(dead_code, reason = "as above")]
pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value {
        serde_json::Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or_else(|| panic!("{other} is no number"))],
    }
}

/// Fails unless all values agree within a tolerance.
#[allow(dead_code, reason = "as above")]
pub fn within(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= tolerance,
            "{what}[{i}]: {f}, expected {e} within {tolerance}"
        );
    }
}
