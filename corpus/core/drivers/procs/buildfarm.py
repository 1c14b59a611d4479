"""Calls into procs/buildfarm.py."""

import tarfile

from procs import buildfarm

FINE, BAD = ["/bin/true"], ["/bin/false"]


def builds(box):
    buildfarm.build([buildfarm.Step("a", FINE), buildfarm.Step("b", FINE, ["a"])], box.path())


def a_step_fails(box):
    with box.raises(buildfarm.StepFailed):
        buildfarm.build([buildfarm.Step("a", BAD)], box.path(), 1)


def plans(box):
    with box.raises(buildfarm.PlanError):
        buildfarm.Plan([buildfarm.Step("a", FINE, ["b"])])
    with box.raises(buildfarm.PlanError):
        buildfarm.Plan([buildfarm.Step("a", FINE, ["a"])]).layers()


def is_idle(box):
    with box.using(buildfarm.Journal(box.path("journal"))) as journal:
        farm = buildfarm.Farm(journal)
        farm.wait_idle(0.01)
        farm.running()
        buildfarm.summary(journal, ["a"])


def keeps_a_journal(box):
    with box.using(buildfarm.Journal(box.path("journal"))) as journal:
        for number in box.rounds(16):
            journal.note("step %d" % number)
            journal.last()


def beats(box):
    with box.using(buildfarm.Heartbeat(box.write("alive", ""))) as heart:
        heart.start()


def never_beats(box):
    with box.using(buildfarm.Heartbeat(box.path("alive"))):
        pass


def notifies(box):
    with box.using(buildfarm.Notifier(FINE)) as notifier:
        notifier.tell("done")


def notifies_in_vain(box):
    with box.using(buildfarm.Notifier([box.path("nothing")])) as notifier:
        notifier.tell("done")


def asks_tools(box):
    buildfarm.clean(box.path())
    buildfarm.sync()
    buildfarm.tool_version(["/bin/echo"])


def unpacks(box):
    box.write("tree/a", "a")
    with tarfile.open(box.path("tree.tar"), "w") as archive:
        archive.add(box.path("tree"), "tree")
    buildfarm.unpack(box.path("tree.tar"), box.path("target"))


def goes_on(box):
    for _ in box.rounds(3):
        with buildfarm.ignoring_hangup():
            with buildfarm.step_log(box.path("log")):
                pass
