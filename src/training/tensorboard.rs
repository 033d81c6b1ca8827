//! Event files that `TensorBoard` reads: records of `Event` messages with scalars. Written by hand, because it is
//! short: a record is a length, a payload and their masked CRC-32C; a message is a few tagged fields.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::event::{EpochRecord, Line, StepRecord, TrainingEvent};
use super::recipe::BestBy;

/// First event of every file.
const VERSION: &str = "brain.Event:2";
/// `SessionLog.START` of `event.proto`: a session begins at the event's step.
const START: u64 = 1;
/// `TensorBoard` reads a file every few seconds; records wait no longer.
const FLUSHED_EVERY: Duration = Duration::from_secs(2);

/// The polynomial of CRC-32C (Castagnoli), bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                (value >> 1) ^ POLYNOMIAL
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

/// CRC-32C of bytes.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| (crc >> 8) ^ TABLE[((crc ^ u32::from(byte)) & 0xff) as usize];
    !bytes.iter().fold(!0, step)
}

/// As a record holds it, so that the checksum of a checksum is none.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// A record of a payload.
pub fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(payload.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked(&length));
    record.extend_from_slice(payload);
    record.extend_from_slice(&masked(payload));
    record
}

/// Types of fields in a protocol buffer.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// A message under construction; fields are numbered as in `event.proto` and `summary.proto`.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn tag(&mut self, field: u8, kind: u8) {
        self.0.push(field << 3 | kind);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u8, value: u64) -> Self {
        self.tag(field, VARINT);
        self.varint(value);
        self
    }

    fn double(mut self, field: u8, value: f64) -> Self {
        self.tag(field, FIXED64);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u8, value: f32) -> Self {
        self.tag(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u8, bytes: &[u8]) -> Self {
        self.tag(field, BYTES);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
}

/// An event at a time and step.
fn event(time: f64, step: usize) -> Message {
    Message::default().double(1, time).number(2, step as u64)
}

/// A file of events in a run folder.
pub struct EventFile {
    file: BufWriter<File>,
    flushed: Instant,
    steps_per_epoch: usize,
}

impl EventFile {
    /// Begins a file; every session of a run has its own, and `TensorBoard` reads them as one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(folder: &Path, time: f64) -> io::Result<Self> {
        // The names sort by time, which is how they are read.
        let name = |number| {
            let process = std::process::id();
            format!("events.out.tfevents.{:010}.recovnet.{process}.{number}", time as u64)
        };
        let mut number = 0;
        let file = loop {
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(folder.join(name(number)))
            {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                opened => break opened?,
            }
        };
        let mut begun = Self {
            file: BufWriter::new(file),
            flushed: Instant::now(),
            steps_per_epoch: 1,
        };
        let version = Message::default().double(1, time).bytes(3, VERSION.as_bytes());
        begun.file.write_all(&record(&version.0))?;
        begun.file.flush()?;
        Ok(begun)
    }

    /// Writes the scalars of an event, if it has any.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn take(&mut self, line: &Line) -> io::Result<()> {
        match &line.event {
            TrainingEvent::Started(started) => {
                self.steps_per_epoch = started.steps_per_epoch.max(1);
                // What a killed session wrote from this step on is not shown. The first session begins like all: without
                // that, TensorBoard's server takes the second one for it and shows those steps twice.
                let place = started.resumed_from.unwrap_or_default();
                let step = place.epochs * self.steps_per_epoch + place.steps + 1;
                let session = Message::default().number(1, START);
                self.write(&event(line.time, step).bytes(7, &session.0))?;
                self.flush()
            }
            TrainingEvent::Step(step) => {
                self.scalars(line.time, step.done, &of_step(step))?;
                if self.flushed.elapsed() > FLUSHED_EVERY {
                    self.flush()?;
                }
                Ok(())
            }
            TrainingEvent::Epoch(record) => {
                self.scalars(line.time, record.epoch * self.steps_per_epoch, &of_epoch(record))?;
                self.flush()
            }
            event if event.is_last() => self.flush(),
            _ => Ok(()),
        }
    }

    fn scalars(&mut self, time: f64, step: usize, values: &[(String, f64)]) -> io::Result<()> {
        let summary = values.iter().fold(Message::default(), |summary, (tag, value)| {
            let scalar = Message::default().bytes(1, tag.as_bytes()).float(2, *value as f32);
            summary.bytes(1, &scalar.0)
        });
        self.write(&event(time, step).bytes(5, &summary.0))
    }

    fn write(&mut self, message: &Message) -> io::Result<()> {
        self.file.write_all(&record(&message.0))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.file.flush()
    }
}

fn of_step(step: &StepRecord) -> Vec<(String, f64)> {
    let always = [
        ("step/loss", Some(step.loss)),
        ("step/rate", Some(step.rate)),
        ("step/images_per_second", Some(step.images_per_second)),
        ("step/waited", Some(step.waited)),
        ("step/gradient_norm", step.gradient_norm),
        ("step/memory_mib", step.memory_mib),
        ("step/gpu_mib", step.gpu_mib),
    ];
    let there = always.into_iter();
    there
        .filter_map(|(tag, value)| Some((tag.to_owned(), value?)))
        .collect()
}

fn of_epoch(record: &EpochRecord) -> Vec<(String, f64)> {
    let mut values = vec![
        ("epoch/train_loss".to_owned(), record.train_loss),
        ("epoch/validation_loss".to_owned(), record.validation_loss),
        ("epoch/rate".to_owned(), record.rate),
        ("epoch/images_per_second".to_owned(), record.images_per_second),
        ("epoch/size".to_owned(), record.size as f64),
    ];
    // The loss is there already.
    if record.metric != BestBy::Loss.name() {
        let tag = format!("epoch/validation_{}", record.metric);
        values.insert(2, (tag, record.validation_score));
    }
    let metrics = record.validation.iter();
    values.extend(metrics.map(|metric| (format!("epoch/validation_{}", metric.name), metric.value)));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
