//! Lossless JPEG, process 14 (ITU-T T.81 annex H): every sample is predicted from its neighbours, and the difference
//! is Huffman coded.

use super::bits::Bits;
use super::huffman::{Huffman, Symbols};
use super::segments::{Frame, ScanHeader, Segments, Tables};
use super::{Size, broken};

/// Decodes a codestream of 2 to 16 bits: samples interleaved, low byte first, one byte each up to 8 bits, else two.
///
/// # Errors
/// One sentence with the cause.
pub(in crate::imaging::dicom) fn decode(bytes: &[u8], size: Size) -> Result<Vec<u8>, String> {
    let mut tables = Tables::default();
    let mut segments = Segments::new(bytes);
    let mut picture = None;
    loop {
        let header = tables.read(&mut segments)?;
        let frame = size.checked(tables.frame.as_ref(), 2..=16)?;
        let picture = picture.get_or_insert_with(|| Picture::new(frame, size));
        let scan = Scan::new(&tables, frame, &header, picture)?;
        segments = Segments::new(scan.decode(segments.rest(), picture)?);
        if picture.decoded.iter().all(|&decoded| decoded) {
            return Ok(std::mem::take(&mut picture.samples));
        }
    }
}

/// The samples, interleaved.
struct Picture {
    samples: Vec<u8>,
    columns: usize,
    sample_bytes: usize,
    /// Whether the samples of each component are there.
    decoded: Vec<bool>,
}

impl Picture {
    fn new(frame: &Frame, size: Size) -> Self {
        let sample_bytes = if frame.precision > 8 { 2 } else { 1 };
        Self {
            samples: vec![0; size.columns * size.rows * size.components * sample_bytes],
            columns: size.columns,
            sample_bytes,
            decoded: vec![false; size.components],
        }
    }

    fn put(&mut self, row: usize, component: usize, samples: &[u16], shift: u8) {
        let components = self.decoded.len();
        let stride = components * self.sample_bytes;
        let start = row * self.columns * stride;
        let row = &mut self.samples[start..start + self.columns * stride];
        let values = samples.iter().map(|&sample| sample.wrapping_shl(shift.into()));
        match (self.sample_bytes, components) {
            (1, _) => row
                .iter_mut()
                .skip(component)
                .step_by(stride)
                .zip(values)
                .for_each(|(at, value)| *at = value as u8),
            // Apart, because it is vectorised so.
            (_, 1) => row
                .as_chunks_mut::<2>()
                .0
                .iter_mut()
                .zip(values)
                .for_each(|(at, value)| *at = value.to_le_bytes()),
            _ => {
                let pairs = row.as_chunks_mut::<2>().0.iter_mut();
                let pairs = pairs.skip(component).step_by(components);
                pairs.zip(values).for_each(|(at, value)| *at = value.to_le_bytes());
            }
        }
    }
}

/// One component in a scan.
struct Line {
    component: usize,
    table: Box<Huffman>,
    /// Samples of the row before, by the point transform.
    above: Vec<u16>,
    /// Differences of a row, then its samples.
    current: Vec<u16>,
}

struct Scan {
    lines: Vec<Line>,
    predictor: u8,
    point_transform: u8,
    /// What stands for the sample before the first one.
    initial: u16,
    rows: usize,
    /// Rows from one restart marker to the next.
    restart_rows: usize,
}

impl Scan {
    fn new(tables: &Tables, frame: &Frame, header: &ScanHeader, picture: &mut Picture) -> Result<Self, String> {
        let columns = frame.columns;
        let point_transform = header.approximation & 15;
        if !matches!(header.start, 1..=7) || point_transform >= frame.precision {
            return Err(broken("its predictor or point transform is none"));
        }
        let interleaved = header.components.len() > 1;
        let mut lines = Vec::new();
        for &(component, selectors) in &header.components {
            if std::mem::replace(&mut picture.decoded[component], true) {
                return Err(broken("a component comes twice"));
            }
            // Any factor is that of the whole frame where all are the same, and each component has a scan of its own.
            let sampling = frame.components[component].sampling;
            if interleaved && sampling != 0x11 || frame.components.iter().any(|other| other.sampling != sampling) {
                return Err("its lossless JPEG frame has channels of different sizes, which is not read".to_owned());
            }
            lines.push(Line {
                component,
                table: tables.huffman(selectors >> 4, Symbols::Samples)?,
                above: vec![0; columns],
                current: vec![0; columns],
            });
        }
        if lines.is_empty() {
            return Err(broken("a scan has no component"));
        }
        let restart_rows = match tables.restart_interval {
            0 => frame.rows,
            interval if interval >= columns * frame.rows => frame.rows,
            interval if interval % columns == 0 => interval / columns,
            _ => return Err(broken("a restart interval ends within a row")),
        };
        Ok(Self {
            lines,
            predictor: header.start,
            point_transform,
            initial: 1 << (frame.precision - point_transform - 1),
            rows: frame.rows,
            restart_rows,
        })
    }

    /// Decodes the scan that begins with `bytes`; returns those from the marker behind it on.
    fn decode<'a>(mut self, bytes: &'a [u8], picture: &mut Picture) -> Result<&'a [u8], String> {
        let mut bits = Bits::new(bytes);
        for row in 0..self.rows {
            let is_first = row % self.restart_rows == 0;
            if is_first && row > 0 {
                bits.restart(row / self.restart_rows - 1)?;
            }
            let known = match &mut self.lines[..] {
                [line] => differences(&mut bits, line),
                lines => interleaved_differences(&mut bits, lines),
            };
            bits.check()?;
            known.ok_or_else(|| broken("it has a code that its Huffman table has not"))?;
            for line in &mut self.lines {
                if is_first {
                    first_row(self.initial, &mut line.current);
                } else {
                    next_row(self.predictor, &line.above, &mut line.current);
                }
                picture.put(row, line.component, &line.current, self.point_transform);
                std::mem::swap(&mut line.above, &mut line.current);
            }
        }
        Ok(bits.behind())
    }
}

/// Reads the differences of a row; `None` if a code is unknown.
fn differences(bits: &mut Bits, line: &mut Line) -> Option<()> {
    let mut next = *bits;
    let (groups, rest) = line.current.as_chunks_mut::<3>();
    for [a, b, c] in groups {
        next.refill();
        *a = next_difference(&mut next, &line.table)?;
        next.top_up();
        *b = next_difference(&mut next, &line.table)?;
        next.top_up();
        *c = next_difference(&mut next, &line.table)?;
    }
    for difference in rest {
        next.refill();
        *difference = next_difference(&mut next, &line.table)?;
    }
    *bits = next;
    Some(())
}

fn interleaved_differences(bits: &mut Bits, lines: &mut [Line]) -> Option<()> {
    let columns = lines.first()?.current.len();
    for column in 0..columns {
        for line in &mut *lines {
            bits.refill();
            line.current[column] = next_difference(bits, &line.table)?;
        }
    }
    Some(())
}

#[inline(always)]
fn next_difference(bits: &mut Bits, table: &Huffman) -> Option<u16> {
    let (code, value) = bits.coded(table)?;
    // Symbol 16 alone has that bit; it stands for 32768.
    Some(value as u16 | (code.symbol() as u16 & 16) << 11)
}

/// From differences to samples, in the first row and behind a restart marker (T.81 H.1.2.1).
fn first_row(initial: u16, row: &mut [u16]) {
    let mut left = initial;
    for sample in row {
        left = left.wrapping_add(*sample);
        *sample = left;
    }
}

/// From differences to samples, by one of the predictors of T.81 table H.1; the first column is predicted from above.
fn next_row(predictor: u8, above: &[u16], row: &mut [u16]) {
    match predictor {
        1 => predicted(above, row, |left, _, _| left),
        2 => predicted(above, row, |_, above, _| above),
        3 => predicted(above, row, |_, _, corner| corner),
        4 => predicted(above, row, |left, above, corner| left + above - corner),
        5 => predicted(above, row, |left, above, corner| left + ((above - corner) >> 1)),
        6 => predicted(above, row, |left, above, corner| above + ((left - corner) >> 1)),
        _ => predicted(above, row, |left, above, _| (left + above) >> 1),
    }
}

#[inline(always)]
fn predicted(above: &[u16], row: &mut [u16], prediction: impl Fn(i32, i32, i32) -> i32) {
    let (Some((first, row)), Some((&corner, above))) = (row.split_first_mut(), above.split_first()) else {
        return;
    };
    *first = first.wrapping_add(corner);
    let (mut left, mut corner) = (*first, corner);
    for (sample, &above) in row.iter_mut().zip(above) {
        left = sample.wrapping_add(prediction(left.into(), above.into(), corner.into()) as u16);
        corner = above;
        *sample = left;
    }
}
