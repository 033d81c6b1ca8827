//! Which pairs of pictures are worth comparing: multi-index hashing finds hashes a few bits apart without comparing all
//! with all, and neighbours in sorted order find pictures so alike that their bits are chance. All work is bounded
//! a picture, so that thousands of nearly equal pictures cost no more than others.

use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::align::Warp;
use super::hash::{BITS, Frequencies, Medians, dot};

/// Pieces of a hash: two hashes up to 7 bits apart agree in one of them but for a bit.
const PIECES: usize = 4;
/// Bits of a piece.
const PIECE_BITS: usize = BITS / PIECES;
/// Most bits between hashes of a proposed pair.
const RADIUS: u32 = 8;
/// Least product of the frequencies of a proposed pair.
const LEAST_PRODUCT: f32 = 0.85;
/// Data sets up to this size are compared all with all.
const SMALL_SET: usize = 1024;
/// Orders in which neighbours are looked at, and neighbours in each.
const ORDERS: (usize, usize) = (4, 8);
/// Most hashes looked at for one picture under one crop. Where more are equal, those that follow the picture itself
/// are taken, which chains all of them together.
const MOST_LOOKED_AT: usize = 20_000;
/// Most pictures proposed for one picture: of another part, of another group in the same part, of the same group.
const MOST_PROPOSED: [usize; 3] = [6, 4, 2];

/// What relates two pictures in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They are in different parts.
    AcrossParts = 0,
    /// They are in one part, but of different groups.
    AcrossGroups = 1,
    /// They are of one group in one part.
    SameGroup = 2,
}

/// A pair that may be one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Number of the first picture.
    pub first: u32,
    /// Number of the second.
    pub second: u32,
    /// Product of their frequencies.
    pub product: f32,
    /// Where positions of the first may lie on the second.
    pub guess: Warp,
}

/// The pictures of a data set by their hashes.
pub struct Index<'a> {
    described: &'a [Option<Frequencies>],
    medians: Medians,
    hashes: Vec<u64>,
    /// A piece: where each value's pictures begin in `members`.
    starts: Vec<Vec<u32>>,
    members: Vec<Vec<u32>>,
    /// Pictures in several orders, and the place of each in them.
    orders: Vec<(Vec<u32>, Vec<u32>)>,
}

impl<'a> Index<'a> {
    /// Puts all pictures with structure in order.
    pub fn new(described: &'a [Option<Frequencies>]) -> Self {
        let medians = Medians::of(described);
        let hashes: Vec<u64> = described
            .iter()
            .map(|frequencies| frequencies.as_ref().map_or(0, |all| medians.hash(all)))
            .collect();
        let present: Vec<u32> = (0..described.len())
            .filter(|&i| described[i].is_some())
            .map(|i| i as u32)
            .collect();
        let (mut starts, mut members) = (Vec::new(), Vec::new());
        for piece in 0..PIECES {
            let (start, member) = sorted_by_piece(&hashes, &present, piece);
            starts.push(start);
            members.push(member);
        }
        let orders = orders(described, &present);
        Self {
            described,
            medians,
            hashes,
            starts,
            members,
            orders,
        }
    }

    /// The pictures that may be a copy of picture `own` or of one of its crops, which are given with the way to them.
    pub fn candidates(
        &self,
        own: usize,
        crops: &[(Frequencies, Warp)],
        relation: &dyn Fn(usize) -> Relation,
    ) -> Vec<Candidate> {
        let mut best = Best::default();
        for (frequencies, guess) in crops {
            let mut offer = |other: usize| {
                let Some(there) = self.described[other].as_ref().filter(|_| other != own) else {
                    return;
                };
                let product = dot(frequencies, there);
                if product >= LEAST_PRODUCT {
                    best.offer(relation(other), other as u32, product, *guess);
                }
            };
            if self.described.len() <= SMALL_SET {
                (0..self.described.len()).for_each(&mut offer);
            } else {
                self.look_up(own as u32, self.medians.hash(frequencies), &mut offer);
            }
        }
        if let (Some(frequencies), true) = (self.described[own].as_ref(), self.described.len() > SMALL_SET) {
            for other in self.neighbours(own) {
                let there = self.described[other]
                    .as_ref()
                    .expect("orders hold pictures with structure");
                let product = dot(frequencies, there);
                if product >= LEAST_PRODUCT {
                    best.offer(relation(other), other as u32, product, Warp::IDENTITY);
                }
            }
        }
        best.candidates(own as u32)
    }

    fn look_up(&self, own: u32, hash: u64, offer: &mut dyn FnMut(usize)) {
        let mut left = MOST_LOOKED_AT;
        for piece in 0..PIECES {
            let value = piece_of(hash, piece);
            for probe in 0..=PIECE_BITS {
                // The piece itself, then each with one bit turned.
                let value = if probe == 0 { value } else { value ^ 1 << (probe - 1) };
                let range = self.starts[piece][value] as usize..self.starts[piece][value + 1] as usize;
                let members = &self.members[piece][range];
                let begin = members.partition_point(|&member| member <= own);
                let (before, after) = members.split_at(begin);
                for &member in after.iter().chain(before).take(left) {
                    if (self.hashes[member as usize] ^ hash).count_ones() <= RADIUS {
                        offer(member as usize);
                    }
                }
                left -= members.len().min(left);
            }
        }
    }

    fn neighbours(&self, own: usize) -> impl Iterator<Item = usize> {
        self.orders.iter().flat_map(move |(order, places)| {
            let place = places[own] as usize;
            let after = order[place + 1..].iter().take(ORDERS.1);
            after.map(|&other| other as usize)
        })
    }
}

fn piece_of(hash: u64, piece: usize) -> usize {
    (hash >> (piece * PIECE_BITS)) as usize & ((1 << PIECE_BITS) - 1)
}

/// Counting sort: where each value begins, and the pictures in the order of their values.
fn sorted_by_piece(hashes: &[u64], present: &[u32], piece: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; (1 << PIECE_BITS) + 1];
    for &i in present {
        starts[piece_of(hashes[i as usize], piece) + 1] += 1;
    }
    for value in 1..starts.len() {
        starts[value] += starts[value - 1];
    }
    let mut next = starts.clone();
    let mut members = vec![0; present.len()];
    for &i in present {
        let place = &mut next[piece_of(hashes[i as usize], piece)];
        members[*place as usize] = i;
        *place += 1;
    }
    (starts, members)
}

/// The pictures sorted along some fixed directions, with the place of each.
fn orders(described: &[Option<Frequencies>], present: &[u32]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut one = || {
        let direction: Frequencies = std::array::from_fn(|_| if rng.random::<bool>() { 1.0 } else { -1.0 });
        let height = |i: u32| described[i as usize].as_ref().map_or(0.0, |all| dot(all, &direction));
        let mut sorted: Vec<(f32, u32)> = present.iter().map(|&i| (height(i), i)).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let order: Vec<u32> = sorted.into_iter().map(|(_, i)| i).collect();
        let mut places = vec![0; described.len()];
        for (place, &i) in order.iter().enumerate() {
            places[i as usize] = place as u32;
        }
        (order, places)
    };
    (0..ORDERS.0).map(|_| one()).collect()
}

/// The best few of each relation.
#[derive(Default)]
struct Best {
    lists: [Vec<(u32, f32, Warp)>; 3],
}

impl Best {
    fn offer(&mut self, relation: Relation, other: u32, product: f32, guess: Warp) {
        let (list, most) = (&mut self.lists[relation as usize], MOST_PROPOSED[relation as usize]);
        if let Some(there) = list.iter_mut().find(|entry| entry.0 == other) {
            if there.1 < product {
                *there = (other, product, guess);
            }
        } else if list.len() < most {
            list.push((other, product, guess));
        } else if let Some(worst) = list.iter_mut().min_by(|a, b| a.1.total_cmp(&b.1))
            && worst.1 < product
        {
            *worst = (other, product, guess);
        }
    }

    fn candidates(self, own: u32) -> Vec<Candidate> {
        let all = self.lists.into_iter().flatten();
        all.map(|(second, product, guess)| Candidate {
            first: own,
            second,
            product,
            guess,
        })
        .collect()
    }
}

/// One candidate a pair: the one whose frequencies agree best.
pub fn distinct(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut pairs: HashMap<(u32, u32), Candidate> = HashMap::with_capacity(candidates.len());
    for candidate in candidates {
        let pair = (
            candidate.first.min(candidate.second),
            candidate.first.max(candidate.second),
        );
        let entry = pairs.entry(pair).or_insert(candidate);
        if entry.product < candidate.product {
            *entry = candidate;
        }
    }
    let mut distinct: Vec<Candidate> = pairs.into_values().collect();
    distinct.sort_unstable_by_key(|candidate| (candidate.first, candidate.second));
    distinct
}
