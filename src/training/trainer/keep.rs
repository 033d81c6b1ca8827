//! Checkpoints: when they are due, what they hold, and how the best weights stay what the last checkpoint says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Run;
use super::loading::Data;
use crate::nn;
use crate::training::Error;
use crate::training::card;
use crate::training::checkpoint::{Best, EPOCH, Within};
use crate::training::event::{Checkpoint, EpochRecord, NoteKind, Place, TrainingEvent, Watched};
use crate::training::manifest::Row;
use crate::training::phase::{Phase, Tally};
use crate::training::split::{Part, SPLIT_KEY};
use crate::training::watch::Watch;

/// A checkpoint inside an epoch may take this share of the time at most.
const MOST_SHARE: f64 = 0.02;

/// What to do where an epoch's files cannot be written.
fn advised(error: Error, kept: Option<Place>) -> Error {
    match error {
        Error::Network(nn::Error::Weights { path, reason }) | Error::Run { path, reason }
            if reason.starts_with("cannot be written") =>
        {
            let advice = if kept.is_some() {
                "what was trained up to the last checkpoint is kept: free some space, or make the folder writable, \
                 and resume the run"
            } else {
                "there is no checkpoint yet: free some space, or make the folder writable, and begin anew"
            };
            let reason = format!("{reason}; {advice}");
            Error::Run { path, reason }
        }
        other => other,
    }
}

/// When the next checkpoint is due.
pub(super) struct Checkpoints {
    every: Duration,
    last: Instant,
    took: Duration,
}

impl Checkpoints {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            last: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// Time is counted from now.
    pub(super) fn begin(&mut self) {
        self.last = Instant::now();
    }

    pub(super) fn is_due(&self) -> bool {
        self.every.is_zero() || self.last.elapsed() >= self.every.max(self.took.div_f64(MOST_SHARE))
    }

    fn done(&mut self, took: Duration) {
        self.took = took;
        self.last = Instant::now();
    }
}

impl<P: Phase> Run<'_, '_, P> {
    /// The rows of the training part, in the samples' order.
    pub(super) fn training_rows(&self) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.part() == Part::Train).collect()
    }

    /// Puts a checkpoint inside an epoch on disk.
    pub(super) fn save_within(&mut self, done: Within) -> Result<(), Error> {
        self.progress.within = done;
        self.save()
    }

    /// As [`Run::save_within`], where the run can go on without: what is in memory is worth more than a file.
    pub(super) fn try_save_within(&mut self, done: Within) -> Result<(), Error> {
        match self.save_within(done) {
            Err(error @ (Error::Run { .. } | Error::Network(nn::Error::Weights { .. }))) => {
                self.checkpoints.done(Duration::ZERO);
                let text = format!("{error}; the run goes on without this checkpoint and tries again later");
                self.outlet.note(NoteKind::NotWritten, text);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        let begin = Instant::now();
        self.progress.steps = self.adam.steps();
        self.folder.save_last(&self.network, &self.adam, &self.progress)?;
        let took = begin.elapsed();
        self.checkpoints.done(took);
        self.outlet.emit(TrainingEvent::Checkpoint(Checkpoint {
            place: self.progress.place(),
            seconds: took.as_secs_f64(),
        }));
        Ok(())
    }

    /// Puts an epoch's checkpoints on disk and tells of it. The last checkpoint is first: should the process end before
    /// the best weights are written, they can be had from it.
    pub(super) fn keep(
        &mut self,
        mut record: EpochRecord,
        tally: &Tally,
        described: &serde_json::Value,
    ) -> Result<(), Error> {
        let reached = Best::from(&record);
        record.best = self.progress.best.is_none_or(|best| {
            let best_by = self.config.best_metric();
            best.size != reached.size || best_by.is_better(reached.score, best.score)
        });
        if record.best {
            self.progress.best = Some(reached);
        }
        let rates = (self.rate_after(&record), record.rate);
        self.progress.records.push(record.clone());
        self.progress.within = Within::default();
        let kept = self.outlet.kept();
        self.save().map_err(|error| advised(error, kept))?;
        if record.best {
            let kept = self.outlet.kept();
            self.save_best(reached, tally, described)
                .map_err(|error| advised(error, kept))?;
        }
        self.try_save_kept(reached, tally, described)?;
        let (epoch, size) = (record.epoch, record.size);
        self.outlet.emit(TrainingEvent::Epoch(record));
        self.tell_of_fall(rates);
        self.look(epoch, size)
    }

    /// Looks at the watch-list. That a picture of it cannot be written ends no run.
    fn look(&mut self, epoch: usize, size: usize) -> Result<(), Error> {
        if self.watch_list.is_empty() {
            return Ok(());
        }
        match self.look_at(epoch, size) {
            Ok(images) => self.outlet.emit(TrainingEvent::Watch { epoch, images }),
            Err(error @ (Error::Run { .. } | Error::Data(_))) => {
                let text = format!("{error}; the watch-list of this epoch is left out");
                self.outlet.note(NoteKind::NotWritten, text);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn look_at(&mut self, epoch: usize, size: usize) -> Result<Vec<Watched>, Error> {
        let watch = match self.watch.take() {
            Some(watch) if watch.size() == size => watch,
            _ => Watch::open::<P>(
                self.folder.path(),
                &self.watch_list,
                &self.config.input(size),
                self.lungs.as_ref(),
            )?,
        };
        let watch = self.watch.insert(watch);
        watch.look::<P>(&self.network, epoch, (self.config.precision, &self.device))
    }

    /// The rate that a plateau would leave, before the record is known.
    fn rate_after(&self, record: &EpochRecord) -> Option<f64> {
        let mut records = self.progress.records.clone();
        records.push(record.clone());
        let is_plateau = matches!(self.config.decay, crate::training::recipe::Decay::Plateau { .. });
        is_plateau.then(|| self.config.rates(1, &records).at(0))
    }

    fn tell_of_fall(&mut self, (next, last): (Option<f64>, f64)) {
        if let Some(next) = next.filter(|next| *next < last * 0.999) {
            let metric = self.config.best_metric().name();
            let text = format!("the validation part's {metric} stands still: the learning rate falls to {next:.3e}");
            self.outlet.note(NoteKind::RateFell, text);
        }
    }

    fn save_best(&mut self, best: Best, tally: &Tally, described: &serde_json::Value) -> Result<(), Error> {
        let sha256 = self.folder.save_best(&self.network, &self.metadata(best))?;
        let card = card::card(&self.config, described, best, tally, sha256);
        self.folder.save_card(&card)
    }

    /// Writes the best weights if a process ended just before it had: the network is still that of the epoch then.
    pub(super) fn restore_best(&mut self, data: &Data, described: &serde_json::Value) -> Result<(), Error> {
        let Some(best) = self.progress.best else {
            return Ok(());
        };
        let at_its_end = self.progress.records.len() == best.epoch && self.progress.within == Within::default();
        if !at_its_end || data.size != best.size || self.folder.best_epoch() == Some(best.epoch) {
            return Ok(());
        }
        let tally = self.evaluate(data, best.epoch)?;
        self.save_best(best, &tally, described)
    }

    /// Whether the network of an epoch is to be kept for itself.
    fn is_kept(&self, epoch: usize) -> bool {
        self.session.keep_every.is_some_and(|every| epoch.is_multiple_of(every))
    }

    /// Keeps the network of an epoch for itself, if one is due. The run can go on without.
    fn try_save_kept(&mut self, of: Best, tally: &Tally, described: &serde_json::Value) -> Result<(), Error> {
        if !self.is_kept(of.epoch) {
            return Ok(());
        }
        match self.save_kept(of, tally, described) {
            Err(error @ (Error::Run { .. } | Error::Network(nn::Error::Weights { .. }))) => {
                let text = format!(
                    "{error}; the run goes on, and the network of epoch {} is not kept",
                    of.epoch
                );
                self.outlet.note(NoteKind::NotWritten, text);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn save_kept(&self, of: Best, tally: &Tally, described: &serde_json::Value) -> Result<(), Error> {
        let sha256 = self.folder.save_kept(of.epoch, &self.network, &self.metadata(of))?;
        let mut card = card::card(&self.config, described, of, tally, sha256);
        // It may be the best, or not.
        card.details.remove(card::BEST_EPOCH);
        card.details.insert(EPOCH.to_owned(), of.epoch.into());
        self.folder.save_kept_card(of.epoch, &card)
    }

    /// Keeps the network of the last epoch if a process ended just before it had; returns the data if it had to read
    /// them for that.
    pub(super) fn restore_kept(&mut self, described: &serde_json::Value) -> Result<Option<Data>, Error> {
        let Some(last) = self.progress.records.last() else {
            return Ok(None);
        };
        let of = Best::from(last);
        let at_its_end = self.progress.within == Within::default();
        if !at_its_end || !self.is_kept(of.epoch) || self.folder.has_kept(of.epoch) {
            return Ok(None);
        }
        let data = self.load(of.size)?;
        let tally = self.evaluate(&data, of.epoch)?;
        self.try_save_kept(of, &tally, described)?;
        Ok(Some(data))
    }

    /// What a weights file says of itself.
    fn metadata(&self, best: Best) -> BTreeMap<String, String> {
        let entries = [
            ("name", self.config.model_name()),
            ("backbone", self.config.encoder.name().to_owned()),
            (SPLIT_KEY, self.config.split.clone()),
            ("seed", self.config.seed.to_string()),
            (EPOCH, best.epoch.to_string()),
        ];
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}
