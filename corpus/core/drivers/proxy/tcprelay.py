"""Calls into proxy/tcprelay.py."""

import contextlib
import os
import socket
import threading

from proxy import tcprelay


def _echo(connection):
    while data := connection.recv(100):
        connection.sendall(data)


def _relay(box, address=("127.0.0.1", 1), allow="127.0.0.1", context=None):
    box.write("rules", f"say {address[0]} {address[1]}\n")
    box.write("allow", allow)
    relay = tcprelay.Relay(box.path(), context)
    relay.load()
    return relay


def _client(address, threads):
    def talk():
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=2) as sock:
            sock.sendall(b"say hello\n")
            sock.recv(100)
            sock.sendall(b"more")
            sock.recv(100)

    threads.append(threading.Thread(target=talk, daemon=True))
    threads[-1].start()


def _serve(relay, clients=1):
    threads = []
    try:
        relay.serve(clients=clients, ready=lambda address: [_client(address, threads) for _ in range(clients)])
    finally:
        for thread in threads:
            thread.join()


def relays(box):
    with box.serve(_echo) as address:
        relay = _relay(box, address)
        _serve(relay, 2)
        relay.traffic()
        relay.dissect(1, ["/bin/cat"])
        relay.pack([1, 2])
        tcprelay.packed_recording(box.path("0001.rec.bz2"))
        relay.state_file()


def checks(box):
    with box.serve(_echo) as address:
        _relay(box, address).check()
    with box.serve(lambda connection: connection.recv(100)) as address:
        _relay(box, address).check()


def keeps_strangers_out(box):
    _serve(_relay(box, allow="localhost"))


def no_rule_fits(box):
    relay = _relay(box)
    relay.rules.clear()
    with box.raises(tcprelay.NoUpstream):
        _serve(relay)


def upstream_is_silent(box):
    with box.serve(lambda connection: connection.recv(1) and connection.recv(100) and connection.recv(100)) as address:
        relay = _relay(box, address)
        relay.patience = 0.01
        with box.raises(tcprelay.RelayError):
            _serve(relay)


def rules_are_damaged(box):
    relay = _relay(box)
    box.write("rules", "say\n")
    with box.raises(tcprelay.RelayError):
        relay.load()


def takes_remote_rules(box):
    def web(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 16\r\n\r\nsay 127.0.0.1 9\n")

    with box.serve(web) as (host, port):
        relay = _relay(box)
        relay.load_remote(f"http://{host}:{port}/rules")
        os.unlink(box.path("rules"))
        os.mkdir(box.path("rules"))
        with box.raises(OSError):
            relay.load_remote(f"http://{host}:{port}/rules")


def reaches_over_tls(box):
    class Context:
        @staticmethod
        def wrap_socket(sock, server_hostname):
            return sock

    with box.serve(_echo) as address:
        with tcprelay.reach_upstream(address, Context):
            pass


def address_is_taken(box):
    with box.serve(_echo) as address:
        with box.raises(tcprelay.RelayError):
            tcprelay.listen(address)
    with box.raises(OverflowError):
        tcprelay.listen(("127.0.0.1", 1 << 16))


def log_is_moved(box):
    with box.using(tcprelay.AccessLog(box.path("access.log"))) as access:
        access.line("host", "say", 1, 2)
        os.rename(box.path("access.log"), box.path("access.1"))
        access.line("host", "say", 1, 2)
        access.close()
        access.reopen()
        access.reopen()


def log_is_there(box):
    with box.using(tcprelay.AccessLog(box.write("access.log", "# time host rule sent received\n"))) as access:
        access.line("host", "say", 1, 2)


def recording_cannot_be_read(box):
    relay = _relay(box)
    os.symlink("/proc/self/mem", box.path("0001.rec"))  # opens, and its first page cannot be read
    with box.raises(OSError):
        relay.pack([1])


def stops_replaying(box):
    with box.using(tcprelay.WireRecording(box.path("one"))) as recording:
        recording.block(0, b"text")
        recording.block(1, b"text")
    box.take(tcprelay.replayed(box.path("one")))


def blocks_fail(box):
    with box.raises(RuntimeError), tcprelay.counters(box.path("traffic.db")):
        box.fail()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        with box.raises(RuntimeError), tcprelay.accepted(listener):
            box.fail()
