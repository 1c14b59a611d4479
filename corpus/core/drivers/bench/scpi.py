"""Calls into bench/scpi.py."""

import os
import socket
import sys

from bench import scpi


def _instrument(connection):
    """Answers as a multimeter would; the third point of a sweep has no signal."""
    buffered = connection.makefile("rb")
    for line in buffered:
        command = line.strip()
        if command == b"*IDN?":
            connection.sendall(b"ACME,DMM1,0,1.0\n")
        elif command.endswith(b",2"):
            connection.sendall(b"nan\n")
        elif command.startswith(b"MEAS? bad"):
            connection.sendall(b"ERR 7\n")
        elif command.startswith(b"hello"):
            connection.sendall(b"world\n")
        else:
            connection.sendall(b"%d.5\n" % len(command))
    buffered.close()


def _deaf(connection):
    connection.recv(64)


def records_a_run(box):
    with box.serve(_instrument) as address:
        scpi.record(address, str(box.path()), ["1", "2"], points=4)


def records_with_a_comment(box):
    tool = [sys.executable, "-S", "-E", "-c", "import sys; sys.stdin.read(); print('fine')"]
    with box.serve(_instrument) as address:
        scpi.record(address, str(box.path()), ["1"], points=2, tool=tool)


def refuses_a_folder_in_use(box):
    box.write("run.lock", "1\n")
    with box.serve(_instrument) as address, box.raises(FileExistsError):
        scpi.record(address, str(box.path()), ["1"])


def stops_at_an_error_of_the_instrument(box):
    with box.serve(_instrument) as address, box.raises(scpi.InstrumentError):
        scpi.record(address, str(box.path()), ["bad"], points=1)


def gets_no_identity(box):
    with box.serve(_deaf) as address, box.raises(scpi.InstrumentError):
        scpi.ScpiLink(address).connect()


def connects_again(box):
    with box.serve(_instrument) as address, box.using(scpi.ScpiLink(address)) as link:
        link.reconnect()
        link.reconnect()
        link.ask("MEAS? 1,1")


def looks_at_what_was_recorded(box):
    with box.serve(_instrument) as address, box.using(scpi.ScpiLink(address)) as link:
        link.connect()
        run = scpi.Run(str(box.path()), link)
        run.sweep("1", 4)
        run.sweep("22", 4)
        list(run.values(0))
        box.take(run.values(1), 1)
        run.peak(0)
        run.peak(1, above=0.0)
        calibration = scpi.read_calibration(box.write("offsets", "0 0.25\n1 0.5\n"))
        run.merge("all.csv", calibration)
        run.merge("plain.csv")


def probes(box):
    with box.serve(_instrument) as address:
        scpi.probe(address)
        scpi.probe(address, b"hello")


def waits_for_a_trigger(box):
    with scpi.listen_for_triggers() as listener, scpi.trigger_pipe() as (reader, writer):
        with socket.create_connection(listener.getsockname()):
            scpi.wait_for_trigger(listener, reader)
        os.write(writer, b"x")
        scpi.wait_for_trigger(listener, reader)


def writes_a_trace(box):
    with scpi.opened_trace(box.path("t.gz")) as rows:
        rows.writerow([1, 2])
    with box.raises(Exception), scpi.opened_trace(box.path("u.gz")) as rows:
        box.fail()
