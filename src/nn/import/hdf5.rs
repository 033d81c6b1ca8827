//! HDF5 files as Keras writes them: every dataset below the root, found with bounds on depth and number.

use candle_core::{Device, Tensor};
use hdf5_pure::{DType, Dataset, File, Group};

use super::source::{Format, Found, Source, elements};

/// What an HDF5 file begins with.
pub(super) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Deepest group; Keras nests five deep.
const MOST_LEVELS: usize = 12;
/// Most groups and datasets, each counted as often as it is linked; the largest of these networks has 4,000.
const MOST_MEMBERS: usize = 100_000;
/// Most axes of a dataset.
const MOST_AXES: usize = 8;

/// An opened HDF5 file.
pub(super) struct KerasFile {
    format: Format,
    found: Vec<Found>,
    datasets: Vec<Dataset>,
}

fn broken(error: &hdf5_pure::Error) -> String {
    format!("is no whole HDF5 file ({error}); if the download was interrupted, get it again")
}

impl KerasFile {
    /// Reads the file's directory.
    ///
    /// # Errors
    /// A sentence, if it is damaged or without bounds.
    pub fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let file = File::from_bytes(bytes).map_err(|e| broken(&e))?;
        let mut walk = Walk::default();
        walk.group(&file.root(), "", 0)?;
        let format = if walk.found.iter().any(|found| found.name.contains("/vars/")) {
            Format::KerasCounted
        } else {
            Format::KerasNamed
        };
        Ok(Self {
            format,
            found: walk.found,
            datasets: walk.datasets,
        })
    }
}

/// A walk over all groups.
#[derive(Default)]
struct Walk {
    members: usize,
    found: Vec<Found>,
    datasets: Vec<Dataset>,
}

impl Walk {
    fn group(&mut self, group: &Group, path: &str, level: usize) -> Result<(), String> {
        if level > MOST_LEVELS {
            return Err(format!(
                "has groups more than {MOST_LEVELS} deep (they may contain themselves); Keras writes no such file"
            ));
        }
        let below = |name: &str| format!("{path}{name}");
        for (name, dataset) in group.iter_datasets().map_err(|e| broken(&e))? {
            self.count()?;
            self.dataset(below(&name), dataset)?;
        }
        for (name, child) in group.iter_groups().map_err(|e| broken(&e))? {
            self.count()?;
            self.group(&child, &format!("{}/", below(&name)), level + 1)?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        self.members += 1;
        if self.members > MOST_MEMBERS {
            return Err(format!(
                "has more than {MOST_MEMBERS} groups and datasets (groups may contain themselves); Keras writes no such \
                 file"
            ));
        }
        Ok(())
    }

    fn dataset(&mut self, name: String, dataset: Dataset) -> Result<(), String> {
        let sides = dataset.shape().map_err(|e| broken(&e))?;
        let shape: Option<Vec<usize>> = sides.iter().map(|&side| usize::try_from(side).ok()).collect();
        let Some(shape) = shape.filter(|shape| shape.len() <= MOST_AXES) else {
            return Err(format!(
                "claims a dataset {name} of shape {sides:?}, which no layer has"
            ));
        };
        let stored = match dataset.dtype().map_err(|e| broken(&e))? {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 | DType::I32 | DType::I16 | DType::I8 => "integer",
            DType::U64 | DType::U32 | DType::U16 | DType::U8 => "unsigned",
            _ => "other",
        };
        self.found.push(Found {
            name,
            shape,
            stored,
            strided: false,
        });
        self.datasets.push(dataset);
        Ok(())
    }
}

impl Source for KerasFile {
    fn format(&self) -> Format {
        self.format
    }

    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&self, index: usize) -> Result<Tensor, String> {
        let (found, dataset) = (&self.found[index], &self.datasets[index]);
        if !matches!(found.stored, "f32" | "f64") {
            return Err(format!("holds {} numbers, which weights are not", found.stored));
        }
        let count = elements(&found.shape).ok_or("is too large")?;
        // A chunk is unpacked whole, so a small dataset must not come in a huge one.
        let chunk = dataset.chunk_shape().map_err(|e| broken(&e))?.unwrap_or_default();
        let chunk = chunk.iter().try_fold(1_u64, |count, &side| count.checked_mul(side));
        if chunk.is_none_or(|chunk| chunk > 1 + 2 * count as u64) {
            return Err("is kept in chunks larger than itself".to_owned());
        }
        let values = dataset.read_f32().map_err(|e| broken(&e))?;
        if values.len() != count {
            return Err("has not as many numbers as its shape says".to_owned());
        }
        Tensor::from_vec(values, found.shape.as_slice(), &Device::Cpu).map_err(|e| e.to_string())
    }
}
