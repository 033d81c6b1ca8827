//! Where CUDA's libraries may lie: the folder that the user names, what the system's loader knows, CUDA's own
//! folders, the `nvidia-*` packages of a Python environment.

use std::path::{Path, PathBuf};

/// Environment variable that names a folder with CUDA's libraries, or one above them.
pub const PATH_VARIABLE: &str = "RECOVNET_CUDA_PATH";

/// Folders of the driver and of CUDA where the system's loader may not look.
const USUAL: [&str; 9] = [
    "/usr/local/cuda/lib64",
    "/usr/local/cuda/targets/x86_64-linux/lib",
    "/usr/local/cuda/targets/sbsa-linux/lib",
    "/usr/local/cuda-13/lib64",
    "/opt/cuda/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/wsl/lib",
    "/run/opengl-driver/lib",
];

/// Paths to try, in order: the user's folder, the name alone (the system's loader), the other folders.
pub fn candidates(name: &str) -> Vec<PathBuf> {
    let there = |folder: PathBuf| Some(folder.join(name)).filter(|path| path.is_file());
    let mut found: Vec<PathBuf> = named().into_iter().filter_map(there).collect();
    found.push(PathBuf::from(name));
    found.extend(installed().into_iter().filter_map(there));
    found
}

/// All folders that are looked into, in order.
pub fn folders() -> Vec<PathBuf> {
    let mut all = named();
    all.extend(installed());
    all
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// What the user names: the folder, its `lib`s, and a Python environment's packages below it.
fn named() -> Vec<PathBuf> {
    let Some(folder) = variable(PATH_VARIABLE) else {
        return Vec::new();
    };
    let mut all = vec![folder.clone(), folder.join("lib64"), folder.join("lib")];
    all.extend(packages(&folder.join("nvidia")));
    all.extend(of_prefix(&folder));
    all
}

fn installed() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for prefix in ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable) {
        all.extend(of_prefix(&prefix));
        all.push(prefix.join("lib"));
    }
    all.extend(USUAL.map(PathBuf::from));
    if let Some(home) = variable("HOME") {
        all.extend(of_prefix(&home.join(".local")));
    }
    for prefix in ["/usr/local", "/usr"] {
        all.extend(of_prefix(Path::new(prefix)));
    }
    all
}

/// Folders of the packages in the Python environments below a prefix.
fn of_prefix(prefix: &Path) -> Vec<PathBuf> {
    let pythons = entries(&prefix.join("lib")).into_iter().filter(|path| {
        path.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("python3"))
    });
    pythons
        .flat_map(|python| ["site-packages", "dist-packages"].map(|packages| python.join(packages)))
        .flat_map(|site| packages(&site.join("nvidia")))
        .collect()
}

/// `nvidia/*/lib`; those of CUDA 13, which are one folder, first.
fn packages(nvidia: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = entries(nvidia)
        .into_iter()
        .map(|package| package.join("lib"))
        .filter(|lib| lib.is_dir())
        .collect();
    found.sort_by_key(|lib| (!lib.ends_with("cu13/lib"), lib.clone()));
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    found
}

/// Where a loaded library lies, from the process's own list.
pub fn mapped(name: &str) -> Option<PathBuf> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let path = Path::new(line.get(line.find('/')?..)?);
        let file = path.file_name()?.to_string_lossy();
        file.starts_with(stem).then(|| path.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_a_python_environment_are_found_and_those_of_cuda_13_come_first() {
        let prefix = tempfile::tempdir().expect("a folder");
        let site = prefix.path().join("lib/python3.12/site-packages/nvidia");
        for package in ["cublas", "cu13", "cudnn"] {
            std::fs::create_dir_all(site.join(package).join("lib")).expect("a folder");
        }
        std::fs::create_dir_all(site.join("empty")).expect("a folder");
        let found = of_prefix(prefix.path());
        let expected = ["cu13/lib", "cublas/lib", "cudnn/lib"].map(|lib| site.join(lib));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_loaded_library_is_found_in_the_list() {
        assert!(mapped("libc.so.6").is_some());
        assert_eq!(mapped("libnothing.so.1"), None);
    }
}
