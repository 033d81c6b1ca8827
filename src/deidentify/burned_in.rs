//! Text that stands in the pixels: strokes of almost one grey near black or white, as large as characters, in rows.
//!
//! Classical, so that it can be explained: a top-hat keeps what is thin and stands out from its surroundings, connected
//! components are what may be characters, and only several of one size on one line are taken for text. A single letter
//! (a side marker) names nobody and is left. Proposes; what is masked is the user's choice.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Longest side of the picture that is searched; larger ones are reduced.
const MOST_PIXELS: usize = 2048;
/// Side of the square that strokes must be thinner than, in searched pixels.
const STROKE: usize = 15;
/// Least step between a stroke and its surroundings, in grey levels of 255.
const LEAST_CONTRAST: u8 = 45;
/// Step that the middle of a stroke has at least.
const LEAST_PEAK: u8 = 75;
/// Grey level that the middle of a stroke reaches (of white text; of black text, its complement).
const LEAST_EXTREME: u8 = 175;
/// Heights of characters in searched pixels.
const HEIGHTS: std::ops::RangeInclusive<usize> = 5..=72;
/// Confidence below which nothing is proposed.
const LEAST_SURE: f32 = 0.45;
/// A block that takes more than this share of the picture is a texture where it is not surer than the other number.
const TEXTURE: (f32, f32) = (0.05, 0.6);
/// Fewest characters of a text.
const LEAST_CHARACTERS: usize = 3;
/// Most components that are looked at: beyond it, the picture is a texture and no text.
const MOST_COMPONENTS: usize = 20_000;

/// A rectangle of image pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Left column, from 0.
    pub x: u32,
    /// Top row, from 0.
    pub y: u32,
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
}

impl Region {
    /// The part inside a picture; `None` if nothing is.
    pub fn within(self, width: u32, height: u32) -> Option<Self> {
        let right = self.x.saturating_add(self.width).min(width);
        let bottom = self.y.saturating_add(self.height).min(height);
        (right > self.x && bottom > self.y).then(|| Self {
            width: right - self.x,
            height: bottom - self.y,
            ..self
        })
    }

    fn touches(&self, other: &Self) -> bool {
        self.x <= other.x + other.width
            && other.x <= self.x + self.width
            && self.y <= other.y + other.height
            && other.y <= self.y + self.height
    }

    fn joined(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            width: (self.x + self.width).max(other.x + other.width) - x,
            height: (self.y + self.height).max(other.y + other.height) - y,
        }
    }
}

/// A rectangle that seems to hold text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Where, with a margin of a third of a character.
    pub region: Region,
    /// 0 to 1: by the number of characters, and how alike and how well aligned they are.
    pub confidence: f32,
}

/// A part of the picture that may be a character.
#[derive(Debug, Clone, Copy)]
struct Component {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    area: usize,
}

impl Component {
    fn height(&self) -> usize {
        self.bottom - self.top + 1
    }

    fn width(&self) -> usize {
        self.right - self.left + 1
    }

    /// With rows and columns exchanged.
    fn turned(self) -> Self {
        Self {
            left: self.top,
            top: self.left,
            right: self.bottom,
            bottom: self.right,
            area: self.area,
        }
    }

    /// Whether its size and how full its box is may be a character's.
    fn may_be_character(&self) -> bool {
        let (width, height) = (self.width(), self.height());
        let longest = width.max(height);
        let fill = self.area as f64 / (width * height) as f64;
        HEIGHTS.contains(&longest) && self.area >= 6 && fill > 0.12 && (fill < 0.9 || width * 3 <= height * 2)
    }
}

/// A plane of grey levels, row-major.
struct Plane {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

/// Proposes the rectangles of a picture of `width` columns that seem to hold text; `grey` is row-major, its darkest and
/// brightest sample near 0 and 255.
pub fn detect(grey: &[u8], width: usize) -> Vec<Detection> {
    let height = grey.len().checked_div(width).unwrap_or(0);
    if height == 0 {
        return Vec::new();
    }
    let factor = width.max(height).div_ceil(MOST_PIXELS);
    let mut found = Vec::new();
    for white in [true, false] {
        let plane = reduced(grey, (width, height), factor, white);
        found.extend(in_plane(&plane).into_iter().filter_map(|(region, confidence)| {
            let factor = factor as u32;
            let region = Region {
                x: region.x * factor,
                y: region.y * factor,
                width: region.width * factor,
                height: region.height * factor,
            };
            let region = region.within(width as u32, height as u32)?;
            Some(Detection { region, confidence })
        }));
    }
    let mut found = merged(found);
    let share = |region: Region| (region.width * region.height) as f32 / grey.len() as f32;
    found.retain(|detection| share(detection.region) <= TEXTURE.0 || detection.confidence > TEXTURE.1);
    found
}

/// The picture with text as its bright side, smaller by a whole factor; strokes stay, because the brightest of each
/// block counts.
fn reduced(grey: &[u8], (width, height): (usize, usize), factor: usize, white: bool) -> Plane {
    let level = |grey: u8| if white { grey } else { 255 - grey };
    if factor == 1 {
        return Plane {
            width,
            height,
            grey: grey[..width * height].iter().map(|&grey| level(grey)).collect(),
        };
    }
    let (columns, rows) = (width.div_ceil(factor), height.div_ceil(factor));
    let mut plane = vec![0; columns * rows];
    for (y, row) in grey.chunks_exact(width).enumerate() {
        let line = &mut plane[y / factor * columns..][..columns];
        for (block, slot) in row.chunks(factor).zip(line) {
            *slot = block.iter().fold(*slot, |most, &grey| most.max(level(grey)));
        }
    }
    Plane {
        width: columns,
        height: rows,
        grey: plane,
    }
}

fn in_plane(plane: &Plane) -> Vec<(Region, f32)> {
    let marks = components(plane, &strokes(plane));
    let mut used = vec![false; marks.len()];
    let mut found = lines(&marks, &mut used);
    // Upright text turned by a quarter: what belongs to no line may stand in a column.
    let rest = marks.iter().zip(&used).filter(|(_, used)| !**used);
    let rest: Vec<Component> = rest.map(|(component, _)| component.turned()).collect();
    let turned = lines(&rest, &mut vec![false; rest.len()]);
    found.extend(turned.into_iter().map(|(region, confidence)| {
        let region = Region {
            x: region.y,
            y: region.x,
            width: region.height,
            height: region.width,
        };
        (region, confidence)
    }));
    found
}

/// How much each pixel stands out from what is around it: the white top-hat of the plane.
fn strokes(plane: &Plane) -> Vec<u8> {
    let opened = filtered(&filtered(&plane.grey, plane.width, u8::min), plane.width, u8::max);
    let pairs = plane.grey.iter().zip(&opened);
    pairs.map(|(&grey, &around)| grey.saturating_sub(around)).collect()
}

/// Minimum or maximum over a square of [`STROKE`] pixels, by rows, then by columns.
fn filtered(grey: &[u8], width: usize, pick: fn(u8, u8) -> u8) -> Vec<u8> {
    let half = STROKE / 2;
    let mut rows = vec![0; grey.len()];
    for (line, out) in grey.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        for (x, slot) in out.iter_mut().enumerate() {
            let window = &line[x.saturating_sub(half)..(x + half + 1).min(width)];
            *slot = window.iter().copied().reduce(pick).unwrap_or(0);
        }
    }
    let height = grey.len() / width;
    let mut out = vec![0; grey.len()];
    for (y, line) in out.chunks_exact_mut(width).enumerate() {
        let (first, last) = (y.saturating_sub(half), (y + half + 1).min(height));
        line.copy_from_slice(&rows[first * width..][..width]);
        for other in rows[first * width..last * width].chunks_exact(width) {
            for (slot, &grey) in line.iter_mut().zip(other) {
                *slot = pick(*slot, grey);
            }
        }
    }
    out
}

/// Connected components (eight neighbours) of what stands out, as far as their middle does.
fn components(plane: &Plane, strokes: &[u8]) -> Vec<Component> {
    let mut seen = vec![false; strokes.len()];
    let mut queue = VecDeque::new();
    let mut found = Vec::new();
    for start in 0..strokes.len() {
        if strokes[start] < LEAST_CONTRAST || seen[start] {
            continue;
        }
        seen[start] = true;
        queue.push_back(start);
        found.extend(component(plane, strokes, &mut seen, &mut queue));
        if found.len() > MOST_COMPONENTS {
            return Vec::new();
        }
    }
    found
}

/// One component; `None` if its middle is not near the extreme.
fn component(plane: &Plane, strokes: &[u8], seen: &mut [bool], queue: &mut VecDeque<usize>) -> Option<Component> {
    let first = *queue.front()?;
    let mut component = Component {
        left: first % plane.width,
        right: first % plane.width,
        top: first / plane.width,
        bottom: first / plane.width,
        area: 0,
    };
    let (mut peak, mut extreme) = (0, 0);
    while let Some(at) = queue.pop_front() {
        let (x, y) = (at % plane.width, at / plane.width);
        component.left = component.left.min(x);
        component.right = component.right.max(x);
        component.top = component.top.min(y);
        component.bottom = component.bottom.max(y);
        component.area += 1;
        peak = peak.max(strokes[at]);
        extreme = extreme.max(plane.grey[at]);
        for row in y.saturating_sub(1)..=(y + 1).min(plane.height - 1) {
            for column in x.saturating_sub(1)..=(x + 1).min(plane.width - 1) {
                let neighbour = row * plane.width + column;
                if strokes[neighbour] >= LEAST_CONTRAST && !seen[neighbour] {
                    seen[neighbour] = true;
                    queue.push_back(neighbour);
                }
            }
        }
    }
    (peak >= LEAST_PEAK && extreme >= LEAST_EXTREME).then_some(component)
}

/// Rows of at least [`LEAST_CHARACTERS`] components that are alike, with what belongs to them; marks what does.
fn lines(marks: &[Component], used: &mut [bool]) -> Vec<(Region, f32)> {
    let mut order: Vec<usize> = (0..marks.len())
        .filter(|&index| marks[index].may_be_character())
        .collect();
    order.sort_by_key(|&index| marks[index].left);
    let mut found = Vec::new();
    for (place, &start) in order.iter().enumerate() {
        if used[start] || !HEIGHTS.contains(&marks[start].height()) {
            continue;
        }
        let mut line = vec![start];
        let mut last = marks[start];
        for &next in &order[place + 1..] {
            let component = marks[next];
            if component.left > last.right + 2 * last.height().max(component.height()) {
                break;
            }
            if !used[next] && follows(&last, &component) {
                line.push(next);
                last = component;
            }
        }
        let characters: Vec<Component> = line.iter().map(|&index| marks[index]).collect();
        let confidence = confidence(&characters);
        if line.len() >= LEAST_CHARACTERS && confidence > 0.0 {
            for index in line {
                used[index] = true;
            }
            found.push((around(&with_rest(characters, marks, used)), confidence));
        }
    }
    found
}

/// The characters of a line with whatever else stands on it within two heights: short words, punctuation, letters that
/// run into each other.
fn with_rest(mut characters: Vec<Component>, marks: &[Component], used: &mut [bool]) -> Vec<Component> {
    let height = characters.iter().map(Component::height).max().unwrap_or(0);
    let top = characters.iter().map(|character| character.top).min().unwrap_or(0);
    let bottom = characters.iter().map(|character| character.bottom).max().unwrap_or(0);
    let (highest, lowest) = (top.saturating_sub(height / 3), bottom + height / 3);
    let mut left = characters.iter().map(|character| character.left).min().unwrap_or(0);
    let mut right = characters.iter().map(|character| character.right).max().unwrap_or(0);
    let mut again = true;
    while again {
        again = false;
        for (mark, used) in marks.iter().zip(used.iter_mut()) {
            let is_near = mark.left <= right + 2 * height && mark.right + 2 * height >= left;
            if !*used && is_near && mark.top >= highest && mark.bottom <= lowest {
                (left, right) = (left.min(mark.left), right.max(mark.right));
                characters.push(*mark);
                (*used, again) = (true, true);
            }
        }
    }
    characters
}

/// Whether `next` may stand behind `last` in a line.
fn follows(last: &Component, next: &Component) -> bool {
    let (taller, smaller) = (last.height().max(next.height()), last.height().min(next.height()));
    let overlap = last.bottom.min(next.bottom) as isize - last.top.max(next.top) as isize + 1;
    let gap = next.left as isize - last.right as isize;
    let reach = (taller * 3 / 2) as isize;
    taller <= smaller * 2 + 2
        && overlap * 10 >= smaller as isize * 6
        && gap <= reach
        && gap >= -(smaller as isize) / 3
        && next.right > last.right
        && next.width() <= taller * 2
}

/// How surely these are the characters of one line: 0 where they stand too unevenly for one.
fn confidence(characters: &[Component]) -> f32 {
    let count = characters.len() as f32;
    let mean = |value: &dyn Fn(&Component) -> f32| characters.iter().map(value).sum::<f32>() / count;
    let height = mean(&|character| character.height() as f32);
    let bottom = mean(&|character| character.bottom as f32);
    let spread = |value: &dyn Fn(&Component) -> f32, middle: f32| {
        (mean(&|character| (value(character) - middle).powi(2))).sqrt() / height
    };
    let uneven = spread(&|character| character.bottom as f32, bottom)
        + spread(&|character| character.height() as f32, height) / 2.0;
    let evenness = (1.0 - 1.6 * uneven).max(0.0);
    let number = 1.0 - 0.5_f32.powf((count - 1.0) / 2.0);
    let sure = evenness * number;
    if sure < LEAST_SURE { 0.0 } else { sure }
}

fn around(characters: &[Component]) -> Region {
    let least = |value: fn(&Component) -> usize| characters.iter().map(value).min().unwrap_or(0);
    let most = |value: fn(&Component) -> usize| characters.iter().map(value).max().unwrap_or(0);
    let margin = most(Component::height).div_ceil(3);
    let (left, top) = (
        least(|character| character.left).saturating_sub(margin),
        least(|character| character.top).saturating_sub(margin),
    );
    Region {
        x: left as u32,
        y: top as u32,
        width: (most(|character| character.right) + margin + 1 - left) as u32,
        height: (most(|character| character.bottom) + margin + 1 - top) as u32,
    }
}

/// Rectangles that touch become one: words of a line, lines of a block.
pub(super) fn merged(mut found: Vec<Detection>) -> Vec<Detection> {
    let mut again = true;
    while again {
        again = false;
        let mut kept: Vec<Detection> = Vec::with_capacity(found.len());
        for detection in found {
            match kept.iter_mut().find(|other| other.region.touches(&detection.region)) {
                Some(other) => {
                    other.region = other.region.joined(&detection.region);
                    other.confidence = other.confidence.max(detection.confidence);
                    again = true;
                }
                None => kept.push(detection),
            }
        }
        found = kept;
    }
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    found
}
