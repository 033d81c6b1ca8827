//! JPEG codestreams made here (ITU-T T.81): lossless ones in all their variants, and extended ones of 12 bits.

use std::f64::consts::PI;

/// A Huffman table: symbols in order of code length, with that length.
pub struct Table {
    codes: Vec<(u8, u32)>,
}

impl Table {
    /// The categories of differences, all of five bits.
    pub fn even() -> Self {
        let codes = (0..17).map(|symbol| (symbol, 5)).collect();
        Self { codes }
    }

    /// Categories with codes of up to 16 bits, category `first` with the shortest.
    pub fn skewed(first: u8) -> Self {
        let length = |index: u8| u32::from(if index < 14 { index + 1 } else { 16 });
        let codes = (0..17).map(|index| ((first + index) % 17, length(index))).collect();
        Self { codes }
    }

    /// Categories 0 to 15, which is what DC coefficients have.
    fn dc() -> Self {
        let codes = (0..16).map(|symbol| (symbol, 5)).collect();
        Self { codes }
    }

    /// Every zero run and size of AC coefficients; the longer runs have codes of 13 bits.
    fn ac() -> Self {
        let symbols = (0..=255_u8).filter(|symbol| symbol & 15 != 0 || matches!(symbol, 0 | 0xf0));
        let codes = symbols
            .map(|symbol| (symbol, if symbol < 0x80 { 8 } else { 13 }))
            .collect();
        Self { codes }
    }

    fn segment(&self, head: u8) -> Vec<u8> {
        let count = |length| self.codes.iter().filter(|code| code.1 == length).count() as u8;
        let mut segment = vec![head];
        segment.extend((1..=16).map(count));
        segment.extend(self.codes.iter().map(|code| code.0));
        segment
    }

    /// The code of a symbol and its length (T.81 annex C).
    fn code(&self, symbol: u8) -> (u32, u32) {
        let mut next = 0;
        let mut before = 0;
        for &(each, length) in &self.codes {
            next <<= length - before;
            if each == symbol {
                return (next, length);
            }
            (next, before) = (next + 1, length);
        }
        panic!("symbol {symbol} has no code")
    }
}

/// Entropy-coded bits.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    byte: u8,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.byte = self.byte << 1 | (value >> bit & 1) as u8;
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.byte);
                if self.byte == 0xff {
                    self.bytes.push(0);
                }
                (self.byte, self.count) = (0, 0);
            }
        }
    }

    /// A symbol of `zeros` in its upper half and the size of a number in the lower, then the number.
    fn put_number(&mut self, table: &Table, zeros: u8, number: i32) {
        let size = 32 - number.unsigned_abs().leading_zeros();
        let (code, length) = table.code(zeros << 4 | size as u8);
        self.put(code, length);
        self.put(
            (number - i32::from(number < 0)).cast_unsigned() & ((1 << size) - 1),
            size,
        );
    }

    /// Ones up to the next byte, then a marker.
    fn mark(&mut self, marker: u8) {
        while self.count > 0 {
            self.put(1, 1);
        }
        self.bytes.extend([0xff, marker]);
    }
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker][..], &length, content].concat()
}

fn frame(process: u8, precision: u8, [columns, rows]: [usize; 2], components: usize) -> Vec<u8> {
    let mut content = vec![precision];
    content.extend((rows as u16).to_be_bytes());
    content.extend((columns as u16).to_be_bytes());
    content.push(components as u8);
    for id in 0..components as u8 {
        content.extend([id + 1, 0x11, 0]);
    }
    segment(process, &content)
}

/// A lossless picture.
#[derive(Debug, Clone)]
pub struct Lossless {
    pub columns: usize,
    pub rows: usize,
    pub components: usize,
    pub precision: u8,
    /// 1 to 7.
    pub predictor: u8,
    pub point_transform: u8,
    /// Rows between restart markers; 0 for none.
    pub restart_rows: usize,
    /// All components in one scan, not one in each.
    pub interleaved: bool,
    /// Interleaved, without the bits that the point transform takes.
    pub samples: Vec<u16>,
}

impl Lossless {
    /// The codestream, with the same table for each component.
    pub fn encoded(&self, table: &Table) -> Vec<u8> {
        let size = [self.columns, self.rows];
        let mut bytes = vec![0xff, 0xd8];
        bytes.extend(frame(0xc3, self.precision, size, self.components));
        bytes.extend(segment(0xc4, &table.segment(1)));
        if self.restart_rows > 0 {
            bytes.extend(segment(
                0xdd,
                &((self.restart_rows * self.columns) as u16).to_be_bytes(),
            ));
        }
        let all: Vec<usize> = (0..self.components).collect();
        for scan in all.chunks(if self.interleaved { self.components } else { 1 }) {
            let mut header = vec![scan.len() as u8];
            header.extend(scan.iter().flat_map(|&component| [component as u8 + 1, 0x10]));
            header.extend([self.predictor, 0, self.point_transform]);
            bytes.extend(segment(0xda, &header));
            bytes.extend(self.scan(scan, table));
        }
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    fn scan(&self, components: &[usize], table: &Table) -> Vec<u8> {
        let mut bits = Bits::default();
        for row in 0..self.rows {
            if self.starts(row) && row > 0 {
                bits.mark(0xd0 + ((row / self.restart_rows - 1) % 8) as u8);
            }
            for column in 0..self.columns {
                for &component in components {
                    let sample = self.at(component, column, row);
                    let difference = (sample - self.prediction(component, column, row)) as i16;
                    if difference == i16::MIN {
                        let (code, length) = table.code(16);
                        bits.put(code, length);
                    } else {
                        bits.put_number(table, 0, difference.into());
                    }
                }
            }
        }
        // Only for the ones that fill the last byte.
        bits.mark(0);
        bits.bytes.truncate(bits.bytes.len() - 2);
        bits.bytes
    }

    /// Whether a row is the first one, or the first behind a restart marker.
    fn starts(&self, row: usize) -> bool {
        row == 0 || self.restart_rows > 0 && row.is_multiple_of(self.restart_rows)
    }

    fn at(&self, component: usize, column: usize, row: usize) -> i32 {
        let index = (row * self.columns + column) * self.components + component;
        i32::from(self.samples[index] >> self.point_transform)
    }

    /// T.81 H.1.2.1.
    fn prediction(&self, component: usize, column: usize, row: usize) -> i32 {
        let at = |column, row| self.at(component, column, row);
        if self.starts(row) {
            return match column {
                0 => 1 << (self.precision - self.point_transform - 1),
                _ => at(column - 1, row),
            };
        }
        if column == 0 {
            return at(0, row - 1);
        }
        let (a, b, c) = (at(column - 1, row), at(column, row - 1), at(column - 1, row - 1));
        [a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1][usize::from(self.predictor) - 1]
    }
}

/// The codestream of a grey picture of 12 bits, whose coefficients are all rounded to multiples of `step`.
pub fn extended(samples: &[u16], [columns, rows]: [usize; 2], step: u16, restart_interval: u16) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    let mut steps = vec![0x10];
    steps.extend(step.to_be_bytes().repeat(64));
    let (dc_table, ac_table) = (Table::dc(), Table::ac());
    bytes.extend(segment(0xdb, &steps));
    bytes.extend(frame(0xc1, 12, [columns, rows], 1));
    bytes.extend(segment(0xc4, &[dc_table.segment(0), ac_table.segment(0x10)].concat()));
    if restart_interval > 0 {
        bytes.extend(segment(0xdd, &restart_interval.to_be_bytes()));
    }
    bytes.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
    let mut bits = Bits::default();
    let mut dc = 0;
    for block in 0..columns.div_ceil(8) * rows.div_ceil(8) {
        if restart_interval > 0 && block > 0 && block % usize::from(restart_interval) == 0 {
            bits.mark(0xd0 + ((block / usize::from(restart_interval) - 1) % 8) as u8);
            dc = 0;
        }
        let (left, top) = (block % columns.div_ceil(8) * 8, block / columns.div_ceil(8) * 8);
        let coefficients = transformed(|x, y| {
            let (column, row) = ((left + x).min(columns - 1), (top + y).min(rows - 1));
            f64::from(samples[row * columns + column]) - 2048.0
        });
        let quantised = coefficients.map(|coefficient| (coefficient / f64::from(step)).round() as i32);
        bits.put_number(&dc_table, 0, quantised[0] - dc);
        dc = quantised[0];
        put_ac(&mut bits, &ac_table, &quantised);
    }
    bits.mark(0xd9);
    bytes.extend(bits.bytes);
    bytes
}

/// AC coefficients in zigzag order (T.81 F.1.2.2).
fn put_ac(bits: &mut Bits, table: &Table, coefficients: &[i32; 64]) {
    let mut zeros = 0;
    for &coefficient in &coefficients[1..] {
        if coefficient == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 {
            bits.put_number(table, 15, 0);
            zeros -= 16;
        }
        bits.put_number(table, zeros, coefficient);
        zeros = 0;
    }
    if zeros > 0 {
        bits.put_number(table, 0, 0);
    }
}

/// The DCT of a block (T.81 A.3.3), in zigzag order: along one diagonal up, along the next one down.
fn transformed(sample: impl Fn(usize, usize) -> f64) -> [f64; 64] {
    let mut places: Vec<(usize, usize)> = (0..64).map(|index| (index % 8, index / 8)).collect();
    places.sort_by_key(|&(u, v)| (u + v, if (u + v) % 2 == 0 { u } else { v }));
    let basis = |frequency: usize, place: usize| {
        let scale = if frequency == 0 { 0.5_f64.sqrt() } else { 1.0 };
        scale / 2.0 * ((2 * place + 1) as f64 * frequency as f64 * PI / 16.0).cos()
    };
    let mut coefficients = [0.0; 64];
    for (coefficient, (u, v)) in coefficients.iter_mut().zip(places) {
        for index in 0..64 {
            let (x, y) = (index % 8, index / 8);
            *coefficient += basis(u, x) * basis(v, y) * sample(x, y);
        }
    }
    coefficients
}
