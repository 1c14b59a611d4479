//! The command line: argument types here, one file per subcommand below.
//!
//! Together with `console` the only place that knows about the terminal.

mod arguments;
mod baseline;
mod check;
mod compare;
mod config;
mod corpus;
mod exit;
mod explain;
mod gate;
mod list;
mod mutate;
mod run;
mod score;
mod scores;
mod terminal;
mod triage;
mod verify;
mod wanted;

use clap::{Parser, Subcommand};

pub use exit::Exit;
use exit::Failure;

#[derive(Debug, Parser)]
#[command(name = "leakbench", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, gate passed · 1 gate failed, findings or a contradiction · 2 usage · 3 detector unusable\n\
    4 inputs inconsistent · 5 nothing measured · 70 internal error · 130 interrupted"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Mutate(mutate::Mutate),
    Score(score::Score),
    Compare(compare::Compare),
    Gate(gate::Gate),
    Triage(triage::TriageCommand),
    List(list::List),
    Explain(explain::Explain),
    Corpus(corpus::CorpusCommand),
    Verify(verify::Verify),
}

impl Command {
    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Run(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Mutate(command) => command.run(),
            Self::Score(command) => command.run(),
            Self::Compare(command) => command.run(),
            Self::Gate(command) => command.run(),
            Self::Triage(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Explain(command) => command.run(),
            Self::Corpus(command) => command.run(),
            Self::Verify(command) => command.run(),
        }
    }
}

/// Reads the command line, does what it says, and reports what went wrong.
pub fn main() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return usage(&message),
    };
    arguments.command.run().unwrap_or_else(|failure| {
        crate::console::error(&failure.to_string());
        failure.exit
    })
}

/// Help and version are results; everything else is a message.
fn usage(message: &clap::Error) -> Exit {
    let shown = |colour: bool| {
        if colour {
            message.render().ansi().to_string()
        } else {
            message.render().to_string()
        }
    };
    if message.use_stderr() {
        crate::console::note(shown(crate::console::stderr_has_colour()).trim_end());
        return Exit::Usage;
    }
    match crate::console::print(&shown(crate::console::stdout_has_colour())) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Internal,
    }
}
