//! Runs the pages of cases, and holds the suite to its promises.

use super::*;
use crate::python::Source;

/// The Python blocks of a page, with the line each starts on.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for (number, line) in page.lines().enumerate() {
        match (line.starts_with("```"), open.take()) {
            (true, None) => open = line.starts_with("```py").then(|| (number + 1, String::new())),
            (true, Some(block)) => blocks.push(block),
            (false, Some((start, code))) => open = Some((start, code + line + "\n")),
            (false, None) => {}
        }
    }
    blocks
}

/// Why a line of a case is not as its mark says.
fn complaint(line: &str, found: Option<&Finding>) -> Option<&'static str> {
    let mark = line
        .rsplit_once("# ")
        .map_or("", |(_, mark)| mark.split(':').next().unwrap_or("").trim());
    match (mark, found) {
        ("leak", None) => Some("not found"),
        ("todo-leak", Some(_)) => Some("is found now: promote it to `leak`"),
        ("todo-ok", None) => Some("is silent now: remove the mark"),
        ("leak" | "todo-ok", Some(_)) | (_, None) => None,
        (_, Some(_)) => Some("must stay silent"),
    }
}

fn complaints(detector: &dyn PythonResourceDetector, start: usize, code: &str) -> Vec<String> {
    let module = Module::parse("case.py", Source::from_text(code)).unwrap();
    let config = Config::default();
    let analysed = Analysed::new(&module, &config);
    let findings = detector.detect_issues(&analysed);
    let each = code.lines().enumerate().filter_map(|(at, line)| {
        let found = findings
            .iter()
            .find(|finding| analysed.line(finding.span.start) as usize == at + 1);
        let why = complaint(line, found)?;
        let message = found.map_or("", |finding| &finding.message);
        Some(format!("line {}: {why}: {} {message}", start + at + 1, line.trim()))
    });
    each.collect()
}

#[test]
fn pages_hold() {
    let mut wrong = Vec::new();
    for detector in suites().iter().flat_map(|suite| &suite.detectors) {
        let page = detector.info().page;
        let title = page.lines().next().unwrap();
        assert!(page.contains("\n## Cases"), "{title}");
        for (start, code) in blocks(page) {
            let of_page = |complaint| format!("{title} {complaint}");
            wrong.extend(complaints(*detector, start, &code).into_iter().map(of_page));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_package_finds_itself_by_where_it_lies() {
    let code = "from .sessions import Session\ndef ask(url):\n    session = Session()\n    session.get(url)\n";
    let mut module = Module::parse("api.py", Source::from_text(code)).unwrap();
    let found = |module: &Module| suites()[0].findings(module).len();
    assert_eq!(found(&module), 0);
    module.place = "/lib/requests/api.py".to_owned();
    assert_eq!(found(&module), 1);
}

/// What is found on the way makes a step sure not to raise; the test itself may, but hardly does.
#[test]
fn a_key_that_was_asked_for_is_no_risk_worth_a_warning() {
    let code = "
import socket
def counted(table, key, address):
    sock = socket.create_connection(address)
    if key in table:
        table[key].count += 1
    return sock
def taken(table, key, address):
    sock = socket.create_connection(address)
    if key in table:
        table.pop(key)
    return sock
def missing(table, key, address):
    sock = socket.create_connection(address)  # leak
    if key not in table:
        table.pop(key)
    return sock
def renamed(table, key, address):
    sock = socket.create_connection(address)  # leak
    if key in table:
        key = str(address)
        table.pop(key)
    return sock
def same(table, address):
    sock = socket.create_connection(address)
    if table.get(bytes) is bytes:
        table.pop(bytes)
    return sock
def not_same(table, address):
    sock = socket.create_connection(address)  # leak
    if table.get(bytes) is not bytes:
        table.pop(bytes)
    return sock
def there(table, key, address):
    sock = socket.create_connection(address)
    if table.get(key) is None:
        return sock
    table[key].count += 1
    return sock
def emptied(table, key, address):
    sock = socket.create_connection(address)  # leak
    while key in table:
        table.pop(key)
    sock.sendall(b'hello')
    return sock
";
    let module = Module::parse("keys.py", Source::from_text(code)).unwrap();
    let found = suites()[0].findings(&module);
    let sure = found.iter().filter(|finding| {
        let is_partial = finding.rule == crate::leak::Pattern::PartialAcquisition.id();
        is_partial && finding.confidence > crate::leak::Confidence::Low
    });
    let lines: Vec<_> = sure
        .map(|finding| module.lines.line_of(finding.span.start) as usize)
        .collect();
    let marked = code.lines().enumerate().filter(|(_, line)| line.ends_with("# leak"));
    assert_eq!(lines, marked.map(|(at, _)| at).collect::<Vec<_>>());
}

#[test]
fn findings_are_the_same_every_time_and_in_order() {
    let module = Module::parse(
        "many.py",
        Source::from_text(blocks(include_str!("pages/never-released.md"))[5].1.clone()),
    )
    .unwrap();
    let suites = suites();
    let findings = suites[0].findings(&module);
    assert!(findings.len() > 3);
    assert!(findings.is_sorted());
    assert_eq!(findings, suites[0].findings(&module));
}

#[test]
fn every_pattern_of_the_suite_is_explained() {
    for info in infos() {
        let page = explain(info.pattern).unwrap();
        assert!(page.starts_with(&format!("# {}\n", info.pattern)));
        for part in [
            "**What it is.**",
            "**Why it leaks.**",
            "**Leaks:**",
            "**Fix:**",
            "**Known limits.**",
        ] {
            assert!(page.contains(part), "{} lacks {part}", info.pattern);
        }
        assert!(!page.contains("## Cases"));
    }
}

#[test]
fn a_sure_leak_of_a_socket_weighs_more_than_a_doubt_about_a_file() {
    let code = "import socket\ndef f():\n    s = socket.socket()\n    s.listen()\nf = open('x')\n";
    let module = Module::parse("m.py", Source::from_text(code)).unwrap();
    let findings = suites()[0].findings(&module);
    let config = Config::default();
    let analysed = Analysed::new(&module, &config);
    let impacts: Vec<_> = findings
        .iter()
        .map(|finding| impact::assess(&analysed, finding))
        .collect();
    assert_eq!(findings.len(), 2);
    assert!(impacts[0].score > impacts[1].score);
    assert_eq!(impacts[0].severity, impact::Severity::Critical);
    let item = impact::debt_item(&module, &findings[0], impacts[0]);
    assert_eq!((item.id.as_str(), item.position.line), ("never-released:m.py:31", 3));
}

#[test]
fn the_scope_of_an_impact_tells_how_often_it_leaks() {
    let code = "\
f = open('once')
for name in names():
    g = open(name)
def call():
    h = open('x')
class Owner:
    def __init__(self):
        self._i = open('x')
    j = open('body')
k = lambda: open('x').read()
";
    let module = Module::parse("m.py", Source::from_text(code)).unwrap();
    let config = Config::default();
    let analysed = Analysed::new(&module, &config);
    let found = suites()[0].findings(&module);
    let lines = found.iter().map(|finding| {
        let impact = impact::assess(&analysed, finding);
        let (line, score) = (analysed.line(finding.span.start), impact.score);
        format!("{line} {:?} {:?} {score:.2}", impact.scope, finding.confidence)
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "1 Module Medium 0.24",
            "3 Module Medium 0.49",
            "5 Function High 0.70",
            "8 Class High 0.70",
            "9 Module Medium 0.24",
            "10 Function High 0.70",
        ]
    );
}

#[test]
fn what_grows_weighs_as_much_at_import_as_anywhere() {
    let code = "SEEN = []\ndef note(item):\n    SEEN.append(item)\n";
    let module = Module::parse("m.py", Source::from_text(code)).unwrap();
    let config = Config::default();
    let analysed = Analysed::new(&module, &config);
    let found = suites()[0].findings(&module);
    let impact = impact::assess(&analysed, &found[0]);
    assert_eq!(impact.scope, impact::Scope::Module);
    assert!((impact.score - 0.49).abs() < 1e-9);
}

#[test]
fn cycles_are_as_long_as_the_configuration_says() {
    let code = "def f(a, b, c):\n    a.x = b\n    b.x = c\n    c.x = a\n";
    let module = Module::parse("m.py", Source::from_text(code)).unwrap();
    let found = |depth| {
        let config: Config = toml::from_str(&format!("cycle-depth = {depth}")).unwrap();
        suites_with(&config)[0].findings(&module).len()
    };
    assert_eq!([found(2), found(3)], [0, 1]);
}

/// Generated code: nothing is quadratic, and nothing costs the stack of a worker.
#[test]
fn huge_functions_are_analysed_in_time() {
    let body = |line: &str, count: usize| format!("def f(p, a, b):\n    x = open(p)\n{}", line.repeat(count));
    let tries: String = (1..1_000)
        .flat_map(|depth| [" ".repeat(depth + 1), "try:\n".to_owned()])
        .collect();
    let finals: String = (1..1_000)
        .rev()
        .flat_map(|depth| [" ".repeat(depth + 1), "finally: a()\n".to_owned()])
        .collect();
    let nested = format!(
        "def f(p, a):\n  x = open(p)\n{tries}{}x.read()\n{finals}",
        " ".repeat(1_001)
    );
    let aliases: String = (0..4_000)
        .flat_map(|number| [format!("    a{} = a{number}\n    b(a{number})\n", number + 1)])
        .collect();
    let attributes: String = (0..2_000)
        .flat_map(|number| [format!("    self.x{number} = a{number} = open(p)\n")])
        .collect();
    let codes = [
        format!("class C:\n  def f(self, p, b):\n    self.x = open(p)\n    a0 = self.x\n{aliases}"),
        format!("class C:\n  def f(self, p):\n{attributes}"),
        body("    if a: b()\n    a(b)\n", 5_000),
        body("    y = open(p)\n    y.read()\n", 5_000),
        body("    x = open(p)\n    if a == b: x.close()\n", 2_000),
        nested,
        format!(
            "def f(p, a):\n    x = open(p)\n    if {}a: x.close()\n",
            "not ".repeat(2_500)
        ),
        format!("def f(p, a):\n    x = {}open(p)\n", "a if a else ".repeat(1_400)),
        format!("def f(p, a):\n    x = open(p)\n    y = {}x\n", "lambda: ".repeat(1_400)),
        format!("def f(p, a):\n    x = open(p){}\n", ".a".repeat(1_400)),
        format!("def f(p, a):\n    x = open(p){}\n", ".a()".repeat(1_400)),
        (0..3_000)
            .flat_map(|number| [format!("c{number} = {{}}\ndef f{number}(k): c{number}[k] = k\n")])
            .collect(),
        format!(
            "class C:\n  x = []\n  def f(self, k):\n{}",
            "    self.x.append(k)\n".repeat(5_000)
        ),
    ];
    for code in codes {
        let run = move || {
            let module = Module::parse("huge.py", Source::from_text(code)).unwrap();
            let start = std::time::Instant::now();
            suites()[0].findings(&module);
            assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
        };
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(run)
            .unwrap()
            .join()
            .unwrap();
    }
}

#[test]
fn users_add_resources_and_safe_callables() {
    let text = "safe-callables = ['builtins.open']\n[[resource]]\nkind = 'lease'\nacquire = ['pool.lease']\nrelease = ['give_back']\n";
    let config: Config = toml::from_str(text).unwrap();
    let code =
        "import pool\ndef f(p):\n    a = pool.lease()\n    b = open(p)\n    c = pool.lease()\n    c.give_back()\n";
    let module = Module::parse("m.py", Source::from_text(code)).unwrap();
    let findings = suites_with(&config)[0].findings(&module);
    let kinds: Vec<_> = findings
        .iter()
        .map(|finding| finding.resource.as_deref().unwrap())
        .collect();
    assert_eq!(kinds, ["lease"]);
}

#[test]
fn what_a_constructor_starts_leaks_once_per_object() {
    let code = "\
import threading, tempfile
from concurrent.futures import ThreadPoolExecutor
class Owner:
    def __init__(self):
        self._pool = ThreadPoolExecutor()
def call(use):
    lock.acquire()
    use(tempfile.mkdtemp())
lock = threading.Lock()
";
    let module = Module::parse("m.py", Source::from_text(code)).unwrap();
    let config = Config::default();
    let analysed = Analysed::new(&module, &config);
    let found = suites()[0].findings(&module);
    let lines = found.iter().map(|finding| {
        let impact = impact::assess(&analysed, finding);
        format!("{} {:?} {:?}", finding.rule, impact.scope, impact.severity)
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "pool-not-shut-down Class High",
            "lock-not-released Function Critical",
            "temp-left-behind Function High",
        ]
    );
}
