//! Runs one program without a shell, within limits, in a process group of its own that is killed whole.
//!
//! Output goes to files: a child that outlives the program and keeps a pipe open must not keep us waiting.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Looking at a folder costs more than looking at a process.
const BETWEEN_LOOKS_AT_DISK: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub time: Duration,
    /// Of what it prints, and of the files in its temporary folder.
    pub bytes: u64,
}

impl Limits {
    /// More is no output of a tool that works.
    pub const MOST_BYTES: u64 = 1 << 30;
}

/// What to run and where.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Program and arguments.
    pub words: &'a [String],
    pub folder: &'a Path,
    /// Where temporary files and caches of the program go; removed by whoever made it.
    pub temp: &'a Path,
}

#[derive(Debug)]
pub struct Ended {
    /// `None`: it was killed, by us or by a signal.
    pub exit: Option<i32>,
    pub killed: Option<Killed>,
    pub output: Vec<u8>,
    pub complaints: String,
    pub wall: Duration,
    /// Resident memory of the program itself at its highest, where the system tells.
    pub peak_bytes: Option<u64>,
}

/// Why we have killed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killed {
    TimeLimit,
    DiskLimit,
    /// Somebody wanted to stop.
    Stopped,
}

impl Ended {
    /// How it ended, for people: `exit code 2`, with the last line it complained with.
    pub fn describe(&self, limits: Limits) -> String {
        match self.killed {
            Some(Killed::TimeLimit) => return format!("no answer within {} s", limits.time.as_secs()),
            Some(Killed::DiskLimit) => return format!("wrote more than {} MiB", limits.bytes >> 20),
            Some(Killed::Stopped) => return "interrupted".to_owned(),
            None => {}
        }
        let how = self
            .exit
            .map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"));
        match self.complaint() {
            said if said.is_empty() => how,
            said => format!("{how}: {said}"),
        }
    }

    /// The last line that it complained with.
    pub fn complaint(&self) -> String {
        let said = self.complaints.lines().rev().find(|line| !line.trim().is_empty());
        said.map_or_else(String::new, |line| format!("{:.200}", line.trim()))
    }
}

impl Ended {
    /// Everything it printed: its output, and below it what it complained of if it failed.
    pub fn printed(&self) -> Vec<u8> {
        let mut printed = self.output.clone();
        if self.exit != Some(0) && !self.complaints.is_empty() {
            printed.extend_from_slice(b"\n--- stderr ---\n");
            printed.extend_from_slice(self.complaints.as_bytes());
        }
        printed
    }
}

impl Call<'_> {
    pub fn run(&self, limits: Limits, stop: impl Fn() -> bool) -> io::Result<Ended> {
        let (program, arguments) = self.words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut output = tempfile::tempfile_in(self.temp)?;
        let mut complaints = tempfile::tempfile_in(self.temp)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(complaints.try_clone()?);
        for variable in ["TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "PYLINTHOME"] {
            command.env(variable, self.temp);
        }
        command.envs([
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("NO_COLOR", "1"),
            ("PYTHONIOENCODING", "utf-8"),
        ]);
        own_group(&mut command);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let mut peak_bytes = None;
        let written = || size_of(&output) + size_of(&complaints) + size_below(self.temp);
        let waited = wait(&mut child, limits, stop, written, &mut peak_bytes);
        kill_group(&mut child);
        let (status, killed) = waited?;
        let wall = started.elapsed();
        Ok(Ended {
            exit: status.and_then(|status| status.code()),
            killed,
            output: all_of(&mut output, limits)?,
            complaints: String::from_utf8_lossy(&all_of(&mut complaints, limits)?).into_owned(),
            wall,
            peak_bytes,
        })
    }
}

fn wait(
    child: &mut Child,
    limits: Limits,
    stop: impl Fn() -> bool,
    written: impl Fn() -> u64,
    peak_bytes: &mut Option<u64>,
) -> io::Result<(Option<ExitStatus>, Option<Killed>)> {
    let started = Instant::now();
    let mut looked_at_disk = started;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((Some(status), None));
        }
        *peak_bytes = peak(child.id()).max(*peak_bytes);
        if stop() {
            return Ok((None, Some(Killed::Stopped)));
        }
        if started.elapsed() > limits.time {
            return Ok((None, Some(Killed::TimeLimit)));
        }
        if looked_at_disk.elapsed() > BETWEEN_LOOKS_AT_DISK {
            looked_at_disk = Instant::now();
            if written() > limits.bytes {
                return Ok((None, Some(Killed::DiskLimit)));
            }
        }
        sleep(BETWEEN_LOOKS);
    }
}

fn size_of(file: &File) -> u64 {
    file.metadata().map_or(0, |facts| facts.len())
}

/// Files that vanish meanwhile count nothing.
fn size_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(facts) if facts.is_dir() => size_below(&entry.path()),
        Ok(facts) => facts.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Of one that was killed for it, no more than was allowed.
fn all_of(file: &mut File, limits: Limits) -> io::Result<Vec<u8>> {
    use std::io::Seek;
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(limits.bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Whatever the program has started and left running ends with it.
#[cfg(unix)]
fn kill_group(child: &mut Child) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.wait();
}

#[cfg(not(unix))]
fn kill_group(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(target_os = "linux")]
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(not(target_os = "linux"))]
const fn peak(_: u32) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, seconds: f32) -> Ended {
        let temp = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let words = ["sh", "-c", script].map(str::to_owned);
        let call = Call {
            words: &words,
            folder: temp.path(),
            temp: temp.path(),
        };
        let limits = Limits {
            time: Duration::from_secs_f32(seconds),
            bytes: 1 << 20,
        };
        call.run(limits, || false).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn output_exit_and_complaints_are_kept_apart() {
        let ended = shell("echo found; echo bad >&2; exit 3", 20.0);
        assert_eq!((ended.exit, ended.output.as_slice()), (Some(3), &b"found\n"[..]));
        let limits = Limits {
            time: Duration::ZERO,
            bytes: 0,
        };
        assert_eq!(ended.describe(limits), "exit code 3: bad");
    }

    #[test]
    fn a_hanging_program_and_its_children_are_killed() {
        let ended = shell("sleep 60 & echo $!; sleep 60", 0.3);
        assert!(ended.killed == Some(Killed::TimeLimit) && ended.exit.is_none());
        let child = String::from_utf8_lossy(&ended.output).trim().to_owned();
        let alive = || {
            let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z")
        };
        for _ in 0..100 {
            if !alive() {
                return;
            }
            sleep(BETWEEN_LOOKS);
        }
        panic!("{child} is still alive");
    }

    #[test]
    fn a_program_that_fills_the_disk_is_killed() {
        for script in [
            "yes >$TMPDIR/full",
            "mkdir $TMPDIR/a; yes >$TMPDIR/a/full",
            "yes",
            "yes >&2",
        ] {
            let ended = shell(script, 60.0);
            assert_eq!(ended.killed, Some(Killed::DiskLimit), "{script}");
            assert!(ended.output.len() <= 1 << 20);
        }
    }

    #[test]
    fn a_child_that_outlives_the_program_keeps_nobody_waiting() {
        let ended = shell("sleep 60 & echo done", 20.0);
        assert_eq!(ended.exit, Some(0));
        assert!(ended.wall < Duration::from_secs(10));
    }
}
