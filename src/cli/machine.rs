//! What this machine and this program are, in words and numbers: for `doctor` and beside every measurement.

use std::fs;

use serde::Serialize;

/// What a measurement depends on.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Vector instructions that were seen, the widest last.
    pub instructions: Vec<&'static str>,
    /// Memory of the machine in MiB; null where the system does not say.
    pub memory_mib: Option<u64>,
    /// Operating system.
    pub os: String,
    /// The program's version.
    pub version: &'static str,
    /// The commit it was built from; `+` where its sources differed.
    pub commit: &'static str,
    /// `cpu` or `cpu, cuda`.
    pub features: &'static str,
    /// `release`, or `debug`, whose times say little.
    pub profile: &'static str,
}

impl Machine {
    /// Looks at this machine.
    pub fn here() -> Self {
        Self {
            cpu: cpu_model(),
            cores: cores(),
            instructions: instructions(),
            memory_mib: memory_mib(),
            os: os(),
            version: env!("CARGO_PKG_VERSION"),
            commit: commit(),
            features: features(),
            profile: option_env!("RECOVNET_PROFILE").unwrap_or("unknown"),
        }
    }
}

/// Short hash of the commit.
pub fn commit() -> &'static str {
    option_env!("RECOVNET_COMMIT").unwrap_or("unknown")
}

/// What the program was built with.
pub fn features() -> &'static str {
    if cfg!(feature = "cuda") { "cpu, cuda" } else { "cpu" }
}

/// The processor's name, or its architecture where the system does not say.
pub fn cpu_model() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The widest vector instructions that the kernels can use.
pub fn vectors() -> &'static str {
    let seen = instructions();
    let has = |name| seen.contains(&name);
    if has("avx512f") {
        "AVX-512"
    } else if has("avx2") && has("fma") {
        "AVX2"
    } else if cfg!(target_arch = "x86_64") {
        "SSE2"
    } else {
        "the architecture's own vectors"
    }
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Vec<&'static str> {
    let seen = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
    ];
    seen.into_iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn instructions() -> Vec<&'static str> {
    let seen = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    seen.into_iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn instructions() -> Vec<&'static str> {
    Vec::new()
}

fn memory_mib() -> Option<u64> {
    kibibytes(&field("/proc/meminfo", "MemTotal")?).map(|kib| kib / 1024)
}

fn os() -> String {
    let name = fs::read_to_string("/etc/os-release").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim_matches('"').to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    match (name, kernel) {
        (Some(name), Some(kernel)) => format!("{name}, kernel {}", kernel.trim()),
        (Some(name), None) => name,
        _ => std::env::consts::OS.to_owned(),
    }
}

/// Memory of this process in MiB: `VmHWM` is the most it ever had resident, `VmRSS` what it has now. `None` where the
/// system does not say.
pub fn process_mib(entry: &str) -> Option<f64> {
    kibibytes(&field("/proc/self/status", entry)?).map(|kib| kib as f64 / 1024.0)
}

/// The value of a `name : value` line of a file in `/proc`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The number of `1234 kB`.
fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kibibytes_need_their_unit() {
        assert_eq!(kibibytes("24688244 kB"), Some(24_688_244));
        assert_eq!((kibibytes("24688244"), kibibytes("many kB")), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_is_at_least_what_is_there_now() {
        let (peak, now) = (process_mib("VmHWM").unwrap(), process_mib("VmRSS").unwrap());
        // The kernel counts in batches, so the two may be a little apart.
        assert!(peak + 1.0 >= now && now > 1.0, "{peak}, {now}");
    }
}
