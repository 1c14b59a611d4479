//! Real leaks and their fixes: fetched from an index, looked at, counted.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use common::{CLEAN, Folder, LEAKY};

const HEADER: &str = "pair_id,package,leak_version,leak_archive,leak_sha256,leak_path,leak_line,fixed_version,fixed_archive,\
    fixed_sha256,fixed_path,fixed_line,resource,pattern,why,evidence\n";

/// `leak_line` is that of `LEAKY`'s acquisition; in `CLEAN` one stands there as well, in a `with`.
fn pair(id: &str, pattern: &str) -> String {
    format!("{id},pack,1,p-1.tar.gz,00,pack/a.py,2,2,p-2.tar.gz,00,pack/a.py,5,file,{pattern},,\n")
}

#[test]
fn a_pair_is_told_apart_missed_reported_twice_or_without_a_verdict() {
    let list: String = ["apart", "gone", "missed", "twice"]
        .map(|id| pair(id, "never-released"))
        .concat();
    let folder = Folder::with(&[("code/a.py", CLEAN), ("list/pairs.csv", &(HEADER.to_owned() + &list))]);
    let lower = format!("#\n#\n#\n{LEAKY}");
    let sides = [
        ("apart", LEAKY, CLEAN),
        ("missed", CLEAN, CLEAN),
        ("twice", LEAKY, &lower),
    ];
    for (id, leaking, fixed) in sides {
        folder.write(&format!("list/files/{id}/leak/pack/a.py"), leaking.as_bytes());
        folder.write(&format!("list/files/{id}/fixed/pack/a.py"), fixed.as_bytes());
    }
    folder.write("list/files/gone/leak/pack/a.py", LEAKY.as_bytes());
    let ran = folder.run("run code --pairs list/pairs.csv", 0);
    assert!(ran.stdout.contains("(fix pairs)"), "{}", ran.stdout);

    let pairs = folder.read("results/latest/fix_pairs.csv");
    let verdict = |id: &str| {
        let start = format!("{id},leakbench,pack,handles,never-released,file,pack/a.py,2,");
        let row = pairs.lines().find_map(|line| line.strip_prefix(&start));
        row.unwrap_or_else(|| panic!("no {start} in {pairs}"))
    };
    assert_eq!(verdict("apart"), "told-apart,never-released,,true,");
    assert_eq!(verdict("missed"), "missed,,,false,");
    assert_eq!(verdict("twice"), "reported-twice,never-released,never-released,true,");
    assert!(verdict("gone").starts_with("no-verdict,never-released,,true,fixed: "));

    let scores = folder.read("results/latest/fix_scores.csv");
    let all = scores
        .lines()
        .find(|line| line.starts_with("leakbench,*,*,"))
        .unwrap_or(&scores);
    assert!(
        all.starts_with("leakbench,*,*,4,1,1,1,1,0,1,0.666667,,,0.333333,"),
        "{all}"
    );
}

#[test]
fn a_list_without_files_or_with_an_unknown_pattern_is_refused() {
    let folder = Folder::with(&[("code/a.py", CLEAN)]);
    folder.write(
        "pairs.csv",
        (HEADER.to_owned() + &pair("one", "never-released")).as_bytes(),
    );
    let ran = folder.run("run code --pairs pairs.csv", 4);
    assert!(
        ran.stderr.contains("leakbench corpus fetch pairs.csv"),
        "{}",
        ran.stderr
    );
    folder.write(
        "pairs.csv",
        (HEADER.to_owned() + &pair("one", "never-relased")).as_bytes(),
    );
    let ran = folder.run("run code --pairs pairs.csv", 4);
    assert!(
        ran.stderr.contains("pairs.csv: one: no pattern is called"),
        "{}",
        ran.stderr
    );
    let ran = folder.run("run code --pairs nowhere.csv", 4);
    assert!(ran.stderr.contains("nowhere.csv: no such file"), "{}", ran.stderr);
}

/// Makes two releases, one a wheel, an index of them, and the list; then serves the index.
const INDEX: &str = r##"
import hashlib, http.server, io, os, pathlib, sys, tarfile, zipfile
root = pathlib.Path(sys.argv[1])
(root / "simple/my-pack").mkdir(parents=True)
text = b"handle = open('x')\n"
with zipfile.ZipFile(root / "simple/my-pack/my_pack-2-py3-none-any.whl", "w") as wheel:
    wheel.writestr("pack/a.py", b"# fixed\n")
with tarfile.open(root / "simple/my-pack/my_pack-1.tar.gz", "w:gz") as archive:
    for name in ("my_pack-1/setup.py", "my_pack-1/pack/a.py"):
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
names = ["my_pack-1.tar.gz", "my_pack-2-py3-none-any.whl"]
links = "".join(f'<a href="{name}#sha256=1">{name}</a>' for name in names)
(root / "simple/my-pack/index.html").write_text(links)
one, two = (hashlib.sha256((root / "simple/my-pack" / name).read_bytes()).hexdigest() for name in names)
row = "{id},My.Pack,1,my_pack-1.tar.gz,{one},{path},1,2,my_pack-2-py3-none-any.whl,{two},pack/a.py,1,file,never-released,,\n"
rows = {
    "good": row.format(id="good", one=one, two=two, path="pack/a.py"),
    "changed": row.format(id="changed", one="0" * 64, two=two, path="pack/a.py"),
    "outside": row.format(id="outside", one=one, two=two, path="../../../../a.py"),
}
for name, text in rows.items():
    (root / name).mkdir()
    (root / name / "pairs.csv").write_text(sys.argv[2] + text)
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass
os.chdir(root)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
print(server.server_port, flush=True)
server.serve_forever()
"##;

struct Index(Child);

impl Drop for Index {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn serve(folder: &Folder) -> (Index, String) {
    let mut command = Command::new("python3");
    command.args(["-c", INDEX]).arg(folder.path("")).arg(HEADER);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("python3 starts");
    let mut port = String::new();
    let output = child.stdout.take().expect("piped");
    BufReader::new(output)
        .read_line(&mut port)
        .expect("a line with the port");
    let url = format!("http://127.0.0.1:{}/simple/", port.trim());
    (Index(child), url)
}

#[test]
fn files_come_from_the_index_that_pip_uses_and_only_as_recorded() {
    let folder = Folder::new();
    let (_index, url) = serve(&folder);
    let fetch = |list: &str, exit| {
        folder.run_with(
            &[("PIP_INDEX_URL", &url)],
            &format!("corpus fetch {list}/pairs.csv"),
            exit,
        )
    };
    fetch("good", 0);
    assert_eq!(folder.read("good/files/good/leak/pack/a.py"), "handle = open('x')\n");
    assert_eq!(folder.read("good/files/good/fixed/pack/a.py"), "# fixed\n");
    assert!(fetch("good", 0).stderr.contains("every file is there"));

    let ran = fetch("changed", 4);
    assert!(
        ran.stderr
            .contains("my_pack-1.tar.gz: its SHA-256 is not the recorded one"),
        "{}",
        ran.stderr
    );
    assert!(!folder.path("changed/files/changed/leak").exists());
    let ran = fetch("outside", 4);
    assert!(ran.stderr.contains("leads out of the folder"), "{}", ran.stderr);
    let ran = folder.run("corpus fetch good/pairs.csv nosuch", 4);
    assert!(
        ran.stderr.contains("good/pairs.csv: lists no pair nosuch"),
        "{}",
        ran.stderr
    );
}
