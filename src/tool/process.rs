//! Runs one program without a shell, within limits, in a process group of its own that is killed whole.
//!
//! Output goes to files: a child that outlives the program and keeps a pipe open must not keep us waiting.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer output is no output of a tool that works.
const MOST_OUTPUT_BYTES: u64 = 256 << 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub time: Duration,
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
    /// `None`: it was killed, by the limit or by a signal.
    pub exit: Option<i32>,
    pub timed_out: bool,
    /// Somebody wanted to stop.
    pub stopped: bool,
    pub output: Vec<u8>,
    pub complaints: String,
    pub wall: Duration,
    /// Resident memory of the program itself at its highest, where the system tells.
    pub peak_bytes: Option<u64>,
}

impl Ended {
    /// How it ended, for people: `exit code 2`, with the last line it complained with.
    pub fn describe(&self, limits: Limits) -> String {
        if self.timed_out {
            return format!("no answer within {} s", limits.time.as_secs());
        }
        let how = self
            .exit
            .map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"));
        let said = self.complaints.lines().rev().find(|line| !line.trim().is_empty());
        said.map_or_else(|| how.clone(), |line| format!("{how}: {:.200}", line.trim()))
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
        let waited = wait(&mut child, limits, stop, &mut peak_bytes);
        kill_group(&mut child);
        let (status, timed_out, stopped) = waited?;
        let wall = started.elapsed();
        Ok(Ended {
            exit: status.and_then(|status| status.code()),
            timed_out,
            stopped,
            output: all_of(&mut output)?,
            complaints: String::from_utf8_lossy(&all_of(&mut complaints)?).into_owned(),
            wall,
            peak_bytes,
        })
    }
}

fn wait(
    child: &mut Child,
    limits: Limits,
    stop: impl Fn() -> bool,
    peak_bytes: &mut Option<u64>,
) -> io::Result<(Option<ExitStatus>, bool, bool)> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((Some(status), false, false));
        }
        *peak_bytes = peak(child.id()).max(*peak_bytes);
        if stop() {
            return Ok((None, false, true));
        }
        if started.elapsed() > limits.time {
            return Ok((None, true, false));
        }
        sleep(BETWEEN_LOOKS);
    }
}

fn all_of(file: &mut File) -> io::Result<Vec<u8>> {
    use std::io::Seek;
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(MOST_OUTPUT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_OUTPUT_BYTES {
        return Err(io::Error::other("printed more than 256 MiB"));
    }
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
        };
        call.run(limits, || false).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn output_exit_and_complaints_are_kept_apart() {
        let ended = shell("echo found; echo bad >&2; exit 3", 20.0);
        assert_eq!((ended.exit, ended.output.as_slice()), (Some(3), &b"found\n"[..]));
        assert_eq!(ended.describe(Limits { time: Duration::ZERO }), "exit code 3: bad");
    }

    #[test]
    fn a_hanging_program_and_its_children_are_killed() {
        let ended = shell("sleep 60 & echo $!; sleep 60", 0.3);
        assert!(ended.timed_out && ended.exit.is_none());
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
    fn a_child_that_outlives_the_program_keeps_nobody_waiting() {
        let ended = shell("sleep 60 & echo done", 20.0);
        assert_eq!(ended.exit, Some(0));
        assert!(ended.wall < Duration::from_secs(10));
    }
}
