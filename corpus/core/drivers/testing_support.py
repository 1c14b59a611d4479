"""Calls into testing_support.py."""

import contextlib
import gzip
import logging
import pickle
import socket
import warnings
import zipfile
from pathlib import Path

import testing_support


@contextlib.contextmanager
def _case(box, update=False):
    """A test case between its ``setUp`` and its clean-up."""

    class Case(testing_support.WorkspaceTestCase):
        data = Path(box.path())
        update_golden = update

        def runTest(self):
            pass

    case = Case()
    try:
        case.setUp()
        yield case
    finally:
        case.doCleanups()


def writes_and_loads_files(box):
    box.write("a.json", '{"a": 1}')
    box.write("b.gz", gzip.compress(pickle.dumps([1])))
    with _case(box) as case:
        case.write_files({"a.txt": "text", "b/c.gz": b"bytes"})
        case.load_fixture("a.json")
        case.load_fixture("b.gz")


def compares_with_golden_files(box):
    with _case(box, update=True) as case:
        case.assertGolden("a.txt", "one\n")
    with _case(box) as case:
        case.assertGolden("a.txt", "one\n")
        with box.raises(AssertionError):
            case.assertGolden("a.txt", "two\n")
        with box.raises(AssertionError):
            case.assertGolden("missing.txt", "two\n")


def checks_databases_and_archives(box):
    with zipfile.ZipFile(box.path("a.zip"), "w") as packed:
        packed.writestr("a.txt", "text")
    with _case(box) as case:
        path = case.make_database("CREATE TABLE t (n); INSERT INTO t VALUES (1);")
        case.assertRows(path, "SELECT n FROM t", (1,))
        case.assertZipHolds(Path(box.path("a.zip")), "a.txt")
        with box.raises(AssertionError):
            case.assertZipHolds(Path(box.path("a.zip")), "b.txt")


def database_script_is_broken(box):
    with _case(box) as case, box.raises(Exception):
        case.make_database("CREATE TABEL t;")


def serves_pages(box):
    with _case(box) as case:
        case.assertServes(b"hello")


def server_says_no(box):
    with _case(box) as case, box.using(testing_support.CannedServer(b"", "404 Not Found")) as server:
        with box.raises(AssertionError):
            case.fetch(server)
        server.close()


def watches_the_log(box):
    logger = logging.getLogger("driver")
    logger.propagate = False
    with _case(box) as case:
        case.assertLogged(logger, "hot", lambda: logger.error("too hot"))
        with box.raises(AssertionError):
            case.assertLogged(logger, "cold", lambda: logger.error("too hot"))
    with box.using(testing_support.CaptureFile(Path(box.path("log")))) as capture:
        capture.write("one\n")
        capture.matches("one")


def watches_the_output(box):
    with _case(box) as case:
        case.assertQuiet(lambda: None)
        with box.raises(AssertionError):
            case.assertQuiet(lambda: print("loud"))
        with box.raises(AssertionError):
            case.assertQuiet(lambda: warnings.warn("loud", stacklevel=1))


def finds_ports(box):
    testing_support.free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        testing_support.wait_for_port(server.getsockname()[1])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with box.raises(TimeoutError):
            testing_support.wait_for_port(closed.getsockname()[1], seconds=0.001)
