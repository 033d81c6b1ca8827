//! From looks to pairs of copies: equal pictures by their content, nearly equal ones by hash, alignment and
//! correlation. Of equal pictures only the first is compared further.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use crate::training::manifest::Row;
use crate::training::sets::Sets;
use crate::training::split::Part;

use super::align::{self, Compared};
use super::candidates::{self, Candidate, Index, Relation};
use super::hash::{Describer, Frequencies};
use super::look::Look;
use super::plane::{Plane, PlaneFile, SIDE};
use super::{CHUNK, Error, Listener, Progress, Stage, go_on};

/// Two pictures that are one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Number of the one that comes first in the table.
    pub first: usize,
    /// Number of the other.
    pub second: usize,
    /// Correlation after alignment, and of the fine structure; 1 for equal pictures.
    pub likeness: (f32, f32),
    /// Whether they are equal.
    pub exact: bool,
    /// Number of the set that they belong to.
    pub set: u32,
}

/// What copies are looked for in.
pub struct Search<'a> {
    /// All rows.
    pub rows: &'a [Row],
    /// One a row; none where the file cannot be used.
    pub looks: &'a [Option<Look>],
    /// Planes of those that can.
    pub planes: &'a PlaneFile,
    /// What made their frequencies.
    pub describer: &'a Describer,
    /// Whether to stop.
    pub cancel: &'a AtomicBool,
}

impl Search<'_> {
    /// All pairs of copies, or what went wrong with the planes.
    ///
    /// # Errors
    /// If it was cancelled.
    pub fn run(&self, listener: Listener<'_>) -> Result<io::Result<Vec<Pair>>, Error> {
        let mut pairs = self.exact();
        let near = match self.near(&pairs, listener)? {
            Ok(near) => near,
            Err(cause) => return Ok(Err(cause)),
        };
        pairs.extend(near);
        number_sets(&mut pairs, self.rows.len());
        Ok(Ok(pairs))
    }

    /// Every picture whose content came before, with the first of that content.
    fn exact(&self) -> Vec<Pair> {
        let mut firsts: HashMap<[u8; 32], usize> = HashMap::new();
        let mut pairs = Vec::new();
        for (second, look) in self.looks.iter().enumerate() {
            let Some(look) = look else { continue };
            let first = *firsts.entry(look.content).or_insert(second);
            if first != second {
                pairs.push(Pair {
                    first,
                    second,
                    likeness: (1.0, 1.0),
                    exact: true,
                    set: 0,
                });
            }
        }
        pairs
    }

    fn near(&self, exact: &[Pair], listener: Listener<'_>) -> Result<io::Result<Vec<Pair>>, Error> {
        let mut described: Vec<Option<Frequencies>> = self
            .looks
            .iter()
            .map(|look| look.as_ref().and_then(|look| look.frequencies))
            .collect();
        for pair in exact {
            described[pair.second] = None;
        }
        let candidates = match self.propose(&described, listener)? {
            Ok(candidates) => candidates,
            Err(cause) => return Ok(Err(cause)),
        };
        let mut pairs = Vec::new();
        let runs: Vec<&[Candidate]> = candidates.chunk_by(|a, b| a.first == b.first).collect();
        let mut done = 0;
        for chunk in runs.chunks(CHUNK) {
            go_on(self.cancel)?;
            let found: io::Result<Vec<Vec<Pair>>> = chunk.par_iter().map(|run| self.compare(run)).collect();
            match found {
                Ok(found) => pairs.extend(found.into_iter().flatten()),
                Err(cause) => return Ok(Err(cause)),
            }
            done += chunk.iter().map(|run| run.len()).sum::<usize>();
            listener(Progress {
                stage: Stage::Comparing,
                done,
                total: candidates.len(),
            });
        }
        Ok(Ok(pairs))
    }

    /// Pairs that may be copies, each once.
    fn propose(
        &self,
        described: &[Option<Frequencies>],
        listener: Listener<'_>,
    ) -> Result<io::Result<Vec<Candidate>>, Error> {
        let index = Index::new(described);
        let parts: Vec<Part> = self.rows.iter().map(Row::part).collect();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let groups: Vec<usize> = self
            .rows
            .iter()
            .map(|row| {
                let next = numbers.len();
                *numbers.entry(row.group.as_str()).or_insert(next)
            })
            .collect();
        let relation = |a: usize, b: usize| {
            if parts[a] != parts[b] {
                Relation::AcrossParts
            } else if groups[a] == groups[b] {
                Relation::SameGroup
            } else {
                Relation::AcrossGroups
            }
        };
        let present: Vec<usize> = (0..described.len()).filter(|&i| described[i].is_some()).collect();
        let mut candidates = Vec::new();
        let mut done = 0;
        for chunk in present.chunks(CHUNK) {
            go_on(self.cancel)?;
            let one = |&own: &usize| -> io::Result<Vec<Candidate>> {
                let crops = self
                    .describer
                    .describe_crops(&Plane::new(SIDE, &self.planes.read(own)?));
                Ok(index.candidates(own, &crops, &|other| relation(own, other)))
            };
            match chunk.par_iter().map(one).collect::<io::Result<Vec<_>>>() {
                Ok(found) => candidates.extend(found.into_iter().flatten()),
                Err(cause) => return Ok(Err(cause)),
            }
            done += chunk.len();
            listener(Progress {
                stage: Stage::Searching,
                done,
                total: present.len(),
            });
        }
        Ok(Ok(candidates::distinct(candidates)))
    }

    /// Those of one picture's candidates that are copies of it.
    fn compare(&self, run: &[Candidate]) -> io::Result<Vec<Pair>> {
        let compared = |number: u32| -> io::Result<Compared> {
            Ok(Compared::new(Plane::new(SIDE, &self.planes.read(number as usize)?)))
        };
        let mut pairs = Vec::new();
        let own = compared(run[0].first)?;
        for candidate in run {
            let other = compared(candidate.second)?;
            let likeness = align::compare(&own, &other, candidate.guess);
            if let Some(likeness) = likeness.filter(align::Likeness::is_copy) {
                let (one, two) = (candidate.first as usize, candidate.second as usize);
                pairs.push(Pair {
                    first: one.min(two),
                    second: one.max(two),
                    likeness: (likeness.correlation.min(0.9999), likeness.detail.min(0.9999)),
                    exact: false,
                    set: 0,
                });
            }
        }
        Ok(pairs)
    }
}

/// Gives pairs that are joined by others the same number.
fn number_sets(pairs: &mut [Pair], pictures: usize) {
    let mut sets = Sets::new(pictures);
    for pair in pairs.iter() {
        sets.join(pair.first, pair.second);
    }
    for pair in pairs {
        pair.set = sets.first(pair.first) as u32;
    }
}
