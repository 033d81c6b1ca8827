//! Build facts for the program, and a check of every shader before anything is compiled. Needs no network.
//!
//! Facts, as environment variables at compile time: `RECOVNET_COMMIT` (short hash; `+` at its end where the
//! program's sources differed from it; `unknown` outside a checkout), `RECOVNET_FEATURES` (`cpu` or `cpu, cuda`) and
//! `RECOVNET_PROFILE` (`release` or `debug`).
//!
//! With the feature `cuda` it also compiles our kernels, and keeps the linker from asking for CUDA's libraries: the
//! program finds them when it runs (`nn::cuda_runtime`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use naga::front::wgsl;
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// What the program is made of: a change here outdates the facts, a change of a test does not.
const SOURCES: [&str; 5] = ["src", "assets", "build.rs", "Cargo.toml", "Cargo.lock"];

const SHADERS: &str = "assets/shaders";

fn main() -> ExitCode {
    // A path that does not exist would make cargo run this again at every call.
    for source in SOURCES.iter().filter(|source| Path::new(source).exists()) {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rustc-env=RECOVNET_COMMIT={}", commit());
    println!("cargo::rustc-env=RECOVNET_FEATURES={}", features());
    println!("cargo::rustc-env=RECOVNET_PROFILE={}", profile());

    let mut faults: Vec<String> = shaders().iter().filter_map(|path| check_shader(path).err()).collect();
    if std::env::var_os("CARGO_FEATURE_CUDA").is_some() {
        faults.extend(cuda().err());
    }
    for line in faults.iter().flat_map(|fault| fault.lines()) {
        println!("cargo::error={line}");
    }
    if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn features() -> &'static str {
    if std::env::var_os("CARGO_FEATURE_CUDA").is_some() {
        "cpu, cuda"
    } else {
        "cpu"
    }
}

/// `release`, or `debug` for what is built to be tested.
fn profile() -> String {
    std::env::var("PROFILE").unwrap_or_else(|_| "unknown".into())
}

const KERNELS: &str = "src/nn/ops/cuda/kernels/kernels.cu";
/// Libraries that candle's CUDA binding names to the linker.
const CUDA_LIBRARIES: [&str; 6] = ["cuda", "cublas", "cublasLt", "curand", "nvrtc", "cudnn"];
/// An archive without members.
const EMPTY_ARCHIVE: &str = "!<arch>\n";

/// Kernels to PTX, which every driver translates for its GPU, and a folder for the linker: empty archives in place
/// of CUDA's libraries, and a `libcudart.so` that stands for the static one, which is part of the program.
fn cuda() -> Result<(), String> {
    for variable in ["NVCC", "CUDA_COMPUTE_CAP"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    let nvcc = std::env::var("NVCC").unwrap_or_else(|_| "nvcc".to_owned());
    let capability = std::env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| "80".to_owned());
    let answer = Command::new(&nvcc)
        .args(["--ptx", "-O3", "--std=c++17", "-Werror", "all-warnings"])
        .arg(format!("-arch=compute_{capability}"))
        .args(["--output-directory".as_ref(), out.as_os_str(), KERNELS.as_ref()])
        .output()
        .map_err(|e| format!("{nvcc} cannot be run: {e}; ./dev cuda installs it, NVCC names another"))?;
    if !answer.status.success() {
        return Err(format!("{KERNELS}: {}", String::from_utf8_lossy(&answer.stderr)));
    }
    let folder = out.join("cuda-link");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for library in CUDA_LIBRARIES {
        write(&format!("lib{library}.a"), EMPTY_ARCHIVE)?;
    }
    match static_runtime(&nvcc) {
        Some(path) => write(
            "libcudart.so",
            &format!("INPUT({} -ldl -lrt -lpthread)\n", path.display()),
        )?,
        None => println!("cargo::warning={nvcc}: no libcudart_static.a beside it; the program will not link"),
    }
    println!("cargo::rustc-link-search=native={}", folder.display());
    Ok(())
}

/// CUDA's static runtime, which lies in the tree of nvcc.
fn static_runtime(nvcc: &str) -> Option<PathBuf> {
    let program = if nvcc.contains('/') {
        PathBuf::from(nvcc)
    } else {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|folder| folder.join(nvcc))
            .find(|path| path.is_file())?
    };
    let program = fs::canonicalize(program).ok()?;
    let root = program.parent()?.parent()?;
    ["lib", "lib64", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"]
        .iter()
        .map(|folder| root.join(folder).join("libcudart_static.a"))
        .find(|path| path.is_file())
}

/// Short hash of the checkout, and the file that tells cargo when it moves.
fn commit() -> String {
    // An unpacked source archive may lie inside another project's checkout, whose commit says nothing.
    let here = fs::canonicalize(".").ok();
    let top = git(&["rev-parse", "--show-toplevel"]).and_then(|top| fs::canonicalize(top).ok());
    if top.is_none() || top != here {
        return "unknown".into();
    }
    // The reflog grows with every commit, merge and checkout, and with nothing else.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    let Some(hash) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".into();
    };
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let changed = git(&status).is_none_or(|changes| !changes.is_empty());
    if changed { hash + "+" } else { hash }
}

/// What git answers, or `None` where it is missing or refuses.
fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git")
        .args(["--no-optional-locks"])
        .args(arguments)
        .output()
        .ok()?;
    answer
        .status
        .success()
        .then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

/// Every shader, in the order of their names.
fn shaders() -> Vec<PathBuf> {
    let mut shaders: Vec<PathBuf> = fs::read_dir(SHADERS)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
        .collect();
    shaders.sort();
    shaders
}

/// Parses and validates one shader as the renderer will; the error quotes the line.
fn check_shader(path: &Path) -> Result<(), String> {
    let name = path.display().to_string();
    let source = fs::read_to_string(path).map_err(|e| format!("{name}: cannot be read: {e}"))?;
    let module = wgsl::parse_str(&source).map_err(|e| e.emit_to_string_with_path(&source, &name))?;
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|e| e.emit_to_string_with_path(&source, &name))?;
    Ok(())
}
