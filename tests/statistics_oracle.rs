//! Holds the statistics of `judge` against scipy and statsmodels over a grid. Says "skipped: ..." where
//! there is no Python that has them; `scripts/python-tools.sh` makes one.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use leakbench::judge::interval::{Cluster, proportion, t_quantile, wilson};
use leakbench::judge::paired::{holm, mcnemar, sign_flip};
use serde_json::{Value, json};

/// The two standard normal quantile that plain Wilson takes.
const NORMAL: f64 = 1.959_963_984_540_054;

/// A question for the oracle, and our answer to it.
struct Question {
    ask: Value,
    ours: Vec<f64>,
    /// Largest difference that rounding excuses.
    tolerance: f64,
}

#[test]
fn our_statistics_are_those_of_scipy_and_statsmodels() {
    let questions = questions();
    let asked = questions.iter().map(|question| question.ask.clone()).collect();
    let answers = match ask(&Value::Array(asked)) {
        Ok(answers) => answers,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    assert_eq!(answers.len(), questions.len(), "one answer per question");
    let mut largest: f64 = 0.0;
    for (question, theirs) in questions.iter().zip(&answers) {
        let difference = largest_difference(&question.ours, theirs);
        let told = format!("{}: ours {:?}, theirs {theirs:?}", question.ask, question.ours);
        assert!(difference <= question.tolerance, "{told}");
        largest = largest.max(difference);
    }
    eprintln!("compared {} answers; largest difference {largest:.1e}", answers.len());
}

fn largest_difference(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let differences = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs());
    differences.fold(0.0, f64::max)
}

fn ask(questions: &Value) -> Result<Vec<Vec<f64>>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/statistics_oracle.py");
    let started = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| format!("no python3 ({error})"))?;
    let mut stdin = child.stdin.take().expect("it is piped");
    // A python without the packages ends before it has read everything; its exit code says so below.
    let _ = stdin.write_all(questions.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the oracle ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(serde_json::from_slice(&output.stdout).expect("the oracle answers with lists of numbers")),
        Some(3) => Err(stderr.trim().to_owned()),
        _ => panic!("the oracle failed: {stderr}"),
    }
}

fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    match env::var_os("LEAKBENCH_PYTHON") {
        Some(python) => python.into(),
        None if own.exists() => own,
        None => "python3".into(),
    }
}

fn questions() -> Vec<Question> {
    let mut all = wilson_questions();
    all.extend(t_questions());
    all.extend(cluster_questions());
    all.extend(mcnemar_questions());
    all.extend(holm_questions());
    all.extend(sign_flip_questions());
    all
}

fn wilson_questions() -> Vec<Question> {
    let sizes = [1_u32, 2, 3, 5, 9, 10, 17, 50, 200, 1000, 30_000];
    let grid = sizes.into_iter().flat_map(|trials| {
        let hits = [0, 1, trials / 7, trials / 2, trials - 1, trials];
        hits.into_iter()
            .filter(move |hits| *hits <= trials)
            .map(move |hits| (hits, trials))
    });
    grid.map(|(hits, trials)| {
        let interval = wilson(f64::from(hits) / f64::from(trials), f64::from(trials), NORMAL);
        Question {
            ask: json!({"ask": "wilson", "hits": hits, "trials": trials}),
            ours: vec![interval.low, interval.high],
            tolerance: 1e-12,
        }
    })
    .collect()
}

fn t_questions() -> Vec<Question> {
    let few = 1..=120;
    let many = [200, 500, 1000, 5000, 100_000];
    few.chain(many)
        .map(|degrees_of_freedom| Question {
            ask: json!({"ask": "t_quantile", "degrees_of_freedom": degrees_of_freedom}),
            ours: vec![t_quantile(degrees_of_freedom)],
            tolerance: 1e-9,
        })
        .collect()
}

/// Modules of unlike sizes and hit rates, some of them all or nothing.
fn clusters(modules: u64, step: u64) -> Vec<Cluster> {
    let cluster = |module: u64| {
        let trials = 1 + module * step % 13;
        let hits = (module * module + step) % (trials + 1);
        Cluster { hits, trials }
    };
    (1..=modules).map(cluster).collect()
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn cluster_questions() -> Vec<Question> {
    let grid = [10, 11, 15, 40, 200]
        .into_iter()
        .flat_map(|modules| [3, 5, 7].map(|step| (modules, step)));
    grid.flat_map(|(modules, step)| {
        let clusters = clusters(modules, step);
        let ours = proportion(&clusters);
        let (hits, trials): (Vec<u64>, Vec<u64>) = clusters.iter().map(|one| (one.hits, one.trials)).unzip();
        let effect = ours.design_effect.expect("these rates vary");
        let interval = ours.interval.expect("there are ten modules");
        let size = trials.iter().sum::<u64>() as f64 / effect.max(1.0);
        [
            Question {
                ask: json!({"ask": "design_effect", "hits": hits, "trials": trials}),
                ours: vec![effect],
                tolerance: 1e-12,
            },
            Question {
                ask: json!({"ask": "wilson_with_t", "ratio": ours.ratio, "size": size,
                    "degrees_of_freedom": modules - 1}),
                ours: vec![interval.low, interval.high],
                tolerance: 1e-9,
            },
        ]
    })
    .collect()
}

fn mcnemar_questions() -> Vec<Question> {
    let counts = [0, 1, 2, 3, 5, 8, 20, 100, 1000];
    let grid = counts.into_iter().flat_map(|lost| counts.map(|gained| (lost, gained)));
    grid.filter(|(lost, gained)| lost + gained > 0)
        .map(|(lost, gained)| Question {
            ask: json!({"ask": "exact_mcnemar", "lost": lost, "gained": gained}),
            ours: vec![mcnemar(lost, gained)],
            tolerance: 1e-11,
        })
        .collect()
}

fn holm_questions() -> Vec<Question> {
    let lists: [&[f64]; 5] = [
        &[0.04],
        &[0.01, 0.04, 0.03, 0.005],
        &[0.2, 0.2, 0.001, 1.0],
        &[0.5, 0.9, 0.7],
        &[0.0, 0.01, 0.011, 0.012, 0.05, 0.5],
    ];
    lists
        .into_iter()
        .map(|p_values| Question {
            ask: json!({"ask": "holm", "p_values": p_values}),
            ours: holm(p_values),
            tolerance: 1e-12,
        })
        .collect()
}

fn sign_flip_questions() -> Vec<Question> {
    let lists: [&[i64]; 8] = [
        &[1, 1],
        &[1, -1],
        &[3, -1, 2, 2],
        &[1, 1, 1, 1, 1, 1],
        &[5, -4, 3, -2, 1, 0, 0],
        &[7, 1, 1, 1, 1, -2, 4, -3],
        &[-1, -2, -3, -1, -1, -6, 2, 0, -1],
        &[2, 2, 2, 2, -1, -1, -1, 3, 3, -4, 5, 1],
    ];
    lists
        .into_iter()
        .map(|differences| Question {
            ask: json!({"ask": "sign_flip", "differences": differences}),
            ours: vec![sign_flip(differences)],
            tolerance: 1e-12,
        })
        .collect()
}
