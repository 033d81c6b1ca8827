//! [`McNemar`]'s test (1947): whether two models differ in how often they are right on the same images.

use serde::{Deserialize, Serialize};

/// From so many discordant pairs on the normal approximation does.
const EXACT_BELOW: u64 = 10_000;

/// Two models on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Images that both decide rightly.
    pub both_right: u64,
    /// Images that only the first decides rightly.
    pub only_first: u64,
    /// Images that only the second decides rightly.
    pub only_second: u64,
    /// Images that both decide wrongly.
    pub both_wrong: u64,
    /// Two-sided p of the exact binomial test (of the chi-squared test with continuity correction where there are
    /// 10,000 discordant pairs or more); 1 where there is none.
    pub p: f64,
}

impl McNemar {
    /// Compares right decisions, pair by pair.
    pub fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = [0_u64; 4];
        for (first, second) in pairs {
            counts[usize::from(!first) * 2 + usize::from(!second)] += 1;
        }
        let [both_right, only_first, only_second, both_wrong] = counts;
        Self {
            both_right,
            only_first,
            only_second,
            both_wrong,
            p: p(only_first, only_second),
        }
    }

    /// Images compared.
    pub fn images(&self) -> u64 {
        self.both_right + self.only_first + self.only_second + self.both_wrong
    }
}

fn p(b: u64, c: u64) -> f64 {
    let (few, n) = (b.min(c), b + c);
    if n == 0 {
        return 1.0;
    }
    if n >= EXACT_BELOW {
        let distance = (b.abs_diff(c) as f64 - 1.0).max(0.0);
        return upper_tail(distance / (n as f64).sqrt());
    }
    // Terms of the binomial distribution with one half, each from the one before; in logarithms, for they are small.
    let mut term = -(n as f64) * 2_f64.ln();
    let mut sum = term.exp();
    for k in 1..=few {
        term += ((n - k + 1) as f64 / k as f64).ln();
        sum += term.exp();
    }
    (2.0 * sum).min(1.0)
}

/// Probability that a normal variable lies farther from 0 than `z`: the complementary error function by Chebyshev
/// fitting (Press et al., Numerical Recipes 6.2), to 1.2e-7 of its value.
fn upper_tail(z: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = z.abs() / 2_f64.sqrt();
    let t = 1.0 / (1.0 + 0.5 * x);
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| sum * t + c);
    (t * (-x * x + polynomial).exp()).min(1.0)
}
