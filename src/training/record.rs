//! The files of a run folder that are written from its events: the events themselves, curves as CSV, and event files
//! for `TensorBoard`.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::event::{EpochRecord, Line, TrainingEvent, metric_names};
use super::tensorboard::EventFile;
use crate::atomic_file;

/// All events, a JSON line each.
pub const EVENTS: &str = "events.jsonl";
/// One line an epoch.
pub const CURVES: &str = "curves.csv";

/// Writes a run's events.
pub struct Recorder {
    folder: PathBuf,
    events: Option<File>,
    board: Option<EventFile>,
    records: Vec<EpochRecord>,
}

impl Recorder {
    /// Opens the files of a run folder, behind what earlier sessions wrote.
    ///
    /// # Errors
    /// A sentence, if the file of events cannot be written.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let path = folder.join(EVENTS);
        let events = append(&path).map_err(|e| cannot_write(&path, &e))?;
        Ok(Self {
            folder: folder.to_owned(),
            events: Some(events),
            board: None,
            records: Vec::new(),
        })
    }

    /// Writes what an event says.
    ///
    /// # Errors
    /// A sentence about the first file that cannot be written; it is given up, and the others go on.
    pub fn take(&mut self, event: &TrainingEvent) -> Result<(), String> {
        let line = Line::now(event.clone());
        let mut outcome = Ok(());
        if let Some(file) = &mut self.events
            && let Err(error) = file.write_all(line.text().as_bytes())
        {
            self.events = None;
            outcome = Err(cannot_write(&self.folder.join(EVENTS), &error));
        }
        outcome.and(self.curves(event)).and(self.board(&line))
    }

    fn curves(&mut self, event: &TrainingEvent) -> Result<(), String> {
        match event {
            TrainingEvent::Started(started) => self.records.clone_from(&started.records),
            TrainingEvent::Epoch(record) => {
                self.records.push(record.clone());
                let path = self.folder.join(CURVES);
                let written = atomic_file::write(&path, curves(&self.records).as_bytes());
                written.map_err(|e| cannot_write(&path, &e))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn board(&mut self, line: &Line) -> Result<(), String> {
        let written = match (&mut self.board, &line.event) {
            (None, TrainingEvent::Started(_)) => EventFile::create(&self.folder, line.time).map(|file| {
                self.board = Some(file);
            }),
            _ => Ok(()),
        };
        let written = written.and_then(|()| self.board.as_mut().map_or(Ok(()), |board| board.take(line)));
        written.map_err(|error| {
            self.board = None;
            cannot_write(&self.folder.join("events.out.tfevents"), &error)
        })
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    format!(
        "{}: cannot be written any more: {error}; the run goes on without it",
        path.display()
    )
}

/// Opens a file to write behind its last whole line; what a killed process left of another is cut off.
fn append(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
    let end = last_line_end(&mut file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// Bytes up to the end of the last whole line.
fn last_line_end(file: &mut File) -> std::io::Result<u64> {
    const PART: u64 = 4096;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let begin = end.saturating_sub(PART);
        file.seek(SeekFrom::Start(begin))?;
        let mut part = Vec::new();
        Read::by_ref(file).take(end - begin).read_to_end(&mut part)?;
        if let Some(found) = part.iter().rposition(|&byte| byte == b'\n') {
            return Ok(begin + found as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// The epochs as a table.
pub fn curves(records: &[EpochRecord]) -> String {
    let names = metric_names(records);
    let mut text = "epoch,size,rate,train_loss,validation_loss".to_owned();
    for name in &names {
        text.push_str(",validation_");
        text.push_str(name);
    }
    text += ",best,images,seconds,images_per_second,waited\n";
    for record in records {
        let r = record;
        let _ = write!(
            text,
            "{},{},{},{},{}",
            r.epoch, r.size, r.rate, r.train_loss, r.validation_loss
        );
        for name in &names {
            text.push(',');
            text += &r.metric(name).map(|value| value.to_string()).unwrap_or_default();
        }
        let _ = writeln!(
            text,
            ",{},{},{},{},{}",
            u8::from(r.best),
            r.images,
            r.seconds,
            r.images_per_second,
            r.waited
        );
    }
    text
}

/// The events of a run folder in order, without those of steps and epochs that a killed session made after the
/// checkpoint that the next one went on from. Lines that are none are left out.
///
/// # Errors
/// If the file cannot be read.
pub fn read(folder: &Path) -> std::io::Result<Vec<Line>> {
    let text = std::fs::read_to_string(folder.join(EVENTS))?;
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines().filter_map(|line| Line::parse(line).ok()) {
        if let TrainingEvent::Started(started) = &line.event {
            let place = started.resumed_from.unwrap_or_default();
            let steps = place.epochs * started.steps_per_epoch + place.steps;
            lines.retain(|line| match &line.event {
                TrainingEvent::Step(step) => step.done <= steps,
                TrainingEvent::Epoch(record) => record.epoch <= place.epochs,
                TrainingEvent::Watch { epoch, .. } => *epoch <= place.epochs,
                _ => true,
            });
        }
        lines.push(line);
    }
    Ok(lines)
}
