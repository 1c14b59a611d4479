"""Calls into procs/steprunner.py."""

import os
import socket
import tarfile

from procs import steprunner


def _step(name="hello", command=("/bin/echo", "hello"), inputs=("a.txt",)):
    return steprunner.BuildStep(name, list(command), inputs)


def _runner(box):
    box.write("a.txt", "an input")
    return steprunner.StepRunner(box.path())


def runs_and_skips(box):
    runner = _runner(box)
    for _ in range(2):
        runner.run(_step())
    runner.failures()
    runner.tail(_step())
    runner.collect(["hello.log", "a.txt"])
    steprunner.artifact_text(box.path("artifact.tar.gz"), "a.txt")


def step_fails(box):
    with box.raises(steprunner.StepFailed):
        _runner(box).run(_step(command=("/bin/false",)))
    with box.raises(steprunner.StepFailed):
        _runner(box).run(_step(command=("/bin/false",), inputs=()))


def command_is_missing(box):
    with box.raises(FileNotFoundError):
        _runner(box).run(_step(command=("./nowhere",)))


def asks_a_tool(box):
    steprunner.tool_version(["/bin/echo", "tool 1.2"])


def passes_tokens(box):
    _runner(box).tokens(3)
    with box.raises(RuntimeError), steprunner.job_pipe(b"+"):
        box.fail()


def takes_slots(box):
    first = steprunner.take_slot(box.path(), 1)
    try:
        os.close(steprunner.take_slot(box.path(), 2))
        with box.raises(steprunner.NoSlot):
            steprunner.take_slot(box.path(), 1)
    finally:
        os.close(first)


def listens_to_a_supervisor(box):
    runner = _runner(box)
    runner.await_supervisor("control")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as supervisor:

        def start():
            supervisor.connect("control")
            supervisor.sendall(b"stop\n")

        runner.await_supervisor("control", start)


def listens_to_everybody(box):
    with box.using(steprunner.listen_for_supervisor("control", private=False)):
        pass


def control_socket_is_there(box):
    box.write("control", "")
    with box.raises(steprunner.StepFailed):
        _runner(box).await_supervisor("control")


def table_fails_in_the_block(box):
    with box.raises(RuntimeError), steprunner.result_table(box.path("results.db")) as cursor:
        cursor.execute("SELECT 1")
        box.fail()


def artifacts_are_readable(box):
    with tarfile.open(box.path("other.tar"), "w") as other:
        other.add(box.write("a.txt", "text"), "a.txt")
    steprunner.artifact_text(box.path("other.tar"), "a.txt")


def expands_a_command(box):
    runner = _runner(box)
    runner.expanded(_step(), ["/bin/echo"])
    with box.raises(steprunner.StepFailed):
        runner.expanded(_step(), ["/bin/false"])
