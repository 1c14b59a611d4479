"""Holds the harness against modules whose answers are known. `python3 known_answers.py`, on any CPython from 3.10 on."""

import gc
import os
import sys
import tempfile
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../src/witness/harness"))
sys.dont_write_bytecode = True

import child  # noqa: E402
import examine  # noqa: E402
import mutant  # noqa: E402
import runtime  # noqa: E402
import surroundings  # noqa: E402


def job(text, driver, **more):
    return {"root": "/corpus", "module": "m.py", "text": text, "driver": driver, "stubs": "", "limit": 3.0, **more}


class Signals(unittest.TestCase):
    """Every function of signals.py leaks as its name says."""

    def test_each(self):
        gc.freeze()
        warnings.simplefilter("ignore")
        with tempfile.TemporaryDirectory() as top:
            surroundings.set_top(top)
            runtime.install()
            text = examine.read_text(os.path.join(HERE, "signals.py"))
            driver = examine.read_text(os.path.join(HERE, "drivers/signals.py"))
            subject = runtime.Subject(HERE, "signals.py", text, driver)
            names = subject.scenario_names()
            self.assertGreater(len(names), 50)
            for name in names:
                with self.subTest(name):
                    self.assertEqual(self.kind(subject, name), name.split("_")[0])

    def kind(self, subject, name):
        plain = runtime.run_scenario(subject, name)
        self.assertIsNone(plain.error)
        if plain.leaks:
            return "leaks"
        failing = examine.targets(plain.run.points)
        return "fails" if any(runtime.run_scenario(subject, name, *each).leaks for each in failing) else "clean"


class Memory(unittest.TestCase):
    """Thousands of runs share a process: each must be gone when the next begins."""

    def test_classes_of_earlier_runs_are_gone(self):
        text = "class C:\n    def __init__(self, p):\n        self.p = p\n\ndef f(p):\n    return open(C(p).p).close()\n"
        with tempfile.TemporaryDirectory() as top:
            surroundings.set_top(top)
            runtime.install()
            subject = runtime.Subject("/corpus", "m.py", text, DRIVER)
            for _ in range(5):
                self.assertIsNone(runtime.run_scenario(subject, "reads").error)
        gc.collect()
        alive = [each for each in gc.get_objects() if isinstance(each, type) and each.__qualname__ == "C" and each.__module__ == "m"]
        self.assertLessEqual(len(alive), 1)


DRIVER = "import m\n\ndef reads(box):\n    m.f(box.write('a', '12'))\n"


class Mutants(unittest.TestCase):
    """What is said of a label."""

    def check(self, text, label, outcome, pattern="never-released", effect="leak", driver=DRIVER, entered=None):
        start = text.encode().index(label.encode())
        asked = job(text, driver, start=start, end=start + len(label.encode()), pattern=pattern, effect=effect, entered=entered)
        said = child.in_child(lambda: mutant.mutant_report(asked), mutant.broken, 30)
        self.assertEqual(said["outcome"], outcome, said)
        return said

    def test_a_leak_at_the_label(self):
        said = self.check("# ä\ndef f(p):\n    g = open(p)\n    return g.read()\n", "open(p)", "leaks")
        self.assertEqual(said["place"], "reads: nothing is made to fail: file 'a', acquired at line 3")
        self.assertEqual(said["signals"], ["unreleased"])

    def test_a_leak_elsewhere_does_not_prove_the_label(self):
        text = "def f(p):\n    with open(p) as g:\n        return open(p, 'rb').read(), g.read()\n"
        said = self.check(text, "open(p)", "clean")
        self.assertIn("not what the label names", said["reason"])

    def test_a_leak_by_exception_needs_one_while_it_is_held(self):
        text = "def f(p):\n    g = open(p)\n    len(p)\n    g.close()\n"
        said = self.check(text.replace("    g.close()\n", "    try:\n        len(p)\n    finally:\n        g.close()\n"), "open(p)", "clean")
        self.assertEqual(said["reason"], "")
        text = "def f(p):\n    g = open(p)\n    g.read()\n    g.close()\n"
        self.check(text, "open(p)", "leaks", "release-skipped-on-exception")

    def test_what_was_never_acquired_is_not_exercised(self):
        text = "def f(p):\n    if not p:\n        return open(p)\n"
        self.assertEqual(self.check(text, "open(p)", "not-exercised")["reason"], "the acquisition did not run")

    def test_a_way_out_that_no_scenario_takes_is_not_exercised(self):
        text = "def f(p):\n    with open(p) as g:\n        if not g.read():\n            return 1\n        return 2\n"
        said = self.check(text, "open(p)", "not-exercised", "release-skipped-on-path")
        self.assertEqual(said["reason"], "exits not taken while it was held: lines 4")

    def test_an_owner_is_what_it_acquires_while_it_is_made(self):
        text = "class C:\n    def __init__(self, p):\n        self.g = open(p)\n\ndef f(p):\n    c = C(p)\n    c.g.read()\n"
        self.check(text, "C(p)", "leaks")

    def test_a_wrapper_comes_from_what_it_wraps(self):
        text = "import socket\ndef f(p):\n    s = socket.socket()\n    t = socket.socket(fileno=s.detach())\n"
        self.check(text, "socket.socket()", "leaks")

    def test_a_header_is_answered_by_anything_inside(self):
        text = "class C:\n    def __init__(self, p):\n        self.g = open(p)\n\ndef f(p):\n    C(p)\n"
        self.check(text, "class C:", "leaks")

    def test_only_scenarios_that_enter_the_definition_run(self):
        driver = DRIVER + "\ndef other(box):\n    m.g()\n"
        text = "def f(p):\n    open(p).read()\n\ndef g():\n    raise ValueError\n"
        self.check(text, "open(p)", "leaks", driver=driver, entered={"reads": ["f"], "other": ["g"]})

    def test_a_decoy_must_not_leak(self):
        text = "def f(p):\n    with open(p) as g:\n        return g.read()\n"
        self.check(text, "open(p)", "clean", effect="safe")

    def test_what_only_looks_like_an_acquisition_ran_where_its_definition_was_entered(self):
        text = "def f(p):\n    return len(p)\n\ndef g(p):\n    pass\n"
        self.check(text, "return", "clean", effect="safe", entered={"reads": ["f"]})
        self.check(text, "return", "not-exercised", effect="safe", entered={"reads": ["g"]})

    def test_a_cleanup_is_registered_without_fail(self):
        text = (
            "import unittest\n\nclass T(unittest.TestCase):\n    def runTest(self):\n        g = open(self.path)\n"
            "        self.addCleanup(g.close)\n        g.read()\n\ndef f(p):\n    t = T()\n    t.path = p\n    t.run()\n"
        )
        self.check(text, "open(self.path)", "clean", effect="safe")
        self.check(text.replace("self.addCleanup(g.close)", "pass"), "open(self.path)", "leaks", effect="safe")

    def test_a_decoy_that_leaks_only_while_its_user_works_is_found(self):
        driver = "import m\n\ndef reads(box):\n    m.use(box.write('a', '12'))\n\ndef again(box):\n    reads(box)\n"
        text = "def f(p):\n    g = open(p)\n    yield g\n    g.close()\n\ndef use(p):\n    for g in f(p):\n        open(p).close()\n"
        self.check(text, "open(p)", "leaks", effect="safe", driver=driver, entered={"reads": ["f"], "again": ["f"]})

    def test_a_scenario_that_raises_is_broken_with_its_error(self):
        said = self.check("def f(p):\n    with open(p):\n        1 / 0\n", "open(p)", "broken")
        self.assertIn("ZeroDivisionError", said["reason"])


class BadDrivers(unittest.TestCase):
    """Nothing that a driver does harms more than its own answer."""

    def said(self, driver, text="def f(p):\n    pass\n", patience=20):
        return child.in_child(lambda: examine.clean_report(job(text, driver)), examine.broken, patience)

    def check(self, body, outcome, words="", head="import m\n"):
        said = self.said(f"{head}\ndef reads(box):\n    {body}\n")
        self.assertEqual(said["outcome"], outcome, said)
        self.assertIn(words, "\n".join(said["lines"]))

    def test_syntax(self):
        self.check("(", "broken", "cannot be compiled: m.py line")

    def test_import(self):
        self.check("pass", "broken", "nowhere", head="import nowhere\n")

    def test_no_scenario(self):
        self.assertEqual(self.said("import m\n")["outcome"], "broken")

    def test_raises(self):
        self.check("1 / 0", "broken", "ZeroDivisionError")

    def test_exits(self):
        self.check("raise SystemExit(3)", "broken", "SystemExit")
        self.check("import os; os._exit(3)", "broken", "ended the interpreter")

    def test_prints(self):
        self.check("print('x' * 9_000_000)", "clean")

    def test_forks(self):
        self.check("import os; os.fork() or 1", "leaks", "child left")

    def test_hangs(self):
        self.check("while True: pass", "broken", "TimeLimit")
        said = self.said("import m\n\ndef reads(box):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n", patience=4)
        self.assertIn("timeout", said["lines"])

    def test_fills_its_folder(self):
        self.check("box.write('a', 'x' * 9_000_000)", "clean")

    def test_moves_away_and_changes_the_environment(self):
        self.check("import os; os.chdir('/'); os.environ.clear()", "clean")


if __name__ == "__main__":
    unittest.main()
