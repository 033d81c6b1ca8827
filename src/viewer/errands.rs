//! Work in the background that the user waits for, with progress and a way to cancel it: one thread each, one report
//! at the end. Knows nothing of what is done.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::worker::Wake;

/// Between two reports of progress.
const PAUSE: Duration = Duration::from_millis(100);
/// Networks and decoders recurse.
const STACK: usize = 64 << 20;

/// Number of an errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// What a thread says of its errand.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which errand.
    pub ticket: Ticket,
    /// What there is to say.
    pub news: News,
}

/// How far an errand is, or how it ended.
#[derive(Clone)]
pub enum News {
    /// So much is done.
    Progress {
        /// Parts done.
        done: usize,
        /// Parts in all; 0 while that is not known.
        total: usize,
    },
    /// It is over; a failure is a sentence. What was brought back is known to whoever sent for it.
    Done(Result<Brought, String>),
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Progress { done, total } => write!(f, "{done} of {total}"),
            Self::Done(Ok(_)) => f.write_str("done"),
            Self::Done(Err(reason)) => write!(f, "failed: {reason}"),
        }
    }
}

/// What an errand brought back: any plain value.
pub type Brought = Arc<dyn Any + Send + Sync>;

/// The errand's own view of itself.
pub struct Errand<'a> {
    ticket: Ticket,
    cancel: &'a AtomicBool,
    sender: &'a Sender<Report>,
    wake: &'a Wake,
    last: Mutex<Option<Instant>>,
}

impl Errand<'_> {
    /// Set when nobody wants the result any more.
    pub fn cancel(&self) -> &AtomicBool {
        self.cancel
    }

    /// Says how far it is; a `total` of 0 is not known yet.
    pub fn progress(&self, done: usize, total: usize) {
        let mut last = self.last.lock();
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        *last = Some(Instant::now());
        drop(last);
        let news = News::Progress { done, total };
        // The window may be gone; then nobody listens.
        let _ = self.sender.send(Report {
            ticket: self.ticket,
            news,
        });
        (self.wake)();
    }
}

/// Sends threads on errands.
pub struct Errands {
    sender: Sender<Report>,
    receiver: Receiver<Report>,
    wake: Wake,
    next: u64,
}

impl Errands {
    /// `wake` is called after every report.
    pub fn new(wake: Wake) -> Self {
        let (sender, receiver) = channel();
        Self {
            sender,
            receiver,
            wake,
            next: 0,
        }
    }

    /// Sends a thread of this name to do some work; whatever goes wrong there comes back as a sentence.
    pub fn send<T: Send + Sync + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce(&Errand<'_>) -> Result<T, String> + Send + 'static,
    ) -> Sent {
        self.next += 1;
        let ticket = Ticket(self.next);
        let cancel = Arc::new(AtomicBool::new(false));
        let sent = Sent {
            ticket,
            since: Instant::now(),
            done: 0,
            total: 0,
            cancel: Arc::clone(&cancel),
        };
        let (sender, wake) = (self.sender.clone(), Arc::clone(&self.wake));
        let go = move || {
            let errand = Errand {
                ticket,
                cancel: &cancel,
                sender: &sender,
                wake: &wake,
                last: Mutex::new(None),
            };
            let result = catch_unwind(AssertUnwindSafe(|| work(&errand)));
            let result =
                result.unwrap_or_else(|_| Err("the work broke down; this is a fault of the program".to_owned()));
            let news = News::Done(result.map(|value| Arc::new(value) as Brought));
            let _ = sender.send(Report { ticket, news });
            wake();
        };
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK);
        if let Err(error) = thread.spawn(go) {
            let news = News::Done(Err(format!("the system gives no thread: {error}")));
            let _ = self.sender.send(Report { ticket, news });
        }
        sent
    }

    /// The next report, if there is one; never waits.
    pub fn try_recv(&self) -> Option<Report> {
        self.receiver.try_recv().ok()
    }
}

/// An errand under way; dropped, it is cancelled.
#[derive(Debug)]
pub struct Sent {
    /// Which.
    pub ticket: Ticket,
    /// Since when.
    pub since: Instant,
    /// Parts done.
    pub done: usize,
    /// Parts in all; 0 while that is not known.
    pub total: usize,
    cancel: Arc<AtomicBool>,
}

impl Sent {
    /// Asks it to end.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Share that is done, in 0..=1; `None` while that is not known.
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| self.done as f64 / self.total as f64)
    }

    /// What is left, by what was done so far; `None` before there is anything to judge by.
    pub fn left(&self) -> Option<Duration> {
        let elapsed = self.since.elapsed().as_secs_f64();
        let share = self.share().filter(|share| *share > 0.0)?;
        Duration::try_from_secs_f64(elapsed * (1.0 - share) / share)
            .ok()
            .filter(|_| elapsed > 0.5)
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// What an errand was sent for.
#[derive(Debug, Default)]
pub enum Pending<T> {
    /// It was not sent.
    #[default]
    Nothing,
    /// It is under way.
    Running(Sent),
    /// It came back with this.
    Done(Arc<T>),
    /// It was cancelled.
    Cancelled,
    /// It came back empty-handed, for a reason in a sentence.
    Failed(String),
}

impl<T: Send + Sync + 'static> Pending<T> {
    /// Takes the report if it is of this errand; `true` if it was.
    pub fn hear(&mut self, report: &Report) -> bool {
        let Self::Running(sent) = self else { return false };
        if sent.ticket != report.ticket {
            return false;
        }
        match &report.news {
            News::Progress { done, total } => (sent.done, sent.total) = (*done, *total),
            News::Done(_) if sent.is_cancelled() => *self = Self::Cancelled,
            News::Done(Err(reason)) => *self = Self::Failed(reason.clone()),
            News::Done(Ok(brought)) => {
                *self = Arc::clone(brought).downcast().map_or_else(
                    |_| Self::Failed("another result came back than was asked for".to_owned()),
                    Self::Done,
                );
            }
        }
        true
    }

    /// The result, if it is there.
    pub fn done(&self) -> Option<&Arc<T>> {
        match self {
            Self::Done(value) => Some(value),
            _ => None,
        }
    }

    /// The errand, while it is under way.
    pub fn running(&self) -> Option<&Sent> {
        match self {
            Self::Running(sent) => Some(sent),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errands() -> Errands {
        Errands::new(Arc::new(|| {}))
    }

    fn await_end<T: Send + Sync + 'static>(errands: &Errands, pending: &mut Pending<T>) {
        while pending.running().is_some() {
            match errands.try_recv() {
                Some(report) => assert!(pending.hear(&report)),
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    #[test]
    fn a_result_comes_back_as_what_it_is() {
        let mut errands = errands();
        let mut pending = Pending::Running(errands.send("seven", |errand| {
            errand.progress(1, 2);
            Ok(7)
        }));
        await_end(&errands, &mut pending);
        assert_eq!(pending.done().map(|value| **value), Some(7));
    }

    #[test]
    fn a_failure_and_a_breakdown_come_back_as_sentences() {
        let mut errands = errands();
        let mut failed: Pending<u8> = Pending::Running(errands.send::<u8>("fails", |_| Err("no disk".to_owned())));
        await_end(&errands, &mut failed);
        assert!(
            matches!(&failed, Pending::Failed(reason) if reason == "no disk"),
            "{failed:?}"
        );
        let mut broken: Pending<u8> = Pending::Running(errands.send::<u8>("breaks", |_| panic!("on purpose")));
        await_end(&errands, &mut broken);
        assert!(
            matches!(&broken, Pending::Failed(reason) if reason.contains("broke down")),
            "{broken:?}"
        );
    }

    #[test]
    fn a_cancelled_errand_brings_nothing() {
        let mut errands = errands();
        let sent = errands.send("long", |errand| {
            while !errand.cancel().load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            Ok(1)
        });
        sent.cancel();
        let mut pending: Pending<i32> = Pending::Running(sent);
        await_end(&errands, &mut pending);
        assert!(matches!(pending, Pending::Cancelled), "{pending:?}");
    }

    #[test]
    fn a_report_of_another_errand_is_not_heard() {
        let mut errands = errands();
        let mut pending: Pending<i32> = Pending::Running(errands.send("one", |_| Ok(1)));
        let stranger = Report {
            ticket: Ticket(99),
            news: News::Progress { done: 1, total: 2 },
        };
        assert!(!pending.hear(&stranger));
    }
}
