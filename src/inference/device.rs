//! Which device computes, and in words why.

use std::str::FromStr;

use crate::nn::{self, Device, probe};

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such name.
    #[error("no device is called '{0}'; there are auto, cpu and cuda:N")]
    UnknownName(String),
    /// CUDA was asked for and is not there.
    #[error("cuda:{ordinal} cannot be used: {reason}; choose --device auto or cpu")]
    NoCuda {
        /// Number of the GPU.
        ordinal: usize,
        /// One sentence with the cause.
        reason: String,
    },
    /// The device is there, but the networks do not run on it.
    #[error("the networks do not run on {device}: {cause}; choose --device auto or cpu")]
    CannotCompute {
        /// As it was asked for.
        device: String,
        /// What the network said.
        cause: Box<nn::Error>,
    },
}

/// What `--device` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device if it works, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// One CUDA device, or an error.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownName(name.to_owned());
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => {
                let ordinal = other.strip_prefix("cuda:").ok_or_else(unknown)?;
                ordinal.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

/// An opened device.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The device.
    pub device: Device,
    /// What it is, in words: `CPU, 2 threads`.
    pub label: String,
}

impl DeviceChoice {
    /// Opens the device and has it compute a little; `auto` falls back to the CPU and its label says why.
    ///
    /// # Errors
    /// If a CUDA device was asked for by number and cannot be used.
    pub fn open(self) -> Result<Opened, Error> {
        match self {
            Self::Cpu => Ok(cpu(None)),
            Self::Auto if !cfg!(feature = "cuda") => Ok(cpu(None)),
            Self::Auto => Ok(Self::Cuda(0).open().unwrap_or_else(|error| cpu(Some(&error.cause())))),
            Self::Cuda(ordinal) => {
                let opened = cuda(ordinal).map_err(|reason| Error::NoCuda { ordinal, reason })?;
                probe::check(&opened.device).map_err(|cause| Error::CannotCompute {
                    device: format!("cuda:{ordinal}"),
                    cause: Box::new(cause),
                })?;
                Ok(opened)
            }
        }
    }

    /// The CPU instead of a GPU that failed, with a label that says why; `None` unless the GPU was the choice of `auto`.
    pub fn instead_of_gpu(self, cause: &str) -> Option<Opened> {
        (self == Self::Auto).then(|| cpu(Some(cause)))
    }
}

impl Error {
    /// The cause alone.
    pub fn cause(&self) -> String {
        match self {
            Self::NoCuda { reason, .. } => reason.clone(),
            Self::CannotCompute { cause, .. } => cause.to_string(),
            Self::UnknownName(_) => self.to_string(),
        }
    }
}

/// The CPU; `instead_of_cuda` says why it is not a GPU that was hoped for.
pub fn cpu(instead_of_cuda: Option<&str>) -> Opened {
    let threads = nn::ops::cpu::threads();
    let plural = if threads == 1 { "" } else { "s" };
    let reason = instead_of_cuda
        .map(|reason| format!(" (no CUDA: {reason})"))
        .unwrap_or_default();
    Opened {
        device: Device::Cpu,
        label: format!("CPU, {threads} thread{plural}{reason}"),
    }
}

/// Opens a CUDA device, or says why not.
#[cfg(feature = "cuda")]
fn cuda(ordinal: usize) -> Result<Opened, String> {
    use crate::nn::ops::cuda;
    // The binding may panic where a driver answers what it does not know; that is a reason like others.
    let opened = std::panic::catch_unwind(|| cuda::open(ordinal));
    let device = opened.unwrap_or_else(|_| Err("the CUDA binding failed".to_owned()))?;
    let name = cuda::name(&device).unwrap_or_default();
    Ok(Opened {
        label: format!("CUDA device {ordinal} ({name})"),
        device,
    })
}

/// Opens a CUDA device, or says why not.
#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<Opened, String> {
    Err("this program was built without CUDA".to_owned())
}

/// What there is of CUDA, what is used and why not, a line each.
pub fn cuda_report() -> Vec<String> {
    let mut lines = match DeviceChoice::Cuda(0).open() {
        Ok(opened) => vec![format!("{} is used{}", opened.label, details(&opened.device))],
        Err(error) => vec![format!("not used: {}", error.cause())],
    };
    lines.extend(libraries());
    lines
}

#[cfg(feature = "cuda")]
fn details(device: &Device) -> String {
    let described = nn::ops::cuda::describe(device);
    described.map(|words| format!(", {words}")).unwrap_or_default()
}

#[cfg(not(feature = "cuda"))]
fn details(_: &Device) -> String {
    String::new()
}

/// The libraries in use, or where they were looked for.
#[cfg(feature = "cuda")]
fn libraries() -> Vec<String> {
    use crate::nn::cuda_runtime::{self, PATH_VARIABLE};
    if let Ok(found) = cuda_runtime::load() {
        let told = found.iter().map(|f| format!("{} is {}", f.name, f.path.display()));
        return told.collect();
    }
    let folders: Vec<String> = cuda_runtime::searched()
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    vec![format!(
        "libraries were looked for where the system looks, and in: {}; {PATH_VARIABLE} names another folder",
        folders.join(", ")
    )]
}

#[cfg(not(feature = "cuda"))]
fn libraries() -> Vec<String> {
    Vec::new()
}
