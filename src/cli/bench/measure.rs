//! Warm-up, rounds and what is made of them. Knows no process and prints nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::protocol::{Epoch, Round};

/// Most rounds of warm-up; a case whose first rounds take long has fewer.
const WARM_UP_ROUNDS: usize = 3;
/// Warm-up ends when it took this long.
const WARM_UP: Duration = Duration::from_millis(300);
/// Fewest rounds that are measured where nobody asks for a number.
const FEWEST: usize = 3;
/// Most rounds that are measured where nobody asks for a number.
const MOST: usize = 30;
/// Rounds between both go on until they took this long.
const ENOUGH: Duration = Duration::from_millis(1500);

/// What the rounds of a case say.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Median time of a round.
    pub median_ms: f64,
    /// Shortest time of a round.
    pub min_ms: f64,
    /// Most memory that the process ever had resident.
    pub peak_mib: Option<f64>,
    /// Rounds after the warm-up.
    pub rounds: usize,
    /// Median times of the pipeline's parts.
    pub stages: BTreeMap<String, f64>,
    /// Sums over all rounds of each epoch of training from files.
    pub epochs: Vec<Epoch>,
}

/// Warms up, then runs `rounds` rounds, or as many as tell enough.
///
/// # Errors
/// The first error of a round.
pub fn measure(rounds: Option<usize>, mut round: impl FnMut() -> anyhow::Result<Round>) -> anyhow::Result<Measured> {
    let start = Instant::now();
    for _ in 0..WARM_UP_ROUNDS {
        round()?;
        if start.elapsed() > WARM_UP {
            break;
        }
    }
    let start = Instant::now();
    let mut seen = Vec::new();
    while match rounds {
        Some(rounds) => seen.len() < rounds,
        None => seen.len() < FEWEST || seen.len() < MOST && start.elapsed() < ENOUGH,
    } {
        seen.push(round()?);
    }
    Ok(summary(&seen))
}

fn summary(rounds: &[Round]) -> Measured {
    let times: Vec<f64> = rounds.iter().map(|round| round.ms).collect();
    let mut parts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, &time) in rounds.iter().flat_map(|round| &round.stages) {
        parts.entry(name.clone()).or_default().push(time);
    }
    Measured {
        min_ms: times.iter().copied().fold(f64::INFINITY, f64::min),
        median_ms: median(times),
        peak_mib: rounds.iter().filter_map(|round| round.peak_mib).reduce(f64::max),
        rounds: rounds.len(),
        stages: parts.into_iter().map(|(name, times)| (name, median(times))).collect(),
        epochs: sums(rounds),
    }
}

/// Each epoch of a round, over all rounds.
fn sums(rounds: &[Round]) -> Vec<Epoch> {
    let mut sums: Vec<Epoch> = Vec::new();
    for epoch in rounds.iter().flat_map(|round| &round.epochs) {
        match sums.iter_mut().find(|sum| sum.inputs == epoch.inputs) {
            None => sums.push(epoch.clone()),
            Some(sum) => {
                sum.images += epoch.images;
                sum.seconds += epoch.seconds;
                sum.loading += epoch.loading;
                sum.waited += epoch.waited;
            }
        }
    }
    sums
}

/// The middle value, or the mean of the two in the middle; NaN of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (n, half) if n % 2 == 1 => values[half],
        (_, half) => f64::midpoint(values[half - 1], values[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(images: usize, seconds: f64) -> Epoch {
        Epoch {
            inputs: "decoded".to_owned(),
            images,
            seconds,
            loading: seconds / 4.0,
            waited: seconds / 2.0,
        }
    }

    /// Rounds that take nothing and say 1, 2, 3, … ms.
    fn counting() -> impl FnMut() -> anyhow::Result<Round> {
        let mut calls = 0.0;
        move || {
            calls += 1.0;
            Ok(Round {
                ms: calls,
                peak_mib: Some(100.0 - calls),
                stages: BTreeMap::from([("decode".to_owned(), 2.0 * calls)]),
                epochs: vec![epoch(8, calls)],
            })
        }
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let measured = measure(Some(5), counting()).unwrap();
        let expected = Measured {
            median_ms: 6.0,
            min_ms: 4.0,
            peak_mib: Some(96.0),
            rounds: 5,
            stages: BTreeMap::from([("decode".to_owned(), 12.0)]),
            epochs: vec![epoch(40, 30.0)],
        };
        assert_eq!(measured, expected);
        assert_eq!(measure(Some(4), counting()).unwrap().median_ms, 5.5);
    }

    #[test]
    fn fast_rounds_end_at_the_most() {
        assert_eq!(measure(None, counting()).unwrap().rounds, MOST);
    }

    #[test]
    fn slow_rounds_warm_up_once_and_are_few() {
        let mut calls = 0;
        let slow = || {
            calls += 1;
            std::thread::sleep(WARM_UP.max(ENOUGH / 3) + Duration::from_millis(20));
            Ok(Round::default())
        };
        assert_eq!(measure(None, slow).unwrap().rounds, FEWEST);
        assert_eq!(calls, 1 + FEWEST);
    }

    #[test]
    fn a_round_that_fails_ends_it() {
        let mut calls = 0;
        let failing = || {
            calls += 1;
            anyhow::ensure!(calls < 5, "no more");
            Ok(Round::default())
        };
        assert_eq!(measure(Some(9), failing).unwrap_err().to_string(), "no more");
    }
}
