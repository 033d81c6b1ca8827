//! Counting: rows and looks to a report. Lists and pictures are bounded, whatever the data set.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::training::dataset::paper_table::Comparison;
use crate::training::manifest::{Class, Row};
use crate::training::split::Part;

use super::copies::Pair;
use super::hash::{BITS, Frequencies, dot};
use super::histogram::Histograms;
use super::look::{Look, Seen};
use super::plane::PlaneFile;
use super::report::{
    CheckReport, CopyPair, Count, Leakage, Listed, MaskCount, Odd, OddKind, PairCounts, PaperTable, Place, SharedGroup,
    Unreadable, VERSION,
};
use super::thumbnail::Thumbnail;

/// Most entries that are kept of a list.
const MOST_LISTED: usize = 1000;
/// Most pairs of copies that are kept: what is left out of a run is chosen among them.
const MOST_COPIES: usize = 20_000;
/// Most pairs whose pictures are kept.
const MOST_PAIR_THUMBNAILS: usize = 48;
/// Most odd images of a kind whose pictures are kept.
const MOST_OF_A_KIND: usize = 12;
/// Fewest images of which one can be unlike the others.
const LEAST_OTHERS: usize = 16;
/// Likeness to the mean picture (-1 to 1) below which an image is like a negative, and below which it is unlike.
const LIKENESS: (f32, f32) = (-0.3, 0.2);
/// Share of a data set up to which images of one shape or size are odd and not its habit.
const RARE: f64 = 0.2;
/// Shorter side below which an image is small, in pixels.
const SMALL: u32 = 128;

/// What is counted while files are read.
pub struct Summary {
    counts: BTreeMap<(Part, String, String, String, bool), usize>,
    masks: BTreeMap<String, MaskCount>,
    without_mask: Vec<String>,
    unreadable: Vec<Unreadable>,
    histograms: Histograms,
}

impl Summary {
    /// Counts what the table says by itself.
    pub fn new(rows: &[Row]) -> Self {
        let mut counts = BTreeMap::new();
        let mut masks: BTreeMap<String, MaskCount> = BTreeMap::new();
        let mut without_mask = Vec::new();
        for row in rows {
            let source = row.source.clone().unwrap_or_default();
            let key = (
                row.part(),
                row.label.clone(),
                source.clone(),
                row.view.clone().unwrap_or_default(),
                row.class == Class::Covid19,
            );
            *counts.entry(key).or_default() += 1;
            let mask = masks.entry(source.clone()).or_insert_with(|| MaskCount {
                source,
                lung_field: 0,
                other: 0,
                none: 0,
            });
            if row.has_manual_lung_field() {
                mask.lung_field += 1;
            } else if row.mask.is_some() {
                mask.other += 1;
            } else {
                mask.none += 1;
                without_mask.push(row.file.clone());
            }
        }
        Self {
            counts,
            masks,
            without_mask,
            unreadable: Vec::new(),
            histograms: Histograms::default(),
        }
    }

    /// Counts an image that was looked at, and gives back what stays of it.
    pub fn add(&mut self, row: &Row, seen: Seen) -> Option<Look> {
        if let Some(reason) = seen.mask {
            self.unreadable.push(Unreadable {
                file: row.file.clone(),
                mask: true,
                reason,
            });
        }
        match seen.look {
            Ok((look, greys)) => {
                self.histograms.add(row.class, look.size, greys.mean, &greys.counts);
                Some(look)
            }
            Err(reason) => {
                self.unreadable.push(Unreadable {
                    file: row.file.clone(),
                    mask: false,
                    reason,
                });
                None
            }
        }
    }

    /// The report, without fingerprint and time.
    pub fn report(self, rows: &[Row], looks: &[Option<Look>], pairs: &[Pair], planes: &PlaneFile) -> CheckReport {
        let (exact, near) = (
            pair_counts(rows, pairs.iter().filter(|pair| pair.exact)),
            pair_counts(rows, pairs.iter().filter(|pair| !pair.exact)),
        );
        let shared_groups = shared_groups(rows.iter());
        let count =
            |((part, label, source, view, covid19), images): ((Part, String, String, String, bool), usize)| Count {
                part: part.name().to_owned(),
                label,
                covid19,
                source,
                view,
                images,
            };
        CheckReport {
            version: VERSION,
            fingerprint: String::new(),
            images: rows.len(),
            leakage: Leakage {
                exact: exact.across_parts,
                near: near.across_parts,
                groups: shared_groups.len(),
            },
            unreadable: Listed::new(self.unreadable, MOST_LISTED),
            counts: self.counts.into_iter().map(count).collect(),
            paper: paper_tables(rows),
            exact,
            near,
            copies: copies(rows, pairs, planes),
            shared_groups: Listed::new(shared_groups, MOST_LISTED),
            masks: self.masks.into_values().collect(),
            without_mask: Listed::new(self.without_mask, MOST_LISTED),
            histograms: self.histograms.finish(),
            odd: odd(rows, looks, planes),
            seconds: 0.0,
        }
    }
}

/// Both phases beside the paper's, where the images have to do with it.
fn paper_tables(rows: &[Row]) -> Vec<PaperTable> {
    let both = [Comparison::of_lung_masks(rows), Comparison::of_table_1(rows)];
    let applying = both.into_iter().filter(|table| {
        let mut groups = table.groups.iter();
        groups.any(|group| group.paper.is_some() && group.found.all() > 0)
    });
    applying.map(PaperTable::from).collect()
}

fn pair_counts<'a>(rows: &[Row], pairs: impl Iterator<Item = &'a Pair>) -> PairCounts {
    let mut counts = PairCounts::default();
    for pair in pairs {
        let (one, two) = (&rows[pair.first], &rows[pair.second]);
        counts.pairs += 1;
        if one.part() != two.part() {
            counts.across_parts += 1;
        } else if one.group != two.group {
            counts.across_groups += 1;
        }
        counts.across_classes += usize::from(one.class != two.class);
    }
    counts
}

fn place(row: &Row) -> Place {
    Place {
        file: row.file.clone(),
        part: row.part().name().to_owned(),
        label: row.label.clone(),
        source: row.source.clone().unwrap_or_default(),
    }
}

fn thumbnail(planes: &PlaneFile, number: usize) -> Option<Thumbnail> {
    Thumbnail::of(&planes.read(number).ok()?)
}

/// The pairs, across parts first, then across groups, the surest first.
fn copies(rows: &[Row], pairs: &[Pair], planes: &PlaneFile) -> Listed<CopyPair> {
    let gravity = |pair: &Pair| {
        let (one, two) = (&rows[pair.first], &rows[pair.second]);
        if one.part() != two.part() {
            0
        } else if one.group == two.group {
            2
        } else {
            1
        }
    };
    let mut sorted: Vec<(u8, &Pair)> = pairs.iter().map(|pair| (gravity(pair), pair)).collect();
    sorted.sort_by(|(a, one), (b, two)| {
        let surest = two.likeness.0.total_cmp(&one.likeness.0);
        a.cmp(b)
            .then(surest)
            .then((one.first, one.second).cmp(&(two.first, two.second)))
    });
    let kept = sorted.iter().take(MOST_COPIES).enumerate().map(|(number, (_, pair))| {
        let thumbnails = (number < MOST_PAIR_THUMBNAILS)
            .then(|| Some([thumbnail(planes, pair.first)?, thumbnail(planes, pair.second)?]))
            .flatten();
        CopyPair {
            first: place(&rows[pair.first]),
            second: place(&rows[pair.second]),
            same_group: rows[pair.first].group == rows[pair.second].group,
            correlation: pair.likeness.0,
            detail: pair.likeness.1,
            set: pair.set,
            thumbnails,
        }
    });
    Listed {
        first: kept.collect(),
        total: pairs.len(),
    }
}

/// Groups with rows in more than one part.
pub fn shared_groups<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<SharedGroup> {
    let mut groups: HashMap<&str, (BTreeMap<Part, &Row>, usize)> = HashMap::new();
    for row in rows {
        let (parts, images) = groups.entry(row.group.as_str()).or_default();
        parts.entry(row.part()).or_insert(row);
        *images += 1;
    }
    let mut shared: Vec<SharedGroup> = groups
        .into_values()
        .filter(|(parts, _)| parts.len() > 1)
        .map(|(parts, images)| SharedGroup {
            files: parts.into_values().map(place).collect(),
            images,
        })
        .collect();
    shared.sort_by(|a, b| a.files[0].file.cmp(&b.files[0].file));
    shared
}

fn odd(rows: &[Row], looks: &[Option<Look>], planes: &PlaneFile) -> Listed<Odd> {
    let mut found: Vec<(OddKind, f32, usize)> = Vec::new();
    let described = looks.iter().flatten().filter_map(|look| look.frequencies.as_ref());
    let mean = mean_direction(described);
    for (number, look) in looks.iter().enumerate() {
        let Some(look) = look else { continue };
        let (short, long) = (look.size.0.min(look.size.1), look.size.0.max(look.size.1));
        match &look.frequencies {
            None => found.push((OddKind::Flat, 0.0, number)),
            Some(frequencies) => {
                let likeness = mean.as_ref().map_or(1.0, |mean| dot(frequencies, mean));
                if likeness < LIKENESS.0 {
                    found.push((OddKind::Inverted, likeness, number));
                } else if likeness < LIKENESS.1 {
                    found.push((OddKind::Unlike, likeness, number));
                }
            }
        }
        if long > 2 * short {
            found.push((OddKind::Long, short as f32 / long as f32, number));
        }
        if short < SMALL {
            found.push((OddKind::Small, short as f32, number));
        }
    }
    for kind in [OddKind::Small, OddKind::Long] {
        let many = found.iter().filter(|(other, ..)| *other == kind).count();
        if many as f64 > RARE * looks.len() as f64 {
            found.retain(|(other, ..)| *other != kind);
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut kept: BTreeMap<OddKind, usize> = BTreeMap::new();
    let total = found.len();
    let mut first = Vec::new();
    for (kind, _, number) in found {
        let kept = kept.entry(kind).or_default();
        *kept += 1;
        let Some(look) = looks[number].as_ref().filter(|_| *kept <= MOST_LISTED / 5) else {
            continue;
        };
        first.push(Odd {
            place: place(&rows[number]),
            kind,
            size: look.size,
            thumbnail: (*kept <= MOST_OF_A_KIND).then(|| thumbnail(planes, number)).flatten(),
        });
    }
    Listed { total, first }
}

/// Mean of all frequencies, of length 1; `None` where there are too few to speak of others.
fn mean_direction<'a>(all: impl Iterator<Item = &'a Frequencies>) -> Option<Frequencies> {
    let (mut sum, mut count) = ([0.0_f64; BITS], 0);
    for frequencies in all {
        count += 1;
        sum.iter_mut()
            .zip(frequencies)
            .for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    (count >= LEAST_OTHERS && length > 1e-6).then(|| sum.map(|value| (value / length) as f32))
}

/// Parts that the used pictures of each set are in.
pub fn sets_across_parts(report: &CheckReport, uses: &dyn Fn(&str) -> bool) -> Vec<u32> {
    let mut parts: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for copy in &report.copies.first {
        for place in [&copy.first, &copy.second] {
            if uses(&place.file) {
                parts.entry(copy.set).or_default().insert(&place.part);
            }
        }
    }
    parts
        .into_iter()
        .filter(|(_, parts)| parts.len() > 1)
        .map(|(set, _)| set)
        .collect()
}
