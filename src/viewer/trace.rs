//! What the window says of its own speed, for measurements: how long pictures take to reach the screen, and how many
//! frames a second a drag draws. `RECOVNET_TRACE=1` prints it to the standard error.

use std::time::{Duration, Instant};

use egui::Context;

use super::render::Canvas;
use super::state::ViewerState;

/// Environment variable that turns it on.
const VARIABLE: &str = "RECOVNET_TRACE";
/// Frames further apart than this belong to no one movement.
const REST: Duration = Duration::from_millis(250);
/// A movement that lasts is spoken of this often.
const SPELL: Duration = Duration::from_secs(1);

/// Watches pictures and frames.
pub struct Trace {
    /// When the present frame was begun, before what is chosen in it is.
    begun: Instant,
    chosen: Instant,
    current: Option<usize>,
    drawn: bool,
    /// What is to be said once the frame that was laid out last is drawn.
    words: Option<String>,
    /// When the frames of the present spell were begun.
    frames: Vec<Instant>,
}

impl Trace {
    /// One, if the environment asks for it.
    pub fn asked() -> Option<Self> {
        std::env::var_os(VARIABLE).map(|_| Self {
            begun: Instant::now(),
            chosen: Instant::now(),
            current: None,
            drawn: false,
            words: None,
            frames: Vec::new(),
        })
    }

    /// A frame begins.
    pub fn begin(&mut self, now: Instant) {
        self.begun = now;
        self.count(now);
    }

    /// Takes in a frame that was just laid out, before it is handed over to be drawn.
    pub fn frame(&mut self, state: &ViewerState, canvas: Option<&Canvas>, ctx: &Context) {
        if let (Some(words), Some(canvas)) = (self.words.take(), canvas) {
            // What was submitted last is the frame before this one.
            canvas.wait();
            let elapsed = self.chosen.elapsed();
            eprintln!("recovnet trace: {words}, drawn {elapsed:?} after it was chosen");
        }
        if self.current != state.list.current {
            (self.chosen, self.current, self.drawn) = (self.begun, state.list.current, false);
        }
        if let (Some(shown), false) = (&state.shown, self.drawn) {
            self.drawn = true;
            let radiograph = &shown.picture.radiograph;
            self.words = Some(format!(
                "{} x {}, read in {:?}",
                radiograph.width, radiograph.height, shown.picture.decode
            ));
            ctx.request_repaint();
        }
    }

    fn count(&mut self, now: Instant) {
        if self.frames.last().is_some_and(|last| now - *last > REST) {
            self.frames.clear();
        }
        self.frames.push(now);
        let spell = now - self.frames[0];
        if spell < SPELL {
            return;
        }
        let longest = self.frames.windows(2).map(|two| two[1] - two[0]).max();
        eprintln!(
            "recovnet trace: {:.1} frames a second, {:.1} ms the longest",
            (self.frames.len() - 1) as f64 / spell.as_secs_f64(),
            longest.unwrap_or_default().as_secs_f64() * 1000.0
        );
        self.frames = vec![now];
    }
}
