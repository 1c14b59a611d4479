//! The only writer to the terminal, and the reader of stdin: results to stdout, progress and messages to stderr.
//!
//! A reader that goes away (`leakbench … | head`) is no failure. Knows nothing of what it prints.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Writes a result to stdout. A closed pipe is not an error.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Everything that stdin has, up to `limit` bytes.
pub fn read(limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes one message to stderr. Where even that fails there is nobody left to tell.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// `leakbench: error: …` on stderr, in red where that can be seen.
pub fn error(text: &str) {
    note(&format!("{} {text}", paint("error:", RED, stderr_has_colour())));
}

pub fn warning(text: &str) {
    note(&format!("{} {text}", paint("warning:", YELLOW, stderr_has_colour())));
}

const RED: &str = "1;31";
const YELLOW: &str = "1;33";

/// Whether results may carry colour: a terminal that was not told otherwise.
pub fn stdout_has_colour() -> bool {
    colour_wanted() && io::stdout().is_terminal()
}

pub fn stderr_has_colour() -> bool {
    colour_wanted() && io::stderr().is_terminal()
}

fn colour_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// `text` in the colour of an SGR code, if `colour` holds.
pub fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// One bar at a time on stderr, with rate and time left; silent where stderr is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: Mutex<ProgressBar>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }
}

impl Progress {
    /// Ends the bar before and begins one of `total` steps.
    pub fn begin(&self, what: &str, total: u64) {
        self.end();
        let style = ProgressStyle::with_template(
            "{msg:>12} [{bar:30}] {human_pos}/{human_len} {per_sec:.dim} {eta_precise:.dim} left",
        );
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        self.replace(bar);
    }

    pub fn advance(&self, steps: u64) {
        self.with(|bar| bar.inc(steps));
    }

    /// Lets something write to the terminal without tearing the bar.
    pub fn paused(&self, write: impl FnOnce()) {
        self.with(|bar| bar.suspend(write));
    }

    pub fn end(&self) {
        self.with(ProgressBar::finish_and_clear);
    }

    fn replace(&self, bar: ProgressBar) {
        let mut held = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *held = bar;
    }

    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        let bar = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        act(&bar);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
