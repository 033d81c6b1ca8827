//! Which groups of images make up a share of them: as near to the count as whole groups allow, and by hashes, so that
//! neither the order of files nor the version of a generator of random numbers has a say.

use sha2::{Digest, Sha256};

/// Groups among which the count is met exactly; those before them are drawn one by one.
const POOL: usize = 1000;

/// Picks groups (names and numbers of images) whose images come as near to `target` as whole groups allow; `true` for those picked, in the order
/// given. The same names, sizes, `key` and target always give the same groups.
pub(super) fn choose(groups: &[(&str, usize)], target: usize, key: &str) -> Vec<bool> {
    let mut order: Vec<(u64, f64, usize)> = (0..groups.len())
        .map(|index| {
            let (place, share) = numbers(key, groups[index].0);
            (place, share, index)
        })
        .collect();
    order.sort_by(|a, b| (a.0, groups[a.2].0).cmp(&(b.0, groups[b.2].0)));
    let mut picked = vec![false; groups.len()];
    let mut left: usize = groups.iter().map(|(_, size)| size).sum();
    let mut open = target.min(left);
    let (first, pool) = order.split_at(order.len().saturating_sub(POOL));
    for &(_, share, index) in first {
        let size = groups[index].1;
        picked[index] = size <= open && share < open as f64 / left as f64;
        open -= if picked[index] { size } else { 0 };
        left -= size;
    }
    let sizes: Vec<usize> = pool.iter().map(|&(.., index)| groups[index].1).collect();
    let reachable = reachable(&sizes, open);
    open = reachable[0].nearest(open);
    for (i, &(_, share, index)) in pool.iter().enumerate() {
        let size = sizes[i];
        let (with, without) = (
            size <= open && reachable[i + 1].has(open - size),
            reachable[i + 1].has(open),
        );
        picked[index] = with && (!without || share < open as f64 / left as f64);
        open -= if picked[index] { size } else { 0 };
        left -= size;
    }
    picked
}

/// Where a group stands in the order, and its share in 0..1.
fn numbers(key: &str, group: &str) -> (u64, f64) {
    let digest = Sha256::digest(format!("{key}:{group}"));
    let number = |from: usize| {
        digest[from..from + 8]
            .iter()
            .fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
    };
    (number(0), number(8) as f64 / 2_f64.powi(64))
}

/// Sums that can be reached, as bits.
#[derive(Clone)]
struct Sums(Vec<u64>);

impl Sums {
    fn has(&self, sum: usize) -> bool {
        self.0.get(sum / 64).is_some_and(|word| word >> (sum % 64) & 1 == 1)
    }

    /// Adds every sum that one more group of this size reaches.
    fn add(&mut self, size: usize) {
        let (words, bits) = (size / 64, size % 64);
        for i in (words..self.0.len()).rev() {
            let high = self.0[i - words] << bits;
            let low = if bits > 0 && i > words {
                self.0[i - words - 1] >> (64 - bits)
            } else {
                0
            };
            self.0[i] |= high | low;
        }
    }

    /// The sum next to `target`; of two as near the smaller one. 0 is always reached.
    fn nearest(&self, target: usize) -> usize {
        (0..=target)
            .find_map(|distance| {
                [target - distance, target + distance]
                    .into_iter()
                    .find(|&sum| self.has(sum))
            })
            .unwrap_or(0)
    }
}

/// For every place the sums that the groups from there on reach, up to twice the target.
fn reachable(sizes: &[usize], target: usize) -> Vec<Sums> {
    let empty = Sums(vec![0; 2 * target / 64 + 1]);
    let mut sums = vec![empty; sizes.len() + 1];
    sums[sizes.len()].0[0] = 1;
    for i in (0..sizes.len()).rev() {
        let mut with = sums[i + 1].clone();
        with.add(sizes[i]);
        sums[i] = with;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::choose;

    fn sum(groups: &[(&str, usize)], picked: &[bool]) -> usize {
        let picked = groups.iter().zip(picked).filter(|(_, picked)| **picked);
        picked.map(|((_, size), _)| size).sum()
    }

    #[test]
    fn the_count_is_the_nearest_that_whole_groups_allow() {
        let groups = [("a", 7), ("b", 5), ("c", 11), ("d", 64), ("e", 130)];
        for target in 0..=217 {
            let best = (0..32)
                .map(|set: usize| (0..5).filter(|i| set >> i & 1 == 1).map(|i| groups[i].1).sum())
                .min_by_key(|&sum: &usize| (sum.abs_diff(target), sum));
            let found = sum(&groups, &choose(&groups, target, "key"));
            assert_eq!(Some(found), best, "target {target}");
        }
    }

    #[test]
    fn many_groups_meet_the_count_whatever_their_order() {
        let names: Vec<String> = (0..5000).map(|i| format!("patient {i}")).collect();
        let sizes: Vec<(&str, usize)> = names.iter().map(String::as_str).zip((1..=7).cycle()).collect();
        let all: usize = sizes.iter().map(|(_, size)| size).sum();
        let target = all * 77 / 100;
        let picked = choose(&sizes, target, "1:covid");
        assert_eq!(sum(&sizes, &picked), target);
        let turned: Vec<(&str, usize)> = sizes.iter().rev().copied().collect();
        let again: Vec<bool> = choose(&turned, target, "1:covid").into_iter().rev().collect();
        assert_eq!(picked, again);
        let share = picked.iter().filter(|picked| **picked).count() as f64 / 5000.0;
        assert!((0.74..0.80).contains(&share), "small and large groups alike: {share}");
        assert_ne!(picked, choose(&sizes, target, "2:covid"));
    }
}
