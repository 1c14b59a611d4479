//! What looks on while the lab works: a progress bar, warnings, and Ctrl-C.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::console::{self, Progress};
use crate::lab::Watch;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static HANDLER: Once = Once::new();

#[derive(Debug, Default)]
pub(super) struct Terminal {
    progress: Progress,
}

impl Terminal {
    /// From now on the first Ctrl-C asks the loops to stop, a second one does not ask.
    pub(super) fn new() -> Self {
        HANDLER.call_once(|| {
            if let Err(error) = ctrlc::set_handler(stop) {
                console::warning(&format!("Ctrl-C will end the run at once, without a record: {error}"));
            }
        });
        Self::default()
    }

    pub(super) fn end(&self) {
        self.progress.end();
    }
}

#[expect(clippy::exit, reason = "a second Ctrl-C means now, whatever is half done")]
fn stop() {
    if INTERRUPTED.swap(true, Ordering::Relaxed) {
        std::process::exit(super::Exit::Interrupted as i32);
    }
    console::note("stopping; the record will say that it is incomplete (press Ctrl-C again to end at once)");
}

impl Watch for Terminal {
    fn begin(&self, stage: &str, total: u64) {
        self.progress.begin(stage, total);
    }

    fn advance(&self, steps: u64) {
        self.progress.advance(steps);
    }

    fn warn(&self, text: &str) {
        self.progress.paused(|| console::warning(text));
    }

    fn interrupted(&self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed)
    }
}
