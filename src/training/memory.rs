//! What memory this process has and what the machine has left, where the system tells (Linux); else `None`.

use std::fs;

use crate::nn::Device;
#[cfg(feature = "cuda")]
use crate::nn::ops::cuda;

/// Memory that the process has resident now, in MiB.
pub fn resident_mib() -> Option<f64> {
    status("VmRSS")
}

/// Memory that is taken on the GPU that computes, in MiB; `None` on the CPU.
pub fn gpu_mib(device: &Device) -> Option<f64> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return cuda::taken_mib(device);
    }
    let _ = device;
    None
}

/// The most that it ever had resident, or since [`reset_peak`], in MiB.
pub fn peak_mib() -> Option<f64> {
    status("VmHWM")
}

/// Begins a new peak; returns whether the system does that.
pub fn reset_peak() -> bool {
    cfg!(target_os = "linux") && fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Memory that can still be used, in MiB: the machine's, or less where a container has a limit.
pub fn available_mib() -> Option<f64> {
    let machine = kibibytes(&field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")?)?;
    Some(limit_left().map_or(machine, |left| left.min(machine)))
}

/// What a control group's limit leaves, in MiB. Memory that only caches files counts as free.
fn limit_left() -> Option<f64> {
    let read = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    let number = |text: String| text.trim().parse::<f64>().ok();
    let limit = number(read("memory.max")?)?;
    let used = number(read("memory.current")?)?;
    let cached = read("memory.stat").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("inactive_file "))?;
        line.trim().parse::<f64>().ok()
    });
    Some((limit - used + cached.unwrap_or(0.0)).max(0.0) / f64::from(1 << 20))
}

fn status(entry: &str) -> Option<f64> {
    kibibytes(&field(&fs::read_to_string("/proc/self/status").ok()?, entry)?)
}

/// The value of a `name : value` line.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// MiB of `1234 kB`.
fn kibibytes(text: &str) -> Option<f64> {
    let kib: f64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_memory() {
        let (now, peak) = (resident_mib().unwrap(), peak_mib().unwrap());
        // The kernel counts in batches, so the two may be a little apart.
        assert!(now > 1.0 && peak + 1.0 >= now, "{now}, {peak}");
        assert!(available_mib().unwrap() > 1.0);
    }
}
