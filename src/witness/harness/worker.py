"""Answers jobs, a line of JSON each, from stdin to stdout. Stays warm: modules are imported once, and jobs are forked off."""

import ast
import importlib
import json
import signal
import sys

import child
import examine
import mutant
import runtime

# Most modules of a corpus want some of these.
COMMON = """
    abc argparse array asyncio base64 bz2 codecs collections concurrent.futures configparser contextlib copy csv dataclasses datetime decimal email
    email.message email.policy enum errno fcntl fileinput ftplib functools gzip hashlib heapq hmac html http.client http.server imaplib io itertools json
    logging logging.handlers lzma mailbox math mmap multiprocessing os pathlib pickle poplib queue random re sched secrets select selectors shelve shlex
    shutil signal smtplib socket socketserver sqlite3 ssl stat statistics string struct subprocess sys tarfile tempfile textwrap threading time traceback
    types typing unicodedata unittest urllib.error urllib.parse urllib.request uuid warnings wave weakref xml.etree.ElementTree zipfile zlib
""".split()


def warm(names):
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            pass  # whoever needs it will hear it


def _imported(text):
    """Standard modules that a module imports; only these may run outside of a forked child."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        else:
            continue
        for name in names:
            if name.split(".")[0] in sys.stdlib_module_names - {"antigravity", "this", "idlelib", "turtle"}:
                yield name


class Answers:
    """One child looks at the mutants of a module, one after the other, as long as nothing is left in it."""

    def __init__(self, beat):
        self.beat = beat
        self.warmed = set()
        self.child = None
        self.module = ""

    def answer(self, job):
        if job["module"] not in self.warmed:
            self.warmed.add(job["module"])
            warm(_imported(job["text"]))
            warm(_imported(job["driver"]))
        if job["kind"] == "clean":
            self.end()
            runtime.compile_ahead(job)
            return child.in_child(lambda: examine.clean_report(job), examine.broken, job["patience"], self.beat)
        if self.child is not None and self.module == job["module"] and job["effect"] in mutant.EXPECTED:
            said = self._ask(job)
            if said["outcome"] == mutant.EXPECTED[job["effect"]]:
                return said
        return self._of_new_child(job)  # what is no matter of course is looked at where nothing was before

    def _of_new_child(self, job):
        self.end()
        runtime.compile_ahead(job)
        self.child = child.Child(mutant.one_of_many, _mutant_broken)
        self.module = job["module"]
        return self._ask(job)

    def _ask(self, job):
        said = self.child.ask(job, job["patience"], self.beat)
        if not said.pop("spotless", False):
            self.end()
        return said

    def end(self):
        if self.child is not None:
            self.child.end()
            self.child = None


def _mutant_broken(reason):
    if reason == child.TIMEOUT:
        return mutant.answer("not-exercised", reason=reason)
    return mutant.broken(reason)


def _beat():
    """Says that work goes on; fails, and ends all, if nobody listens any more."""
    print(flush=True)


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks decides when to stop
    sys.path.pop(0)  # the harness itself is nobody else's library
    warm(COMMON)
    answers = Answers(_beat)
    try:
        for line in sys.stdin:
            print(json.dumps(answers.answer(json.loads(line))), flush=True)
    finally:
        answers.end()


if __name__ == "__main__":
    main()
