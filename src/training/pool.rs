//! Which images an epoch is made of, and in which order. Every random number is keyed by seed, use and place, so that
//! a run that goes on draws what it would have drawn.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::dataset::Category;
use super::manifest::{Class, Row};
use super::recipe::{Augmenting, Config, Sampling};

/// Uses of random numbers that must not meet.
#[derive(Clone, Copy)]
pub(super) enum Draw {
    /// Order of an epoch.
    Order = 0,
    /// Rounds of a class or source.
    Cycle = 1,
    /// Transform of a place in an epoch.
    Transform = 2,
    /// Transform of a copy that all epochs share.
    Copy = 3,
    /// Originals that a target smaller than their number keeps.
    Kept = 4,
}

/// Random numbers of one use and place.
pub(super) fn rng(seed: u64, draw: Draw, first: u64, second: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((draw as u64) << 60 | first << 32 | second);
    rng
}

/// What can be drawn: a sample as it is, or a copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Number of the sample.
    pub sample: usize,
    /// 0 is the sample itself, others are transformed copies.
    pub copy: u32,
}

/// Everything that an epoch may be drawn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    members: Vec<Member>,
    classes: Vec<Class>,
    /// Numbers of the source within the class.
    sources: Vec<u32>,
    /// Whether transforms were drawn once and for all.
    offline: bool,
}

impl Pool {
    /// Samples by class alone, as they are.
    pub fn of_classes(classes: impl IntoIterator<Item = Class>) -> Self {
        let classes: Vec<Class> = classes.into_iter().collect();
        Self {
            members: originals(classes.len()),
            sources: vec![0; classes.len()],
            classes,
            offline: false,
        }
    }

    /// The samples of these rows, with their copies.
    pub fn of_rows(rows: &[&Row], augmenting: &Augmenting, seed: u64) -> Self {
        let members = match augmenting {
            Augmenting::Off | Augmenting::EachEpoch => originals(rows.len()),
            Augmenting::Offline { targets, others } => offline(rows, targets, *others, seed),
        };
        let mut names = BTreeSet::new();
        for row in rows {
            names.insert((row.class, row.source.as_deref()));
        }
        let number = |row: &Row| {
            let of_class = names.iter().filter(|(class, _)| *class == row.class);
            let found = of_class
                .map(|(_, source)| *source)
                .position(|s| s == row.source.as_deref());
            found.unwrap_or_default() as u32
        };
        let numbers: Vec<u32> = rows.iter().map(|row| number(row)).collect();
        Self {
            classes: members.iter().map(|member| rows[member.sample].class).collect(),
            sources: members.iter().map(|member| numbers[member.sample]).collect(),
            members,
            offline: matches!(augmenting, Augmenting::Offline { .. }),
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether transforms were drawn once and for all, so that originals are used as they are.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// A member.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn member(&self, index: usize) -> Member {
        self.members[index]
    }

    /// Members of control and of COVID-19.
    pub fn count(&self) -> [usize; 2] {
        [Class::Control, Class::Covid19].map(|class| self.classes.iter().filter(|c| **c == class).count())
    }

    fn of_class(&self, class: Class) -> Vec<usize> {
        (0..self.len()).filter(|&i| self.classes[i] == class).collect()
    }

    fn of_source(&self, class: Class, source: u32) -> Vec<usize> {
        (0..self.len())
            .filter(|&i| (self.classes[i], self.sources[i]) == (class, source))
            .collect()
    }

    /// Sources of a class.
    fn sources(&self, class: Class) -> usize {
        let of_class = (0..self.len()).filter(|&i| self.classes[i] == class);
        of_class.map(|i| self.sources[i] as usize + 1).max().unwrap_or(0)
    }
}

fn originals(count: usize) -> Vec<Member> {
    (0..count).map(|sample| Member { sample, copy: 0 }).collect()
}

/// Brings every category to its target: originals in order, then round after round of copies.
fn offline(rows: &[&Row], targets: &BTreeMap<Category, usize>, others: Option<usize>, seed: u64) -> Vec<Member> {
    let mut members = Vec::new();
    let mut bring = |samples: Vec<usize>, target: Option<usize>, number: u64| {
        let target = target.filter(|_| !samples.is_empty()).unwrap_or(samples.len());
        let mut kept = samples;
        if target < kept.len() {
            kept.shuffle(&mut rng(seed, Draw::Kept, 0, number));
            kept.truncate(target);
        }
        members.extend((0..target).map(|i| Member {
            sample: kept[i % kept.len()],
            copy: (i / kept.len()) as u32,
        }));
    };
    for (number, category) in (0..).zip(Category::ALL) {
        if let Some(target) = targets.get(&category) {
            let of_category = (0..rows.len()).filter(|&i| rows[i].category == category);
            bring(of_category.collect(), Some(*target), number);
        }
    }
    let rest = (0..rows.len()).filter(|&i| !targets.contains_key(&rows[i].category));
    bring(rest.collect(), others, Category::ALL.len() as u64);
    // In the samples' order, so that nothing hangs on the order of categories.
    members.sort_by_key(|member| (member.copy, member.sample));
    members
}

/// The order in which members are used.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What may be drawn.
    pub pool: &'a Pool,
    /// How it is drawn.
    pub sampling: Sampling,
    /// Members in a batch.
    pub batch: usize,
    /// The run's seed.
    pub seed: u64,
}

impl<'a> Order<'a> {
    /// The order that a run's settings say.
    pub fn of(pool: &'a Pool, config: &Config) -> Self {
        Self {
            pool,
            sampling: config.sampling,
            batch: config.effective_batch(),
            seed: config.seed,
        }
    }

    /// Batches in an epoch.
    pub fn steps(&self) -> usize {
        self.chunks(&vec![0; self.epoch_len()]).len()
    }

    fn epoch_len(&self) -> usize {
        match self.sampling {
            Sampling::AsIs => self.pool.len(),
            Sampling::ByClass | Sampling::ByClassAndSource => {
                let [control, covid19] = self.pool.count();
                2 * control.min(covid19)
            }
        }
    }

    /// The members of an epoch (counted from 0), in the order they are used. If balanced, these are as many of either
    /// class as the smaller one has, each class (or source of it) used up before any of it comes again.
    pub fn epoch(&self, epoch: usize) -> Vec<usize> {
        let half = self.epoch_len() / 2;
        let classes = [Class::Control, Class::Covid19].into_iter();
        let mut order: Vec<usize> = match self.sampling {
            Sampling::AsIs => (0..self.pool.len()).collect(),
            Sampling::ByClass => classes
                .flat_map(|class| self.rotating(&self.pool.of_class(class), class as u64, epoch * half, half))
                .collect(),
            Sampling::ByClassAndSource => classes.flat_map(|class| self.by_source(class, epoch, half)).collect(),
        };
        order.shuffle(&mut rng(self.seed, Draw::Order, epoch as u64, 0));
        order
    }

    /// `count` members of a class, as many from each of its sources as whole numbers allow; over the epochs they even
    /// out.
    fn by_source(&self, class: Class, epoch: usize, count: usize) -> Vec<usize> {
        let sources = self.pool.sources(class);
        let drawn = |source: usize, epoch: usize| (epoch * count + source) / sources;
        let of_source = |source: usize| {
            let members = self.pool.of_source(class, source as u32);
            let start = drawn(source, epoch);
            let key = 2 + 2 * source as u64 + class as u64;
            self.rotating(&members, key, start, drawn(source, epoch + 1) - start)
        };
        (0..sources).flat_map(of_source).collect()
    }

    /// `count` members from `start` on of an endless sequence of shuffled rounds.
    fn rotating(&self, members: &[usize], key: u64, start: usize, count: usize) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let position = start + drawn.len();
            let mut round = members.to_vec();
            round.shuffle(&mut rng(self.seed, Draw::Cycle, (position / members.len()) as u64, key));
            let from = position % members.len();
            drawn.extend(round[from..].iter().take(count - drawn.len()));
        }
        drawn
    }

    /// Cuts an epoch into batches. A last one of less than half the size (or of a single image) is left out: batch
    /// statistics of so few images lead astray.
    pub fn chunks<'o>(&self, order: &'o [usize]) -> Vec<&'o [usize]> {
        let mut chunks: Vec<&[usize]> = order.chunks(self.batch).collect();
        if chunks.len() > 1 && chunks.last().is_some_and(|last| last.len() < 2.max(self.batch / 2)) {
            chunks.pop();
        }
        chunks
    }

    /// The samples of one batch.
    pub fn samples(&self, epoch: usize, step: usize) -> Vec<usize> {
        let order = self.epoch(epoch);
        let members = self.chunks(&order).get(step).copied().unwrap_or_default();
        members.iter().map(|&i| self.pool.member(i).sample).collect()
    }
}
