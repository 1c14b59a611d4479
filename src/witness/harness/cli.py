"""`python3 cli.py CORPUS MODULE…`: runs drivers, with an exception at every call, and prints what stays open."""

import argparse
import os
import sys
import time

import examine


def _parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", help="folder with modules, drivers/ and stubs/")
    parser.add_argument("modules", nargs="*", help="paths below it; all that have a driver if none is given")
    parser.add_argument("--scenario", help="only this one")
    parser.add_argument("--time-limit", type=float, default=5.0, help="seconds for one run")
    return parser.parse_args(arguments)


def _with_drivers(corpus):
    top = os.path.join(corpus, "drivers")
    for folder, _, names in sorted(os.walk(top)):
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(folder, name), top)


def main(arguments=None):
    options = _parse(arguments)
    modules = options.modules or list(_with_drivers(options.corpus))
    good = True
    for path in modules:
        began = time.monotonic()
        report = examine.module_in_child(options.corpus, path, options.scenario, options.time_limit)
        good &= _show(path, report, time.monotonic() - began)
    return 0 if good else 1


def _show(path, report, seconds):
    print(f"{path}: {report['outcome']}, {len(report['scenarios'])} scenarios, {report['runs']} runs, {seconds:.1f} s")
    for line in report["lines"]:
        print("  " + line)
    return report["outcome"] == "clean"


if __name__ == "__main__":
    sys.exit(main())
