#!/usr/bin/env python3
"""Weighs the pinned tools (scripts/python-tools.sh) on the embedded corpus and on the real pairs.

Renews results/tools/ and the table in README.md. flake8 takes half a second for every text, so that at most ten leaks of each
mutator are drawn; even so it is a quarter of an hour without a cache. What was asked before is taken from results/cache.
Arguments go to `leakbench run`: `--no-cache`, say. Without the files of the pairs
(`leakbench corpus fetch corpus/wild/pairs.csv`) nothing is renewed.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAIRS = "corpus/wild/pairs.csv"
TOOLS = ["ruff", "pylint", "flake8"]
# The rest of the record is as in results/reference/, or large.
KEPT = ["run.json", "scores.csv", "scores_by_mutator.csv", "agreement.csv", "alone.csv", "fix_pairs.csv", "fix_scores.csv", "outcomes.csv"]
SECTIONS = ["Detectors side by side", "Agreement of each two", "Real leaks and the releases"]
BEGIN, END = "<!-- tools: begin -->\n", "<!-- tools: end -->"


def families(section: str) -> str:
    """Of the pairs the rows that pool patterns: the others have too few."""
    kept, detector = [], ""
    for line in section.splitlines():
        if line.startswith("  ") and line[2] != " ":
            detector = line.split()[0]
        if "  all " in line:
            line = f"  {detector}".ljust(len("  seed-naive")) + line[len("  seed-naive") :]
        elif line.startswith("   ") or line.split()[:1] == [detector] != ["detector"]:
            if not line.startswith("  recall:"):
                continue
        kept.append(line)
    return "\n".join(kept)


def main() -> int:
    os.chdir(ROOT)
    subprocess.run(["cargo", "build", "--release"], check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    environment = os.environ | {"PATH": f"{ROOT}/target/venv/bin:{os.environ['PATH']}", "NO_COLOR": "1"}
    record = pathlib.Path("results/tools.new")
    command = [target / "release/leakbench", "run", "--per-mutator", "10", "--pairs", PAIRS, "--out", record, *sys.argv[1:]]
    for tool in TOOLS:
        command += ["--tool", tool]
    shown = subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
    kept = ROOT / "results/tools"
    kept.mkdir(exist_ok=True)
    for name in KEPT:
        shutil.copy(record / name, kept / name)
    shutil.rmtree(record)
    sections = [part for part in shown.split("\n\n") if part.startswith(tuple(SECTIONS))]
    sections = [families(part) if part.startswith(SECTIONS[-1]) else part for part in sections]
    readme = ROOT / "README.md"
    before, rest = readme.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}```text\n" + "\n\n".join(sections).rstrip() + f"\n```\n{END}{after}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
