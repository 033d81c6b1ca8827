//! A process that holds one case: it builds it, says that it is ready, and runs a round for every line it is sent,
//! until the lines end. Whoever compares systems has one such process each, and lets one run at a time.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::cli::machine::process_mib;
use crate::inference::device::DeviceChoice;
use crate::nn::ops::cpu::set_threads;
use crate::training::trainer::STACK_BYTES;

use super::Folders;
use super::case::Case;
use super::protocol::{Broken, Ready, Round};
use super::workload;

/// Serves one case on a thread with the stack of training.
///
/// # Errors
/// If the answers cannot be written, or no thread can be started.
pub fn serve(case: &Case, folders: Folders<'_>) -> anyhow::Result<ExitCode> {
    let outcome = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("bench".to_owned());
        let running = thread
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || answer(case, folders))
            .context("the system cannot start a thread")?;
        let crashed = |_| Err(anyhow::anyhow!("internal error, please report it"));
        running.join().unwrap_or_else(crashed)
    });
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            say(&Broken {
                error: format!("{error:#}"),
            })?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn answer(case: &Case, folders: Folders<'_>) -> anyhow::Result<()> {
    set_threads(case.threads)?;
    let opened = case.device.parse::<DeviceChoice>()?.open()?;
    let mut rounds = workload::build(case, &opened.device, folders)?;
    say(&Ready {
        device: opened.label,
        loaded_mib: process_mib("VmRSS"),
    })?;
    for line in io::stdin().lines() {
        line.context("standard input cannot be read")?;
        let timed = rounds()?;
        let name = |(name, time): (&str, Duration)| (name.to_owned(), ms(time));
        say(&Round {
            ms: ms(timed.elapsed),
            peak_mib: process_mib("VmHWM"),
            stages: timed.stages.into_iter().map(name).collect::<BTreeMap<_, _>>(),
            epochs: timed.epochs,
        })?;
    }
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn say(line: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .context("standard output cannot be written")
}
