//! Greyscale JPEG with 12-bit samples, process 2 & 4 (ITU-T T.81): sequential DCT with Huffman coding. The
//! JPEG decoder behind dicom-rs stops at 8 bits. Knows nothing of DICOM.

use std::f64::consts::PI;

/// Order of the coefficients in a block (T.81 figure A.6).
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Decodes a codestream whose frame header was checked: one component of 12 bits, `columns` x `rows`.
///
/// # Errors
/// If a table is missing, or the data are no such codestream.
pub(super) fn decode(bytes: &[u8], columns: usize, rows: usize) -> Result<Vec<u16>, String> {
    let (tables, scan) = Tables::read(bytes)?;
    Scan::new(&tables, scan)?.decode(columns, rows)
}

/// A Huffman table: codes in order of length (T.81 annex C).
#[derive(Clone, Default)]
struct Huffman {
    /// Per code length 1 to 16: first code, number of codes, index of the first value.
    lengths: [(u32, u32, usize); 16],
    values: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8; 16], values: &[u8]) -> Self {
        let mut lengths = [(0, 0, 0); 16];
        let (mut code, mut index) = (0_u32, 0);
        for (length, &count) in lengths.iter_mut().zip(counts) {
            *length = (code, u32::from(count), index);
            code = (code + u32::from(count)) << 1;
            index += usize::from(count);
        }
        Self {
            lengths,
            values: values.to_vec(),
        }
    }
}

/// What the marker segments before the scan define.
#[derive(Default)]
struct Tables {
    quantisation: [Option<[f64; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    quantisation_used: usize,
    dc_used: usize,
    ac_used: usize,
    /// Blocks between restart markers; 0 for none.
    restart: usize,
}

impl Tables {
    /// Reads the segments up to the start of scan; returns the entropy-coded bytes behind it.
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let mut tables = Self::default();
        let mut rest = bytes.get(2..).unwrap_or_default();
        loop {
            let [0xff, marker, after @ ..] = rest else {
                return Err(broken());
            };
            if matches!(marker, 0xff | 0x01 | 0xd0..=0xd7) {
                rest = if *marker == 0xff { &rest[1..] } else { after };
                continue;
            }
            let length = usize::from(u16::from_be_bytes(*after.first_chunk().ok_or_else(broken)?));
            let segment = after.get(2..length).ok_or_else(broken)?;
            rest = &after[length..];
            match marker {
                0xdb => tables.read_quantisation(segment)?,
                0xc4 => tables.read_huffman(segment)?,
                0xc1 => tables.quantisation_used = usize::from(*segment.get(8).ok_or_else(broken)?) & 3,
                0xdd => tables.restart = usize::from(u16::from_be_bytes(*segment.first_chunk().ok_or_else(broken)?)),
                0xda => {
                    let &[1, _, selectors, 0, 63, 0] = segment else {
                        return Err(broken());
                    };
                    tables.dc_used = usize::from(selectors >> 4) & 3;
                    tables.ac_used = usize::from(selectors & 3);
                    return Ok((tables, rest));
                }
                _ => {}
            }
        }
    }

    fn read_quantisation(&mut self, mut segment: &[u8]) -> Result<(), String> {
        while let Some((&head, rest)) = segment.split_first() {
            let wide = head >> 4 != 0;
            let size = if wide { 128 } else { 64 };
            let values = rest.get(..size).ok_or_else(broken)?;
            let mut table = [0.0; 64];
            for (index, place) in ZIGZAG.into_iter().enumerate() {
                table[place] = if wide {
                    f64::from(u16::from_be_bytes([values[2 * index], values[2 * index + 1]]))
                } else {
                    f64::from(values[index])
                };
            }
            self.quantisation[usize::from(head & 3)] = Some(table);
            segment = &rest[size..];
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut segment: &[u8]) -> Result<(), String> {
        while let Some((&head, rest)) = segment.split_first() {
            let counts = rest.first_chunk::<16>().ok_or_else(broken)?;
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let values = rest.get(16..16 + total).ok_or_else(broken)?;
            let tables = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            tables[usize::from(head & 3)] = Some(Huffman::new(counts, values));
            segment = &rest[16 + total..];
        }
        Ok(())
    }
}

fn broken() -> String {
    "its 12-bit JPEG codestream is broken".to_owned()
}

/// The entropy-coded bits, without stuffing.
struct Bits<'a> {
    bytes: &'a [u8],
    buffer: u32,
    count: u32,
}

impl Bits<'_> {
    fn next(&mut self) -> Result<u32, String> {
        if self.count == 0 {
            let (byte, used) = match *self.bytes {
                [0xff, 0, ..] => (0xff, 2),
                [] | [0xff, ..] => {
                    return Err("its 12-bit JPEG codestream ends too early".to_owned());
                }
                [byte, ..] => (byte, 1),
            };
            self.bytes = &self.bytes[used..];
            (self.buffer, self.count) = (u32::from(byte), 8);
        }
        self.count -= 1;
        Ok(self.buffer >> self.count & 1)
    }

    /// A signed number of `size` bits (T.81 F.2.2.1, EXTEND).
    fn number(&mut self, size: u8) -> Result<i32, String> {
        let mut value = 0_i32;
        for _ in 0..size {
            value = value << 1 | self.next()?.cast_signed();
        }
        let negative = size > 0 && value < 1 << (size - 1);
        Ok(if negative { value - (1 << size) + 1 } else { value })
    }

    fn symbol(&mut self, table: &Huffman) -> Result<u8, String> {
        let mut code = 0;
        for &(first, count, index) in &table.lengths {
            code = code << 1 | self.next()?;
            if code >= first && code - first < count {
                return table
                    .values
                    .get(index + (code - first) as usize)
                    .copied()
                    .ok_or_else(broken);
            }
        }
        Err(broken())
    }

    /// Moves behind the next restart marker.
    fn restart(&mut self) -> Result<(), String> {
        self.count = 0;
        let found = self
            .bytes
            .windows(2)
            .position(|two| two[0] == 0xff && (0xd0..=0xd7).contains(&two[1]));
        self.bytes = &self.bytes[found.ok_or_else(broken)? + 2..];
        Ok(())
    }
}

struct Scan<'a> {
    bits: Bits<'a>,
    quantisation: &'a [f64; 64],
    dc: &'a Huffman,
    ac: &'a Huffman,
    restart: usize,
    /// `cosines[x][u]`: the basis of the inverse DCT, with its scale factors.
    cosines: [[f64; 8]; 8],
}

impl<'a> Scan<'a> {
    fn new(tables: &'a Tables, bytes: &'a [u8]) -> Result<Self, String> {
        let mut cosines = [[0.0; 8]; 8];
        for (x, row) in cosines.iter_mut().enumerate() {
            for (u, value) in row.iter_mut().enumerate() {
                let scale = if u == 0 { 0.5_f64.sqrt() } else { 1.0 };
                *value = scale / 2.0 * ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos();
            }
        }
        Ok(Self {
            bits: Bits {
                bytes,
                buffer: 0,
                count: 0,
            },
            quantisation: tables.quantisation[tables.quantisation_used]
                .as_ref()
                .ok_or_else(broken)?,
            dc: tables.dc[tables.dc_used].as_ref().ok_or_else(broken)?,
            ac: tables.ac[tables.ac_used].as_ref().ok_or_else(broken)?,
            restart: tables.restart,
            cosines,
        })
    }

    fn decode(mut self, columns: usize, rows: usize) -> Result<Vec<u16>, String> {
        let (across, down) = (columns.div_ceil(8), rows.div_ceil(8));
        let mut samples = vec![0; columns * rows];
        let mut dc = 0;
        for block in 0..across * down {
            if self.restart > 0 && block > 0 && block % self.restart == 0 {
                self.bits.restart()?;
                dc = 0;
            }
            let pixels = self.block(&mut dc)?;
            let (left, top) = (block % across * 8, block / across * 8);
            for (y, row) in pixels.iter().enumerate().take(rows - top) {
                let width = (columns - left).min(8);
                let start = (top + y) * columns + left;
                samples[start..start + width].copy_from_slice(&row[..width]);
            }
        }
        Ok(samples)
    }

    fn block(&mut self, dc: &mut i32) -> Result<[[u16; 8]; 8], String> {
        let mut coefficients = [0.0; 64];
        let size = self.bits.symbol(self.dc)?;
        if size > 16 {
            return Err(broken());
        }
        *dc = dc.wrapping_add(self.bits.number(size)?);
        coefficients[0] = f64::from(*dc) * self.quantisation[0];
        let mut index = 1;
        while index < 64 {
            let symbol = self.bits.symbol(self.ac)?;
            let (run, size) = (usize::from(symbol >> 4), symbol & 15);
            match (run, size) {
                (15, 0) => index += 16,
                (_, 0) => break,
                _ => {
                    index += run;
                    let place = *ZIGZAG.get(index).ok_or_else(broken)?;
                    coefficients[place] = f64::from(self.bits.number(size)?) * self.quantisation[place];
                    index += 1;
                }
            }
        }
        Ok(self.inverse_dct(&coefficients))
    }

    /// Rows, then columns (T.81 A.3.3), back to 0..=4095.
    fn inverse_dct(&self, coefficients: &[f64; 64]) -> [[u16; 8]; 8] {
        let mut half = [[0.0; 8]; 8];
        for (v, row) in half.iter_mut().enumerate() {
            for (x, value) in row.iter_mut().enumerate() {
                *value = (0..8).map(|u| self.cosines[x][u] * coefficients[v * 8 + u]).sum();
            }
        }
        let mut pixels = [[0; 8]; 8];
        for (y, row) in pixels.iter_mut().enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                let value: f64 = (0..8).map(|v| self.cosines[y][v] * half[v][x]).sum();
                *pixel = (value + 2048.0).round().clamp(0.0, 4095.0) as u16;
            }
        }
        pixels
    }
}
