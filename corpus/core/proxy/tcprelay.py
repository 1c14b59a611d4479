"""A relay for TCP connections, with an allow list, an access log and recordings of what went by.

``Relay.serve`` takes clients one after the other: it is meant for debugging protocols, not for load. The
upstream is chosen by the first line that a client sends, as the rules say.
"""
import bz2
import json
import logging
import os
import select
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack, closing, contextmanager

log = logging.getLogger('tcprelay')

BLOCK = 8192
TABLES = (
    'CREATE TABLE IF NOT EXISTS traffic (host TEXT, sent INTEGER, received INTEGER)',
    'CREATE INDEX IF NOT EXISTS traffic_host ON traffic (host)',
)
RECORD = struct.Struct('>BdI')


class RelayError(Exception):
    '''The relay cannot do its work.'''


class NoUpstream(RelayError):
    '''No rule fits, or nobody answers.'''


def _rule_lines(path):
    with open(path, encoding='ascii') as rules:
        return rules.readlines()


def _allowed_hosts(path):
    with open(path, encoding='ascii') as hosts:
        return set(hosts.read().split())


def _first_answer(address, data):
    '''What an upstream says to one piece of data.'''
    with socket.create_connection(address, timeout=2) as sock:
        sock.sendall(data)
        return sock.recv(BLOCK)


def packed_recording(path):
    with bz2.open(path, 'rb') as recording:
        return recording.read()


def listen(address, backlog=8):
    '''A listening socket that a restarted relay can bind again.'''
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        for option in (socket.SO_REUSEADDR, socket.SO_KEEPALIVE):
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise RelayError('cannot listen on %s:%d: %s' % (address[0], address[1], error))
    except BaseException:
        sock.close()
        raise
    return sock


def reach_upstream(address, context=None):
    '''A connection to an upstream, over TLS if there is a context for it.'''
    sock = socket.create_connection(address, timeout=2)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            return context.wrap_socket(sock, server_hostname=address[0])
    except:
        sock.close()
        raise
    return sock


@contextmanager
def accepted(listener):
    '''The next client of a listener.'''
    client, peer = listener.accept()
    try:
        client.settimeout(2)
        yield client, peer[0]
    finally:
        client.close()


@contextmanager
def counters(path):
    '''The table of bytes per host; commits if all goes well.'''
    db = sqlite3.connect(path)
    try:
        for statement in TABLES:
            db.execute(statement)
        yield db
        db.commit()
    finally:
        db.close()


def replayed(path):
    '''(side, data) of all blocks in a recording.'''
    with open(path, 'rb') as recording:
        while len(header := recording.read(RECORD.size)) == RECORD.size:
            side, _, length = RECORD.unpack(header)
            yield side, recording.read(length)


class WireRecording:
    '''Blocks of one connection, each with its side and time.'''

    def __init__(self, path):
        self.blocks = 0
        self._out = open(path, 'wb')

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        self._out.close()

    def block(self, side, data):
        self._out.write(RECORD.pack(side, time.time(), len(data)) + data)
        self.blocks += 1


class AccessLog:
    '''One line for each connection; reopened when somebody has moved the file.'''

    def __init__(self, path):
        self.path = path
        self._out = open(path, 'a', encoding='ascii')
        try:
            if self._out.tell() == 0:
                self._out.write('# time host rule sent received\n')
            self._inode = os.fstat(self._out.fileno()).st_ino
        except BaseException:
            self._out.close()
            raise

    def close(self):
        if self._out is not None:
            self._out.close()
            self._out = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def reopen(self):
        if self._out is not None:
            self._out.close()
        self._out = open(self.path, 'a', encoding='ascii')
        self._inode = os.fstat(self._out.fileno()).st_ino

    def line(self, host, rule, sent, received):
        if not os.path.exists(self.path) or os.stat(self.path).st_ino != self._inode:
            self.reopen()
        self._out.write('%d %s %s %d %d\n' % (time.time(), host, rule, sent, received))
        self._out.flush()


class Relay:
    def __init__(self, folder, context=None, patience=2):
        self.folder = folder
        self.context = context
        self.patience = patience
        self.rules = []
        self.number = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def load(self):
        '''Read the rules, lines of ``prefix host port``.'''
        lines = _rule_lines(self.path('rules'))
        self.rules = []
        for line in lines:
            words = line.split()
            if len(words) != 3:
                raise RelayError('rule %r' % line)
            self.rules.append((words[0].encode('ascii'), (words[1], int(words[2]))))

    def load_remote(self, url):
        '''Take the rules from a server, and keep them.'''
        with urllib.request.urlopen(url, timeout=2) as reply:
            text = reply.read()
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, 'wb') as out:
                out.write(text)
            os.replace(draft, self.path('rules'))
        except BaseException:
            os.unlink(draft)
            raise
        self.load()

    def choose(self, line):
        for prefix, address in self.rules:
            if line.startswith(prefix):
                return prefix.decode('ascii'), address
        raise NoUpstream(line.decode('latin-1'))

    def check(self):
        '''Upstreams that do not answer a line.'''
        silent = []
        for prefix, address in self.rules:
            answer = _first_answer(address, prefix + b'\n')
            if not answer:
                silent.append(address)
        return silent

    def serve(self, address=('127.0.0.1', 0), clients=1, ready=None):
        '''Relay so many clients.'''
        allowed = _allowed_hosts(self.path('allow'))
        with ExitStack() as stack:
            listener = stack.enter_context(listen(address))
            access = stack.enter_context(AccessLog(self.path('access.log')))
            if ready is not None:
                ready(listener.getsockname())
            for _ in range(clients):
                with accepted(listener) as (client, host):
                    if host not in allowed:
                        access.line(host, '-', 0, 0)
                        continue
                    rule, sent, received = self.relay(client)
                access.line(host, rule, sent, received)
                self.count(host, sent, received)

    def relay(self, client):
        '''Carry the blocks of one client in both directions until either side ends.'''
        first = client.recv(BLOCK)
        rule, address = self.choose(first)
        self.number += 1
        total = [len(first), 0]
        with reach_upstream(address, self.context) as upstream, WireRecording(self.path('%04d.rec' % self.number)) as recording:
            upstream.sendall(first)
            recording.block(0, first)
            ends = [client, upstream]
            while True:
                ready, _, _ = select.select(ends, [], [], self.patience)
                if not ready:
                    raise RelayError('%s is silent' % rule)
                side = ends.index(ready[0])
                data = ready[0].recv(BLOCK)
                if not data:
                    return rule, total[0], total[1]
                ends[1 - side].sendall(data)
                recording.block(side, data)
                total[side] += len(data)

    def count(self, host, sent, received):
        with counters(self.path('traffic.db')) as db:
            db.execute('INSERT INTO traffic VALUES (?, ?, ?)', (host, sent, received))

    def traffic(self):
        '''Bytes sent and received by each host.'''
        total = {}
        with closing(sqlite3.connect(self.path('traffic.db'))) as db:
            for host, sent, received in db.execute('SELECT host, sum(sent), sum(received) FROM traffic GROUP BY host'):
                total[host] = (sent, received)
        return total

    def pack(self, numbers):
        '''Pack recordings; the plain ones go.'''
        for number in numbers:
            with open(self.path('%04d.rec' % number), 'rb') as plain:
                self._pack_one(plain, '%04d.rec.bz2' % number)

    def _pack_one(self, plain, name):
        packed = bz2.open(self.path(name), 'wb')
        whole = False
        try:
            while block := plain.read(BLOCK):
                packed.write(block)
            whole = True
        finally:
            if whole:
                packed.close()
                os.unlink(plain.name)
            else:
                packed.close()
                os.unlink(self.path(name))

    def dissect(self, number, command):
        '''What a dissector prints about what the client sent.'''
        sent = b''.join(data for side, data in self.blocks(number) if side == 0)
        proc = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, _ = proc.communicate(sent)
        return out.decode('utf-8', 'replace')

    def blocks(self, number):
        with closing(replayed(self.path('%04d.rec' % number))) as blocks:
            found = list(blocks)
        return found

    def state_file(self):
        '''Leave the number of the last recording for the next start.'''
        fd = os.open(self.path('number'), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(fd, b'%d\n' % self.number)
            os.fsync(fd)
        finally:
            os.close(fd)
        with open(self.path('clean-shutdown'), 'w'):
            pass
