//! The program with CUDA on a machine without: it starts, says why it computes on the CPU, and computes.
//! `RECOVNET_CUDA_PROGRAM` names it; without it the test says that it is skipped.

use std::path::Path;
use std::process::{Command, Output};

use crate::{lines, stderr, stdout, support};

/// Runs the program where no library of CUDA can be found.
fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments);
    command
        .env("RECOVNET_WEIGHTS", support::weights_folder())
        .env("HOME", folder);
    for name in [
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "RECOVNET_CUDA_PATH",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

#[test]
fn the_program_with_cuda_runs_without_it() {
    let Some(program) = std::env::var_os("RECOVNET_CUDA_PROGRAM") else {
        eprintln!("skipped: RECOVNET_CUDA_PROGRAM names no program that was built with CUDA");
        return;
    };
    if Path::new("/sys/module/nvidia").exists() {
        eprintln!("skipped: this machine has an NVIDIA driver");
        return;
    }
    let program = std::path::absolute(program).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(&program, folder.path(), arguments);

    let doctor = run(&["doctor"]);
    let told = stdout(&doctor);
    assert_eq!(doctor.status.code(), Some(0), "{told}{}", stderr(&doctor));
    for words in [
        "features: cpu, cuda",
        "CUDA: not used: libcuda.so.1 is not there",
        "RECOVNET_CUDA_PATH",
    ] {
        assert!(told.contains(words), "{words} is not in: {told}");
    }

    assert_eq!(run(&["phantom", "phantom.png"]).status.code(), Some(0));
    let predicted = run(&["predict", "phantom.png", "--json", "-"]);
    assert_eq!(predicted.status.code(), Some(0), "{}", stderr(&predicted));
    let line = &lines(&predicted)[0];
    let device = line["device"].as_str().unwrap();
    assert!(
        device.starts_with("CPU, ") && device.contains("no CUDA: libcuda.so.1"),
        "{device}"
    );
    // The same numbers as the program that knows no CUDA.
    let plain = crate::run(folder.path(), &["predict", "phantom.png", "--json", "-"]);
    assert_eq!(line["probability"], lines(&plain)[0]["probability"]);

    let refused = run(&["predict", "phantom.png", "--device", "cuda:9"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = stderr(&refused);
    for words in [
        "cuda:9 cannot be used",
        "libcuda.so.1 is not there",
        "--device auto or cpu",
    ] {
        assert!(told.contains(words), "{words} is not in: {told}");
    }
}
