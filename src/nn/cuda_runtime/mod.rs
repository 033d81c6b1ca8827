//! CUDA's libraries, found when they are wanted: the program starts where none is installed. The functions that
//! candle's binding names to the linker are defined here as jumps to addresses that [`load`] fills in.
#![allow(unsafe_code, reason = "libraries are opened and their functions called by address")]

mod folders;
mod jumps;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

pub use self::folders::PATH_VARIABLE;
use self::jumps::JUMPS;

/// A library of CUDA by the name that it is loaded under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The driver.
    Driver,
    /// Matrix products.
    Cublas,
    /// Random numbers; candle makes a generator when it opens a GPU.
    Curand,
    /// Convolutions.
    Cudnn,
}

impl Wanted {
    fn file(self) -> &'static str {
        match self {
            Self::Driver => "libcuda.so.1",
            Self::Cublas => "libcublas.so.13",
            Self::Curand => "libcurand.so.10",
            Self::Cudnn => "libcudnn.so.9",
        }
    }

    /// Libraries that it opens itself, and might not find.
    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Driver | Self::Curand => &[],
            Self::Cublas => &["libcublasLt.so.13"],
            Self::Cudnn => &["libnvrtc.so.13"],
        }
    }

    /// Where a user gets it from.
    fn source(self) -> &'static str {
        match self {
            Self::Driver => "it comes with NVIDIA's driver, version 580 or newer",
            Self::Cublas => "pip install nvidia-cublas, or CUDA 13",
            Self::Curand => "pip install nvidia-curand, or CUDA 13",
            Self::Cudnn => "pip install nvidia-cudnn-cu13, or cuDNN 9 for CUDA 13",
        }
    }
}

/// A library in use.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: &'static str,
    /// Where it lies; the name alone where the system found it and does not say where.
    pub path: PathBuf,
}

/// What [`load`] came to, kept for the rest of the process.
static LOADED: OnceLock<Result<Vec<Found>, String>> = OnceLock::new();

/// Opens CUDA's libraries, once; every later call gives the same answer.
///
/// # Errors
/// One sentence that names the library that is missing or too old, and where to get it.
pub fn load() -> Result<&'static [Found], String> {
    let loaded = LOADED.get_or_init(|| {
        // The driver first: without it, the others need not be looked for.
        [Wanted::Driver, Wanted::Cublas, Wanted::Curand, Wanted::Cudnn]
            .into_iter()
            .map(open)
            .collect()
    });
    match loaded {
        Ok(found) => Ok(found),
        Err(reason) => Err(reason.clone()),
    }
}

fn open(wanted: Wanted) -> Result<Found, String> {
    let name = wanted.file();
    for other in wanted.needs() {
        // Not an error yet: the library may find it by itself, or do without.
        if let Ok((library, _)) = open_file(other) {
            std::mem::forget(library);
        }
    }
    let (library, path) = open_file(name).map_err(|reason| format!("{reason}; {}", wanted.source()))?;
    let result = fill(wanted, &library);
    // Its functions are called until the process ends.
    std::mem::forget(library);
    result.map_err(|function| {
        format!(
            "{} is too old: it has no {function}; {}",
            path.display(),
            wanted.source()
        )
    })?;
    Ok(Found { name, path })
}

/// Opens the first file of this name that can be opened.
fn open_file(name: &str) -> Result<(Library, PathBuf), String> {
    let mut refusal = None;
    for path in folders::candidates(name) {
        // SAFETY: these are NVIDIA's libraries; what they do when they are loaded is meant for any program.
        match unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => return Ok((library, folders::mapped(name).unwrap_or(path))),
            Err(error) if path.is_absolute() => refusal = Some(format!("{} cannot be loaded: {error}", path.display())),
            Err(_) => {}
        }
    }
    Err(refusal.unwrap_or_else(|| format!("{name} is not there")))
}

/// Fills in the addresses of a library's functions, or gives the name of one that it does not have.
fn fill(wanted: Wanted, library: &Library) -> Result<(), &'static str> {
    for jump in JUMPS.iter().filter(|jump| jump.library == wanted) {
        // SAFETY: only the address is taken; it is called with the types of the binding that names the function.
        let function = unsafe { library.get::<*mut ()>(jump.name.as_bytes()) }.map_err(|_| jump.name)?;
        jump.address.store(function.as_raw_ptr().cast(), Ordering::Release);
    }
    Ok(())
}

/// Where libraries are looked for beside the places that the system knows, for people to read.
pub fn searched() -> Vec<PathBuf> {
    folders::folders().into_iter().filter(|f| Path::is_dir(f)).collect()
}
