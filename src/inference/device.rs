//! Which device computes, and in words why.

use std::str::FromStr;

use crate::nn::{self, DType, Device, Tape, Tensor, Value, ops};

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
        cause: nn::Error,
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
    /// Opens the device; `auto` falls back to the CPU and its label says why.
    ///
    /// # Errors
    /// If a CUDA device was asked for by number and cannot be used.
    pub fn open(self) -> Result<Opened, Error> {
        match self {
            Self::Cpu => Ok(cpu(None)),
            Self::Auto if !cfg!(feature = "cuda") => Ok(cpu(None)),
            Self::Auto => Ok(cuda(0).and_then(computes).unwrap_or_else(|reason| cpu(Some(&reason)))),
            Self::Cuda(ordinal) => cuda(ordinal).map_err(|reason| Error::NoCuda { ordinal, reason }),
        }
    }
}

/// The CPU; `instead_of_cuda` says why it is not a GPU that was hoped for.
pub fn cpu(instead_of_cuda: Option<&str>) -> Opened {
    let threads = ops::cpu::threads();
    let plural = if threads == 1 { "" } else { "s" };
    let reason = instead_of_cuda
        .map(|reason| format!(" (no CUDA: {reason})"))
        .unwrap_or_default();
    Opened {
        device: Device::Cpu,
        label: format!("CPU, {threads} thread{plural}{reason}"),
    }
}

/// The device if our operations run on it, or the reason why not.
fn computes(opened: Opened) -> Result<Opened, String> {
    let probe = || {
        let pixel = Tensor::zeros((1, 1, 1, 1), DType::F32, &opened.device)?;
        ops::upsample_x2(&mut Tape::evaluation(), &Value::constant(pixel)).map(drop)
    };
    match probe() {
        Ok(()) => Ok(opened),
        Err(error) => Err(error.to_string()),
    }
}

/// Opens a CUDA device, or says why not. The binding panics where the driver's libraries are missing, so a panic
/// counts as a reason.
fn cuda(ordinal: usize) -> Result<Opened, String> {
    if !cfg!(feature = "cuda") {
        return Err("this program was built without CUDA".to_owned());
    }
    match std::panic::catch_unwind(|| Device::new_cuda(ordinal)) {
        Ok(Ok(device)) => Ok(Opened {
            device,
            label: format!("CUDA device {ordinal}"),
        }),
        Ok(Err(error)) => Err(error.to_string().lines().next().unwrap_or("no reason given").to_owned()),
        Err(_) => Err("the CUDA libraries or the driver are not there".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_lets_the_cpu_pass() {
        assert_eq!(computes(cpu(None)).map(|opened| opened.label), Ok(cpu(None).label));
    }
}
