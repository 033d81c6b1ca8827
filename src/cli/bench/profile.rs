//! `recovnet bench --profile`: where a network's time goes on the CPU, a line for every step of its plan.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::Usage;
use crate::cli::output::Lines;
use crate::nn::StepTime;
use crate::nn::ops::cpu::set_threads;

use super::case::Case;
use super::workload;

/// Rounds of which the shortest counts, where nobody asks for another number.
const ROUNDS: usize = 15;

/// A step of a network.
#[derive(Serialize)]
struct Line<'a> {
    network: &'a str,
    batch: usize,
    threads: usize,
    step: &'a str,
    ms: f64,
    /// Share of the sum of all steps.
    share: f64,
    /// Multiplications and additions a second, as the operation is defined; Winograd does with fewer.
    gflops: f64,
}

/// Times every step of the cases' networks.
///
/// # Errors
/// If the cases differ in their threads, the images have no room, or the lines cannot be written.
pub fn run(cases: &[Case], rounds: Option<usize>, mut lines: Lines) -> anyhow::Result<ExitCode> {
    let threads = cases.first().map_or(1, |case| case.threads);
    if cases.iter().any(|case| case.threads != threads) {
        return Err(Usage("--profile takes one number of threads".into()).into());
    }
    set_threads(threads)?;
    for case in cases {
        let steps = workload::steps(case, rounds.unwrap_or(ROUNDS))?;
        write(case, &steps, &mut lines)?;
    }
    lines.close()?;
    Ok(ExitCode::SUCCESS)
}

fn write(case: &Case, steps: &[StepTime], lines: &mut Lines) -> anyhow::Result<()> {
    let sum: f64 = steps.iter().map(|step| step.ms).sum();
    let network = case.network();
    let words = matches!(lines, Lines::Words);
    if words {
        println!(
            "{network}, batch {}, {} threads: {sum:.2} ms in {} steps, each alone\n{:>9} {:>7} {:>9}  step",
            case.batch,
            case.threads,
            steps.len(),
            "ms",
            "share",
            "GFLOP/s",
        );
    }
    for step in steps {
        let line = Line {
            network: &network,
            batch: case.batch,
            threads: case.threads,
            step: &step.what,
            ms: step.ms,
            share: step.ms / sum,
            gflops: 2.0 * step.million_products / step.ms,
        };
        lines.write(&line)?;
        if words {
            println!(
                "{:>9.3} {:>6.1}% {:>9.1}  {}",
                line.ms,
                100.0 * line.share,
                line.gflops,
                line.step
            );
        }
    }
    Ok(())
}
