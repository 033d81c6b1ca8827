//! A GPU that fails while it computes. No GPU is needed: the work itself says that one failed.

use std::path::Path;

use recovnet::inference::device::DeviceChoice;
use recovnet::inference::models::{ClassifierName, Models};
use recovnet::inference::pipeline::{Error, analyse};
use recovnet::{imaging, nn};

use crate::support;

const LOST: &str = "convolution (1 picture): the GPU was lost";

fn lost() -> Error {
    Error::Network(nn::Error::Gpu {
        operation: "convolution",
        sizes: "1 picture".to_owned(),
        reason: "the GPU was lost".to_owned(),
        full: false,
    })
}

fn load(folder: &Path, device: &str) -> Models {
    Models::load(Some(folder), ClassifierName::RecovnetV1, device).unwrap()
}

#[test]
fn what_the_gpu_of_auto_fails_at_is_computed_on_the_cpu_and_the_label_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chest.png");
    support::write_chest(&path, 40, 40, 1);
    let image = imaging::open(&path).unwrap();
    let mut models = load(&support::weights_folder(), "auto");
    let mut runs = 0;
    let found = models.compute(|models| {
        runs += 1;
        if runs == 1 {
            return Err(lost());
        }
        analyse(models, &image, &mut |_| true)
    });
    let found = found.unwrap();
    assert_eq!(runs, 2);
    assert!(models.device.is_cpu());
    for label in [&found.device, &models.device_label] {
        assert!(
            label.starts_with("CPU, ") && label.contains(&format!("no CUDA: {LOST}")),
            "{label}"
        );
    }
    // There is nothing left to go to.
    let error = models.compute(|_| Err::<(), _>(lost())).unwrap_err();
    assert_eq!(error.to_string(), LOST);
}

#[test]
fn what_was_asked_for_by_name_and_what_is_no_fault_of_a_gpu_ends_in_the_error() {
    assert!(DeviceChoice::Auto.instead_of_gpu(LOST).is_some());
    for choice in [DeviceChoice::Cpu, DeviceChoice::Cuda(0)] {
        assert!(choice.instead_of_gpu(LOST).is_none());
    }
    let run = |device: &str, fail: fn() -> Error| {
        let mut runs = 0;
        let outcome = load(&support::weights_folder(), device).compute(|_| {
            runs += 1;
            Err::<(), _>(fail())
        });
        (outcome.unwrap_err().to_string(), runs)
    };
    assert_eq!(run("cpu", lost), (LOST.to_owned(), 1));
    let cancelled = || Error::Cancelled;
    assert_eq!(run("auto", cancelled), ("cancelled".to_owned(), 1));
}

#[test]
fn weights_that_are_gone_by_then_are_named_beside_the_gpu() {
    let folder = support::weights_copy();
    let mut models = load(folder.path(), "auto");
    std::fs::remove_file(folder.path().join("recovnet-v1.safetensors")).unwrap();
    let error = models.compute(|_| Err::<(), _>(lost())).unwrap_err().to_string();
    for part in [LOST, "on the CPU instead", "recovnet-v1.safetensors"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}
