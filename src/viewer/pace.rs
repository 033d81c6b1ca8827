//! How often what a run says is drawn. Training waits for every frame that a processor draws, so the window draws fewer
//! of them when nobody is at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Called after every event of a run, with whether it was the last one.
pub type RunWake = Arc<dyn Fn(bool) + Send + Sync>;

/// Events of a run are drawn this much later at most while somebody is at the window.
const ATTENDED: Duration = Duration::from_millis(250);
/// As long after the last touch somebody is.
const ATTENTION: Duration = Duration::from_secs(10);
/// Later on, where a graphics processor draws.
const ALONE: Duration = Duration::from_secs(1);
/// Later on, where the processor draws that trains: a frame takes it a tenth of a second.
const ALONE_IN_SOFTWARE: Duration = Duration::from_secs(5);

/// The pace at which a run's events wake the window.
#[derive(Debug)]
pub struct Pace {
    touched: Instant,
    alone: Duration,
    milliseconds: Arc<AtomicU64>,
}

impl Pace {
    /// That of a window which was just opened; `in_software` if no graphics processor draws it.
    pub fn new(in_software: bool, now: Instant) -> Self {
        Self {
            touched: now,
            alone: if in_software { ALONE_IN_SOFTWARE } else { ALONE },
            milliseconds: Arc::new(AtomicU64::new(ATTENDED.as_millis() as u64)),
        }
    }

    /// Takes in whether somebody touches the window, or `waits` for an answer of the run; once a frame.
    pub fn frame(&mut self, is_touched: bool, waits: bool, now: Instant) {
        if is_touched {
            self.touched = now;
        }
        let attended = waits || now.saturating_duration_since(self.touched) < ATTENTION;
        let pace = if attended { ATTENDED } else { self.alone };
        self.milliseconds.store(pace.as_millis() as u64, Ordering::Relaxed);
    }

    /// How much later an event that comes now is drawn at most.
    pub fn now(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }

    /// Wakes the window for a run's events, but not for each by itself; at once for the last one, behind which nothing
    /// is trained any more.
    pub fn wake(&self, ctx: &egui::Context) -> RunWake {
        let (ctx, milliseconds) = (ctx.clone(), Arc::clone(&self.milliseconds));
        Arc::new(move |is_last| {
            if is_last {
                ctx.request_repaint();
            } else {
                ctx.request_repaint_after(Duration::from_millis(milliseconds.load(Ordering::Relaxed)));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_nobody_touches_draws_a_run_less_often() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        for (in_software, alone) in [(false, ALONE), (true, ALONE_IN_SOFTWARE)] {
            let mut pace = Pace::new(in_software, begin);
            assert_eq!(pace.now(), ATTENDED);
            pace.frame(false, false, after(9));
            assert_eq!(pace.now(), ATTENDED);
            pace.frame(false, false, after(11));
            assert_eq!(pace.now(), alone);
            // Somebody waits for a run that was told to stop.
            pace.frame(false, true, after(12));
            assert_eq!(pace.now(), ATTENDED);
            pace.frame(false, false, after(13));
            assert_eq!(pace.now(), alone);
            pace.frame(true, false, after(14));
            pace.frame(false, false, after(20));
            assert_eq!(pace.now(), ATTENDED);
        }
    }

    #[test]
    fn events_wake_at_the_pace_of_the_last_frame() {
        let (ctx, begin) = (egui::Context::default(), Instant::now());
        let asked = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&asked);
        ctx.set_request_repaint_callback(move |info| {
            heard.store(info.delay.as_millis() as u64, Ordering::Relaxed);
        });
        let mut pace = Pace::new(true, begin);
        let wake = pace.wake(&ctx);
        pace.frame(false, false, begin + ATTENTION);
        wake(false);
        assert_eq!(asked.load(Ordering::Relaxed), ALONE_IN_SOFTWARE.as_millis() as u64);
        pace.frame(true, false, begin + ATTENTION);
        wake(false);
        assert_eq!(asked.load(Ordering::Relaxed), ATTENDED.as_millis() as u64);
        wake(true);
        assert_eq!(asked.load(Ordering::Relaxed), 0, "a run that ended is drawn at once");
    }
}
