//! The binary: one thread with room for deep trees, and the exit code.

use std::process::ExitCode;

/// Deep syntax trees are walked and dropped recursively; a main thread's 8 MiB may not do.
const STACK_BYTES: usize = 256 << 20;

fn main() -> ExitCode {
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(leakbench::cli::main);
    let exit = thread.map_err(anyhow::Error::from).and_then(|thread| {
        let ended = thread.join();
        ended.map_err(|_| anyhow::anyhow!("the main thread panicked; the message above says where"))
    });
    exit.unwrap_or_else(|error| {
        leakbench::console::error(&format!("{error:#}"));
        leakbench::cli::Exit::Internal
    })
    .into()
}
