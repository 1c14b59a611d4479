"""Holds the harness against modules whose answers are known. `python3 known_answers.py`, on any CPython from 3.10 on."""

import gc
import os
import sys
import tempfile
import threading
import time
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../src/witness/harness"))
sys.dont_write_bytecode = True

import child  # noqa: E402
import examine  # noqa: E402
import mutant  # noqa: E402
import runtime  # noqa: E402
import stuck  # noqa: E402
import surroundings  # noqa: E402
import worker  # noqa: E402


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


MUTANT = mutant
DRIVER = "import m\n\ndef reads(box):\n    m.f(box.write('a', '12'))\n"


class Answers:
    """What is said of a label."""

    def check(self, text, label, outcome, pattern="never-released", effect="leak", driver=DRIVER, entered=None):
        start = text.encode().index(label.encode())
        asked = job(text, driver, start=start, end=start + len(label.encode()), pattern=pattern, effect=effect, entered=entered)
        said = child.in_child(lambda: mutant.mutant_report(asked), mutant.broken, 30)
        self.assertEqual(said["outcome"], outcome, said)
        return said


class Mutants(Answers, unittest.TestCase):
    """Handles."""

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


class StateMutants(Answers, unittest.TestCase):
    """What is left is not a handle."""

    def check_lock(self, body, label, outcome, effect="leak"):
        text = "import os, threading\nL = threading.Lock()\n\ndef f(p):\n" + "".join(f"    {line}\n" for line in body.split("|"))
        return self.check(text, label, outcome, "lock-not-released", effect)

    def test_a_lock_is_held(self):
        said = self.check_lock("L.acquire()|os.stat(p)", "L.acquire()", "leaks")
        self.assertEqual((said["signals"], said["place"]), (["lock"], "reads: nothing is made to fail: lock, held, acquired at line 5"))
        self.check_lock("L.acquire()|os.stat(p)|L.release()", "L.acquire()", "leaks")
        self.check_lock("L.acquire()|try:|    os.stat(p)|finally:|    L.release()", "L.acquire()", "clean", "safe")

    def test_another_acquire_of_the_lock_is_not_the_labels(self):
        body = "L.acquire()|try:|    os.stat(p)|finally:|    L.release()|L.acquire(True)|os.stat(p)|L.release()"
        self.check_lock(body, "L.acquire()", "clean")
        self.check_lock(body, "L.acquire(True)", "leaks")

    def test_the_lock_alone_is_a_label(self):
        self.assertIn("acquired at line 5", self.check_lock("L.acquire()|os.stat(p)", "L.", "leaks")["place"])
        self.check_lock("L.acquire()|try:|    os.stat(p)|finally:|    L.release()", "L.", "clean", "safe")

    def test_a_lock_is_held_by_a_thread(self):
        text = "import os, threading\nL = threading.RLock()\n\ndef g():\n    L.acquire()\n\ndef f(p):\n    t = threading.Thread(target=g)\n    t.start()\n    t.join()\n"
        self.check(text, "L.acquire()", "leaks", "lock-not-released")

    def test_where_nothing_can_fail_nothing_is_refuted(self):
        self.check_lock("L.acquire()|len(p)|L.release()", "L.acquire()", "not-exercised")

    def test_who_waits_for_the_lock_does_not_wait_long(self):
        began = time.monotonic()
        self.check_lock("L.acquire()|os.stat(p)|with L:|    pass", "L.acquire()", "leaks")
        self.assertLess(time.monotonic() - began, 2.5)

    def test_a_temporary_file_is_left_wherever_it_was_made(self):
        text = "import os, tempfile\n\ndef f(p):\n    n, t = tempfile.mkstemp(dir=os.path.dirname(p))\n    os.close(n)\n    os.stat(p)\n    os.unlink(t)\n"
        label = "tempfile.mkstemp(dir=os.path.dirname(p))"
        said = self.check(text, label, "leaks", "temp-left-behind")
        self.assertEqual(said["signals"], ["temp-file"])
        safe = text.replace("    os.close(n)\n    os.stat(p)\n    os.unlink(t)", "    try:\n        os.close(n)\n        os.stat(p)\n    finally:\n        os.unlink(t)")
        self.check(safe, label, "clean", "temp-left-behind", "safe")

    def test_a_child_is_not_waited_for(self):
        text = "import subprocess\n\ndef f(p):\n    c = subprocess.Popen(['/bin/true'])\n    c.pid\n"
        self.check(text, "subprocess.Popen(['/bin/true'])", "leaks", "child-not-reaped")
        self.check(text.replace("c.pid", "c.wait()"), "subprocess.Popen(['/bin/true'])", "clean", "child-not-reaped", "safe")

    def test_a_fork_is_not_waited_for(self):
        text = "import os\n\ndef f(p):\n    child = os.fork()\n    if not child:\n        os._exit(0)\n"
        self.check(text, "os.fork()", "leaks", "child-not-reaped")

    def test_a_thread_that_does_not_stop_is_a_leak_by_hanging(self):
        text = (
            "import threading, time\n\nclass C:\n    def __init__(self):\n        self.stop = threading.Event()\n"
            "        self.t = threading.Thread(target=self.run, daemon=True)\n        self.t.start()\n    def run(self):\n"
            "        while not self.stop.is_set():\n            time.sleep(0.01)\n    def close(self):\n        self.stop.set()\n        self.t.join()\n"
        )
        driver = "import m\n\ndef reads(box):\n    with box.using(m.C()):\n        pass\n"
        label = "threading.Thread(target=self.run, daemon=True)"
        self.check(text, label, "clean", "thread-not-joined", "safe", driver=driver)
        looped = text.replace("while not self.stop.is_set()", "while True")
        # An interrupted `join` marks the thread as ended before Python 3.13.
        self.assertIn(self.check(looped, label, "leaks", "thread-not-joined", driver=driver)["signals"], (["hang"], ["unreleased"]))
        self.check(text.replace("        self.t.join()\n", "").replace("self.stop.set()", "pass"), label, "leaks", "thread-not-joined", driver=driver)

    def check_async(self, text, label, outcome, pattern, effect="leak"):
        driver = "import m\n\nasync def reads(box):\n    await m.f(box.write('a', '1\\n2\\n'))\n"
        return self.check("import asyncio, contextlib\n" + text, label, outcome, pattern, effect, driver)

    def test_a_task_is_lost(self):
        text = "async def g():\n    await asyncio.sleep(9)\n\nasync def f(p):\n    asyncio.create_task(g())\n    await asyncio.sleep(0)\n"
        self.check_async(text, "asyncio.create_task(g())", "leaks", "dangling-task")

    def test_the_error_of_a_task_is_lost(self):
        text = "async def g(p):\n    open(p + 'x')\n\nasync def f(p):\n    asyncio.create_task(g(p))\n    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n"
        said = self.check_async(text, "asyncio.create_task(g(p))", "leaks", "dangling-task")
        self.assertIn("error lost", said["place"])
        kept = text.replace("    asyncio.create_task", "    task = asyncio.create_task") + "    with contextlib.suppress(OSError):\n        await task\n"
        self.check_async(kept, "asyncio.create_task(g(p))", "clean", "dangling-task", "safe")

    def test_a_close_is_never_awaited(self):
        text = "class S:\n    async def close(self):\n        await asyncio.sleep(0)\n\nasync def f(p):\n    s = S()\n    s.close()\n"
        said = self.check_async(text, "s.close()", "leaks", "async-resource-not-closed")
        self.assertEqual(said["signals"], ["coroutine"])
        later = text.replace("    s.close()", "    c = s.close()\n    await c")
        self.check_async(later, "s.close()", "clean", "async-resource-not-closed", "safe")

    def test_an_async_generator_is_not_closed(self):
        text = "async def g(p):\n    with open(p) as lines:\n        for line in lines:\n            yield line\n\nasync def f(p):\n    lines = g(p)\n    async for _ in lines:\n        break\n"
        self.assertIn("async-generator", self.check_async(text, "g(p)\n    async", "leaks", "async-resource-not-closed")["signals"])
        self.check_async(text + "    await lines.aclose()\n", "g(p)\n    async", "clean", "async-resource-not-closed", "safe")


class Compared:
    """What the mutant does and the clean module does not."""

    def check(self, clean, mutant, label, outcome, pattern, witness, effect="leak", driver=DRIVER):
        start = mutant.encode().index(label.encode())
        more = {"start": start, "end": start + len(label.encode()), "pattern": pattern, "effect": effect}
        asked = job(mutant, driver, original=clean, witness=witness, **more)
        said = child.in_child(lambda: MUTANT.mutant_report(asked), MUTANT.broken, 30)
        self.assertEqual(said["outcome"], outcome, said)
        return said


class Fragile(Compared, unittest.TestCase):
    """Releases that raise, or come twice."""

    DRIVER = "import m\n\ndef reads(box):\n    with box.using(m.C(box.write('a', '12'))) as c:\n        c.f\n"
    TWO = "import contextlib\n\nclass C:\n    def __init__(self, p):\n        with contextlib.ExitStack() as stack:\n            self.f = stack.enter_context(open(p))\n            self.g = stack.enter_context(open(p, 'rb'))\n            stack.pop_all()\n"
    NESTED = "    def close(self):\n        try:\n            self.f.close()\n        finally:\n            self.g.close()\n"
    PLAIN = "    def close(self):\n        self.f.close()\n        self.g.close()\n"

    def test_a_release_that_raises_keeps_the_next_from_running(self):
        label = "open(p, 'rb')"
        said = self.check(self.TWO + self.NESTED, self.TWO + self.PLAIN, label, "leaks", "fragile-release", "state", driver=self.DRIVER)
        self.assertIn("`self.f.close()` raises", said["place"])
        self.check(self.TWO + self.NESTED, self.TWO + self.NESTED + "\n", label, "clean", "fragile-release", "state", "safe", self.DRIVER)

    DESCRIPTOR = (
        "import os\n\nclass C:\n    def __init__(self, p):\n        self.f = os.open(p, os.O_RDONLY)\n    def close(self):\n"
        "        if self.f is not None:\n            number, self.f = self.f, None\n            os.close(number)\n"
    )

    def test_a_second_release_closes_a_file_of_someone_else(self):
        label = "os.open(p, os.O_RDONLY)"
        twice = self.DESCRIPTOR.replace("number, self.f = self.f, None", "number = self.f")
        said = self.check(self.DESCRIPTOR, twice, label, "leaks", "fragile-release", "state", driver=self.DRIVER)
        self.assertIn("reused-descriptor", said["signals"])
        self.check(self.DESCRIPTOR, self.DESCRIPTOR + "\n", label, "clean", "fragile-release", "state", "safe", self.DRIVER)
        self.check(twice, twice + "\n", label, "clean", "fragile-release", "state", "safe", self.DRIVER)


class Recurring(Compared, unittest.TestCase):
    """Many rounds."""

    PARENT = "import weakref\n\nclass Node:\n    def __init__(self, parent):\n        self.parent = weakref.ref(parent)\n\nclass Tree:\n    def __init__(self):\n        self.node = Node(self)\n\ndef f(p):\n    Tree()\n"

    def test_a_cycle_is_left_to_the_collector(self):
        said = self.check(self.PARENT, self.PARENT.replace("weakref.ref(parent)", "parent"), "Node(self)", "leaks", "reference-cycle", "garbage")
        self.assertEqual(said["signals"], ["garbage"])
        self.assertEqual(said["place"], "reads: 3 rounds leave 3 m.Node to the collector (0 in the clean module)")
        proxy = self.PARENT.replace("weakref.ref(", "weakref.proxy(")
        self.check(self.PARENT, proxy, "Node(self)", "clean", "reference-cycle", "garbage", "safe")

    def test_a_cycle_that_was_there_before_is_no_news(self):
        cyclic = self.PARENT.replace("weakref.ref(parent)", "parent")
        self.check(cyclic, cyclic + "\n", "Node(self)", "clean", "reference-cycle", "garbage")

    def test_what_closures_hold_is_seen(self):
        clean = "class C:\n    def __init__(self):\n        self.on = self.start\n    @staticmethod\n    def start():\n        pass\n\ndef f(p):\n    C()\n"
        closure = clean.replace("self.on = self.start", "self.on = lambda: self.start()")
        self.check(clean, closure, "C()", "leaks", "reference-cycle", "garbage")

    def test_a_list_that_holds_itself(self):
        clean = "def f(p):\n    xs = [p]\n    xs.append(xs[:])\n"
        self.check(clean, clean.replace("xs[:]", "xs"), "xs.append(xs)", "leaks", "reference-cycle", "garbage")

    def test_what_hangs_on_a_cycle_of_the_clean_module_is_no_news(self):
        clean = "class C:\n    def __init__(self):\n        self.me = self\n        self.more = 1\n\ndef f(p):\n    C()\n"
        self.check(clean, clean.replace("= 1", "= ValueError([[], []])"), "C()", "clean", "reference-cycle", "garbage")

    KEPT = "class C:\n    def __init__(self, p):\n        self.error = None\n        try:\n            open(p).close()\n        except OSError as e:\n            self.error = str(e)\n\ndef f(p):\n    C(p)\n"

    def test_an_exception_is_kept(self):
        kept = self.KEPT.replace("str(e)", "e")
        missing = "import m\n\ndef reads(box):\n    m.f(box.path('none'))\n"
        said = self.check(self.KEPT, kept, "C(p)", "leaks", "reference-cycle", "garbage", driver=missing)
        self.assertIn("to the collector", said["place"])
        said = self.check(self.KEPT, kept, "def __init__(self, p):", "leaks", "reference-cycle", "garbage")
        self.assertIn("raises OSError", said["place"])
        bare = self.KEPT.replace("str(e)", "e.with_traceback(None)")
        self.check(self.KEPT, bare, "def __init__(self, p):", "clean", "reference-cycle", "garbage", "safe")

    def test_a_handler_that_nothing_enters_refutes_nobody(self):
        rare = self.KEPT.replace("OSError", "RecursionError")
        said = self.check(rare, rare.replace("str(e)", "e"), "def __init__(self, p):", "not-exercised", "reference-cycle", "garbage")
        self.assertEqual(said["reason"], "changed lines that did not run: 7")

    DEQUE = "import collections\n\nclass C:\n    def __init__(self):\n        self.last = collections.deque(maxlen=4)\n    def add(self, x):\n        self.last.append(x)\n"
    MANY = "import m\n\ndef adds(box):\n    c = m.C()\n    for number in box.rounds(6):\n        c.add(str(number))\n"

    def test_a_collection_grows(self):
        grown = self.DEQUE.replace("maxlen=4", "")
        said = self.check(self.DEQUE, grown, "collections.deque()", "leaks", "unbounded-collection", "growth", driver=self.MANY)
        self.assertEqual(said["signals"], ["growth"])
        self.assertEqual(said["place"], "adds: box.rounds, 6 rounds add 6 items of collections.deque (0 in the clean module)")
        other = self.DEQUE.replace("maxlen=4", "(), 4")
        self.check(self.DEQUE, other, "collections.deque((), 4)", "clean", "unbounded-collection", "growth", "safe", self.MANY)

    def test_a_false_label_of_growth_is_refuted_by_a_driver_that_passes_the_bound(self):
        wrong = self.DEQUE.replace("maxlen=4", "maxlen=5")
        self.check(self.DEQUE, wrong, "collections.deque(maxlen=5)", "clean", "unbounded-collection", "growth", driver=self.MANY)
        short = self.MANY.replace("box.rounds(6)", "range(3)")
        said = self.check(self.DEQUE, wrong, "collections.deque(maxlen=5)", "not-exercised", "unbounded-collection", "growth", driver=short)
        self.assertIn("box.rounds", said["reason"])

    def test_what_a_library_remembers_is_the_same_for_both(self):
        clean = "import re\n\ndef f(n):\n    re.compile('a' * n)\n    return []\n"
        driver = "import m\n\ndef compiles(box):\n    for number in box.rounds(6):\n        m.f(number)\n"
        self.check(clean, clean + "\n", "[]", "clean", "unbounded-collection", "growth", "safe", driver)

    def test_a_module_grows_from_one_scenario_to_the_next(self):
        clean = "SEEN = {}\n\ndef f(p):\n    seen = {}\n    seen[p] = 1\n"
        self.check(clean, clean.replace("    seen = {}\n    seen", "    SEEN"), "{}", "leaks", "unbounded-collection", "growth")

    def test_an_iterator_of_text_is_no_growth(self):
        clean = "def f(p):\n    return [p] * 3\n"
        self.check(clean, clean + "\n", "[p] * 3", "not-exercised", "unbounded-collection", "growth")

    CACHED = "import functools\n\nclass C:\n    @functools.cached_property\n    def m(self):\n        return 1\n\ndef f(p):\n    C().m\n"

    def test_a_cache_on_a_method_keeps_its_owners(self):
        cached = self.CACHED.replace("cached_property", "lru_cache(maxsize=None)").replace("C().m", "C().m()")
        said = self.check(self.CACHED, cached, "def m(self):", "leaks", "unbounded-cache", "growth")
        self.assertEqual(said["place"], "reads: 3 rounds add 3 m.C (0 in the clean module)")

    def test_a_cache_of_unlimited_size(self):
        clean = "import functools\n\n@functools.lru_cache(maxsize=4)\ndef g(n):\n    return n\n"
        driver = "import m\n\ndef asks(box):\n    for number in box.rounds(6):\n        m.g(number)\n"
        self.check(clean, clean.replace("=4", "=None"), "def g(n):", "leaks", "unbounded-cache", "growth", driver=driver)
        self.check(clean, clean.replace("=4", "=5"), "def g(n):", "clean", "unbounded-cache", "growth", "safe", driver)

    HANDLER = "import logging\nL = logging.getLogger('m')\n\ndef f(p):\n    handler = logging.NullHandler()\n    L.addHandler(handler)\n    L.removeHandler(handler)\n"

    def test_a_handler_stays(self):
        said = self.check(self.HANDLER, self.HANDLER.replace("    L.removeHandler(handler)\n", ""), "L.addHandler(handler)", "leaks", "registration-never-removed", "growth")
        self.assertEqual(said["signals"], ["growth"])
        self.check(self.HANDLER, self.HANDLER.replace("L.remove", "    L.remove").replace("    L.add", "    try:\n        L.add").replace("        L.remove", "    finally:\n        L.remove"), "L.addHandler(handler)", "clean", "registration-never-removed", "growth", "safe")

    def test_an_atexit_callback_stays(self):
        clean = "import atexit\n\ndef g():\n    pass\n\ndef f(p):\n    atexit.register(g)\n    atexit.unregister(g)\n"
        self.check(clean, clean.replace("    atexit.unregister(g)\n", ""), "atexit.register(g)", "leaks", "registration-never-removed", "growth")

    def test_a_finalizer_pins_its_owner(self):
        clean = "import weakref\n\nclass C:\n    def __init__(self):\n        weakref.finalize(self, print)\n    def close(self):\n        pass\n\ndef f(p):\n    C()\n"
        said = self.check(clean, clean.replace("print", "self.close"), "weakref.finalize(self, self.close)", "leaks", "finalizer-cleanup", "growth")
        self.assertEqual(said["signals"], ["growth"])

    def test_rounds_of_a_coroutine(self):
        clean = "SEEN = []\n\nasync def f(p):\n    [].append(p)\n"
        driver = "import m\n\nasync def reads(box):\n    for number in box.rounds(3):\n        await m.f(number)\n"
        self.check(clean, clean.replace("[].append", "SEEN.append"), "SEEN.append(p)", "leaks", "unbounded-collection", "growth", driver=driver)

    def test_what_cannot_be_repeated_is_not_exercised(self):
        clean = "DONE = []\n\ndef f(p):\n    assert not DONE\n    DONE.append(1)\n"
        said = self.check(clean, clean + "\n", "DONE.append(1)", "not-exercised", "unbounded-collection", "growth")
        self.assertIn("cannot be repeated", said["reason"])


class BadDrivers(unittest.TestCase):
    """Nothing that a driver does harms more than its own answer."""

    def said(self, driver, text="def f(p):\n    pass\n", patience=20, **more):
        return child.in_child(lambda: examine.clean_report(job(text, driver, **more)), examine.broken, patience)

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

    STUCK = "    lock = threading.Lock()\n    lock.acquire()\n"

    def test_what_waits_for_ever_is_not_waited_for(self):
        if stuck.waiting(os.getpid(), apart=threading.get_native_id()) is None:
            self.skipTest("this system does not tell what threads wait for")
        began = time.monotonic()
        for body in ("    lock.acquire()\n", "    t = threading.Thread(target=lock.acquire, daemon=True)\n    t.start()\n    t.join()\n"):
            said = self.said("import m, threading\n\ndef reads(box):\n" + self.STUCK + body, limit=30.0)
            self.assertIn("TimeLimit", said["lines"][0])
        self.assertLess(time.monotonic() - began, 10)

    def test_what_has_a_clock_is_waited_for(self):
        for body in (
            "    lock.acquire(timeout=0.5)\n",
            "    threading.Timer(0.5, lock.release).start()\n    lock.acquire()\n",
            "    box.write('x', '')\n    subprocess.run(['sleep', '0.5'])\n",
            "    signal.signal(signal.SIGALRM, lambda *_: lock.release())\n    signal.setitimer(signal.ITIMER_REAL, 0.5)\n    lock.acquire()\n",
            "    a, b = socket.socketpair()\n    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 500000))\n"
            "    with a, b, contextlib.suppress(BlockingIOError):\n        a.recv(1)\n",
        ):
            with self.subTest(body):
                said = self.said("import contextlib, m, signal, socket, struct, subprocess, threading\n\ndef reads(box):\n" + self.STUCK + body)
                self.assertEqual(said["outcome"], "clean", said)

    def test_hangs_where_a_call_fails(self):
        text = "def f(p):\n    try:\n        open(p).close()\n    except RuntimeError:\n        while True: pass\n"
        said = self.said("import m\n\ndef reads(box):\n    m.f(box.write('a', ''))\n", text)
        self.assertEqual(said["outcome"], "broken")
        self.assertIn("HANGS", said["lines"][0])

    def test_fills_its_folder(self):
        self.check("box.write('a', 'x' * 9_000_000)", "clean")

    def test_moves_away_and_changes_the_environment(self):
        self.check("import os; os.chdir('/'); os.environ.clear()", "clean")


class ManyMutants(unittest.TestCase):
    """One child looks at several, and none is judged by what an earlier one has left."""

    TIDY = "def f(p):\n    with open(p) as g:\n        return g.read()\n"

    def setUp(self):
        self.answers = worker.Answers(lambda: None)
        self.addCleanup(self.answers.end)

    def said(self, text, effect):
        start = text.rindex("open(p)")
        more = {"kind": "mutant", "pattern": "never-released", "effect": effect, "start": start, "end": start + 7, "patience": 20}
        return self.answers.answer(job(text, DRIVER, **more))["outcome"]

    def test_a_child_is_used_until_something_is_left_in_it(self):
        self.assertEqual(self.said(self.TIDY, "safe"), "clean")
        first = self.answers.child.process
        self.assertEqual(self.said(self.TIDY + "\n", "safe"), "clean")
        self.assertEqual(self.answers.child.process, first)
        self.assertEqual(self.said("def f(p):\n    return open(p).read()\n", "leak"), "leaks")
        self.assertEqual(self.answers.child.process, first)

    def test_what_a_used_child_says_against_the_label_is_asked_again(self):
        for harm in ("open(p).read()", "os._exit(3)"):
            self.assertEqual(self.said("import sys\nsys.seen = 1\n" + self.TIDY, "safe"), "clean")
            harmed = self.TIDY.replace("    with", f"    if hasattr(sys, 'seen'):\n        {harm}\n    with")
            self.assertEqual(self.said("import os, sys\n" + harmed, "safe"), "clean")

    def test_what_contradicts_its_label_does_so_in_a_new_child(self):
        self.said(self.TIDY, "safe")
        self.assertEqual(self.said("def f(p):\n    return open(p).read()\n", "safe"), "leaks")
        self.assertEqual(self.said("import os\n\ndef f(p):\n    open(p)\n    os._exit(3)\n", "leak"), "broken")


if __name__ == "__main__":
    unittest.main()
