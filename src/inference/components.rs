//! Connected components of a lung mask, and which of them are taken as lungs. Knows no network.

use crate::findings::{Lung, Lungs, Mask};

/// A second component counts as the other lung from this share of the larger one's area on; smaller ones are specks.
/// A collapsed or a child's smaller lung keeps well above it.
const SECOND_LUNG_SHARE: f64 = 0.1;

/// One 4-connected component of a mask.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Component {
    area_px: u64,
    sum_x: f64,
    sum_y: f64,
}

/// Set pixels of one row that lie side by side: columns `start..end`.
struct Run {
    start: usize,
    end: usize,
    component: usize,
}

/// Tells the lungs apart: the two largest components, if the second is of plausible size.
pub fn lungs(mask: &Mask) -> Lungs {
    let mut components = components(mask);
    components.sort_by_key(|component| std::cmp::Reverse(component.area_px));
    match components.as_slice() {
        [] => Lungs::None,
        [first, second, ..] if second.area_px as f64 >= SECOND_LUNG_SHARE * first.area_px as f64 => {
            let (a, b) = (lung(*first), lung(*second));
            if a.centroid.0 <= b.centroid.0 {
                Lungs::Pair { right: a, left: b }
            } else {
                Lungs::Pair { right: b, left: a }
            }
        }
        [only, ..] => Lungs::Merged(lung(*only)),
    }
}

fn lung(component: Component) -> Lung {
    let area = component.area_px as f64;
    Lung {
        area_px: component.area_px,
        centroid: (component.sum_x / area, component.sum_y / area),
    }
}

/// All 4-connected components, by runs and union-find: one pass, memory in proportion to the runs of a row.
fn components(mask: &Mask) -> Vec<Component> {
    let mut parents: Vec<usize> = Vec::new();
    let mut found: Vec<Component> = Vec::new();
    let mut above: Vec<Run> = Vec::new();
    for (y, row) in mask.pixels.chunks_exact(mask.width.max(1) as usize).enumerate() {
        let mut current = runs(row);
        let mut first_above = 0;
        for run in &mut current {
            run.component = parents.len();
            while above.get(first_above).is_some_and(|other| other.end <= run.start) {
                first_above += 1;
            }
            for other in above[first_above..].iter().take_while(|other| other.start < run.end) {
                let root = root(&mut parents, other.component);
                if run.component == parents.len() {
                    run.component = root;
                } else {
                    let own = self::root(&mut parents, run.component);
                    merge(&mut parents, &mut found, own, root);
                }
            }
            if run.component == parents.len() {
                parents.push(run.component);
                found.push(Component {
                    area_px: 0,
                    sum_x: 0.0,
                    sum_y: 0.0,
                });
            }
            let root = root(&mut parents, run.component);
            add(&mut found[root], run, y);
        }
        above = current;
    }
    let is_root = |index: &usize| parents[*index] == *index;
    (0..parents.len()).filter(is_root).map(|index| found[index]).collect()
}

fn runs(row: &[u8]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut x = 0;
    while let Some(skipped) = position(&row[x..], |pixel| pixel != 0) {
        let start = x + skipped;
        let end = position(&row[start..], |pixel| pixel == 0).map_or(row.len(), |length| start + length);
        runs.push(Run {
            start,
            end,
            component: 0,
        });
        x = end;
    }
    runs
}

/// Pixels that are looked at together.
const STRIDE: usize = 32;

/// Place of the first pixel of a kind. Whole strides without one are stepped over: runs are long.
fn position(pixels: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (strides, _) = pixels.as_chunks::<STRIDE>();
    let any = |stride: &[u8; STRIDE]| stride.iter().fold(false, |any, &pixel| any | wanted(pixel));
    let first = STRIDE * strides.iter().position(any).unwrap_or(strides.len());
    let found = pixels[first..].iter().position(|&pixel| wanted(pixel));
    found.map(|place| first + place)
}

fn add(component: &mut Component, run: &Run, y: usize) {
    let length = (run.end - run.start) as f64;
    component.area_px += (run.end - run.start) as u64;
    component.sum_x += (run.start + run.end - 1) as f64 / 2.0 * length;
    component.sum_y += y as f64 * length;
}

fn root(parents: &mut [usize], mut index: usize) -> usize {
    while parents[index] != index {
        parents[index] = parents[parents[index]];
        index = parents[index];
    }
    index
}

fn merge(parents: &mut [usize], found: &mut [Component], a: usize, b: usize) {
    if a != b {
        let (kept, gone) = (a.min(b), a.max(b));
        parents[gone] = kept;
        let Component { area_px, sum_x, sum_y } = found[gone];
        found[kept].area_px += area_px;
        found[kept].sum_x += sum_x;
        found[kept].sum_y += sum_y;
    }
}
