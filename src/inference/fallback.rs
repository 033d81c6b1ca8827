//! A GPU that fails while it computes: the models go to the CPU and stay there.

use std::fmt::Display;

use super::models::Models;
use super::pipeline::Error;

impl Models {
    /// Runs `work` on these models. Where the GPU that `auto` chose fails it, they are loaded on the CPU and stay there, their
    /// label says why, and `work` runs once more. What a GPU says that was asked for by its number is an error.
    ///
    /// # Errors
    /// As `work`, and if the models cannot be loaded on the CPU.
    pub fn compute<T>(&mut self, work: impl FnMut(&Self) -> Result<T, Error>) -> Result<T, Error> {
        or_on_cpu(self, Self::on_cpu, work)
    }
}

/// As [`Models::compute`], for models of any kind: `on_cpu` is told what the GPU said and makes the same on the CPU, or
/// `None` where they have to stay.
pub(super) fn or_on_cpu<M, T, E: Display>(
    models: &mut M,
    on_cpu: impl FnOnce(&M, &str) -> Option<Result<M, E>>,
    mut work: impl FnMut(&M) -> Result<T, Error>,
) -> Result<T, Error> {
    let error = match work(models) {
        Err(error) if error.is_of_gpu() => error,
        outcome => return outcome,
    };
    let gpu = error.to_string();
    match on_cpu(models, &gpu) {
        None => Err(error),
        Some(Ok(moved)) => {
            *models = moved;
            work(models)
        }
        Some(Err(cause)) => Err(Error::NotOnCpu {
            gpu,
            cpu: cause.to_string(),
        }),
    }
}
