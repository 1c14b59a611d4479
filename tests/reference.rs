//! Runs the main job again and compares it with what is committed: the record in `results/reference/`
//! and the output shown in the README. `LEAKBENCH_BLESS=1` rewrites both.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Folder;

const BEGIN: &str = "<!-- run: begin -->\n";
const END: &str = "<!-- run: end -->";

/// What differs between machines and hours.
const NOT_COMPARED: [&str; 2] = ["run.json", "lock"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the record is a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("it can be listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "lock")
        .collect();
    names.sort();
    names
}

/// Of the report: how long each detector took.
fn without_times(shown: &str) -> String {
    let lines = shown.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("  seconds")).collect()
}

#[test]
fn the_main_job_says_what_is_committed() {
    let folder = Folder::new();
    let shown = without_times(&folder.run("run --out reference", 0).stdout);
    let (fresh, committed) = (folder.path("reference"), root().join("results/reference"));
    let readme = root().join("README.md");
    let text = fs::read_to_string(&readme).expect("there is a README");
    let (before, rest) = text.split_once(BEGIN).expect("the README shows the run");
    let (_, after) = rest.split_once(END).expect("the README shows the run");
    let expected = format!("{before}{BEGIN}```text\n{shown}```\n{END}{after}");
    if std::env::var_os("LEAKBENCH_BLESS").is_some() {
        let _ = fs::remove_dir_all(&committed);
        fs::create_dir_all(&committed).expect("it can be made");
        for name in names(&fresh) {
            fs::copy(fresh.join(&name), committed.join(&name)).expect("it can be copied");
        }
        fs::write(&readme, expected).expect("the README can be written");
        return;
    }
    assert_eq!(names(&fresh), names(&committed));
    for name in names(&fresh)
        .into_iter()
        .filter(|name| !NOT_COMPARED.contains(&name.as_str()))
    {
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).expect("it is text");
        let (new, old) = (read(&fresh), read(&committed));
        let differing = new.lines().zip(old.lines()).find(|(new, old)| new != old);
        assert!(
            new == old,
            "{name} has changed (LEAKBENCH_BLESS=1 cargo test accepts it): {differing:?}"
        );
    }
    assert_eq!(text, expected, "the README shows another run");
}
