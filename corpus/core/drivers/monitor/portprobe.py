"""Calls into monitor/portprobe.py."""

import contextlib
import json
import socket
import threading
import time

from monitor import portprobe


def _prober(box, *targets, pager=("/bin/cat",)):
    box.write("targets", "\n".join("%s %s %d" % target for target in targets) + "\n\n")
    box.write("pager.json", json.dumps(pager))
    return portprobe.Prober(box.path())


def _smtp(connection):
    connection.sendall(b"220 relay\r\n")
    connection.recv(100)
    connection.sendall(b"221 bye\r\n")


def _web(status):
    def handle(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 %d\r\nContent-Length: 4\r\n\r\nfine" % status)

    return handle


@contextlib.contextmanager
def _name_server(answer=None):
    """Answers each datagram until an empty one comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def answers():
            while True:
                query, peer = sock.recvfrom(512)
                if not query:
                    break
                sock.sendto(query if answer is None else answer, peer)

        thread = threading.Thread(target=answers, daemon=True)
        thread.start()
        try:
            yield sock.getsockname()
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join()


def probes_a_mail_server(box):
    with box.serve(_smtp) as address:
        prober = _prober(box, ("smtp", *address), ("tcp", *address), ("banner", *address))
        prober.round()
        prober.open_ports("127.0.0.1", [address[1], 1])
        day = time.strftime("%Y-%m-%d")
        prober.slowest(day)
        prober.down()
        box.take(portprobe.samples_in(box.path(day + ".samples")))
        list(portprobe.samples_in(box.path(day + ".samples")))
        prober.pack([day])
        portprobe.samples_text(box.path(day + ".xz"))


def probes_others(box):
    with box.serve(_web(200)) as web, _name_server() as names:
        prober = _prober(box)
        prober.probe(portprobe.Target("http", *web))
        prober.probe(portprobe.Target("dns", *names))
        prober.share("http://%s:%d/" % web)


def services_fail(box):
    with box.serve(_web(500)) as web, _name_server(b"??") as names, box.serve(lambda connection: None) as silent:
        prober = _prober(box)
        for kind, address in (("http", web), ("dns", names), ("banner", silent), ("smtp", silent)):
            with box.raises(portprobe.ProbeError):
                prober.probe(portprobe.Target(kind, *address))


def nobody_listens(box):
    prober = _prober(box, ("tcp", "127.0.0.1", 1), pager=("/bin/false",))
    prober.round()
    prober.round()
    prober.acknowledge(prober.down())
    prober.heartbeat()
    with box.raises(OSError):
        portprobe.web_connection(portprobe.Target("http", "127.0.0.1", 1))


def day_ends(box):
    with box.using(portprobe.SampleLog(box.path(), "one")) as samples:
        samples.open()
        samples.add(portprobe.Target("tcp", "host", 1), 0.1)
        samples.next_day("two")
    with box.using(portprobe.SampleLog(box.path(), "two")) as samples:
        samples.next_day("three")
        samples.next_day("five")
    box.write("four.samples", "half")
    with box.using(portprobe.SampleLog(box.path(), "four")) as samples:
        samples.open()


def block_fails(box):
    with box.raises(RuntimeError), portprobe.state_table(box.path("states.db")):
        box.fail()
