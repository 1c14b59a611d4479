'''Outgoing mail of a machine that is not always on line.

Programs drop messages into ``new``; the flusher hands them to a relay, and moves them to ``sent`` or to
``failed``. A journal tells what became of each, and a small table in SQLite keeps recipients that bounce
from being tried again and again.
'''

import bz2
import contextlib
import email
import fcntl
import json
import os
import smtplib
import socket
import sqlite3
import subprocess
import tempfile
import time

LIMIT = 1 << 20
TABLES = (
    'CREATE TABLE IF NOT EXISTS bounce (recipient TEXT PRIMARY KEY, times INTEGER)',
    'CREATE INDEX IF NOT EXISTS bounce_times ON bounce (times)',
)


class OutboxError(Exception):
    pass


class RelayRefused(OutboxError):
    '''The relay does not want to talk to us.'''

    def __init__(self, code):
        OutboxError.__init__(self, 'the relay answered %d' % code)
        self.code = code


def _relay_settings(path):
    with open(path) as settings:
        return json.load(settings)


def _signature_of(folder):
    with open(os.path.join(folder, 'signature'), encoding='utf-8') as text:
        return text.read()


def _relay_banner(host, port):
    '''What a relay says first.'''
    with socket.create_connection((host, port), timeout=3) as sock:
        return sock.recv(512)


def archived_message(path):
    '''The bytes of a message that was packed away.'''
    with bz2.open(path) as packed:
        return packed.read()


def open_relay(host, port, helo):
    '''A session with the relay, past its greeting.'''
    relay = smtplib.SMTP(timeout=5)
    try:
        code, _ = relay.connect(host, port)
        if code != 220:
            raise RelayRefused(code)
        relay.ehlo(helo)
    except BaseException:
        relay.close()
        raise
    return relay


def notify_socket(path):
    '''Programs send a datagram here when they have dropped a message.'''
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        if os.path.exists(path):
            os.unlink(path)
        sock.bind(path)
        sock.settimeout(0.0)
    except:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def folder_lock(path):
    '''Only one flusher at a time.'''
    handle = open(path, 'a')
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        handle.close()


def pending_headers(folder):
    '''(name, message without its body) of all that wait.'''
    for name in sorted(os.listdir(folder)):
        yield name, head_of(os.path.join(folder, name))


def head_of(path):
    lines = []
    with open(path, encoding='utf-8') as message:
        for line in message:
            if not line.strip():
                break
            lines.append(line)
    return email.message_from_string(''.join(lines))


def journal_entries(path):
    '''The lines of the journal as dictionaries.'''
    with open(path, encoding='utf-8') as journal:
        for line in journal:
            if line.startswith('{'):
                yield json.loads(line)


class BounceTable(object):
    '''Recipients that were refused, and how often.'''

    def __init__(self, path):
        self.path = path
        self._db = sqlite3.connect(path)
        try:
            for statement in TABLES:
                self._db.execute(statement)
            self._db.commit()
        except BaseException:
            self._db.close()
            raise

    def close(self):
        self._db.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def times(self, recipient):
        row = self._db.execute('SELECT times FROM bounce WHERE recipient = ?', (recipient,)).fetchone()
        return row[0] if row else 0

    def refuse(self, recipient):
        with self._db:
            self._db.execute('INSERT OR REPLACE INTO bounce VALUES (?, ?)', (recipient, self.times(recipient) + 1))


class OutboxJournal(object):
    '''What became of each message; a new file for each month.'''

    def __init__(self, folder, month=None):
        self.folder = folder
        self.month = month or time.strftime('%Y-%m')
        self._out = open(self._name(), 'a', encoding='utf-8')

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        if self._out is not None:
            self._out.close()
            self._out = None

    def _name(self):
        return os.path.join(self.folder, 'journal-%s' % self.month)

    def turn(self, month):
        '''Go on in the file of another month.'''
        self.month = month
        if self._out:
            self._out.close()
        self._out = open(self._name(), 'a', encoding='utf-8')

    def write(self, name, state):
        self._out.write(json.dumps({'message': name, 'state': state}) + '\n')


class Outbox(object):
    def __init__(self, folder):
        self.folder = folder
        for name in ('new', 'sent', 'failed'):
            os.makedirs(os.path.join(folder, name), exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def drop(self, text):
        '''Put a message into the box; its name there.'''
        fd, draft = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(fd, 'w', encoding='utf-8') as out:
                out.write(text)
                if os.path.exists(self.path('signature')):
                    signature = _signature_of(self.folder)
                    out.write('\n-- \n' + signature)
            name = os.path.basename(draft)
            os.rename(draft, self.path('new', name))
        except BaseException:
            os.unlink(draft)
            raise
        return name

    def drop_output(self, command, subject):
        '''Mail the output of a command to root, as cron does; nothing if it prints nothing.'''
        proc = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out, _ = proc.communicate()
        if not out:
            return None
        return self.drop('To: root@localhost\nSubject: %s\n\n%s' % (subject, out.decode('utf-8', 'replace')))

    def flush(self):
        '''Hand all messages to the relay; the names of those that have gone.'''
        settings = _relay_settings(self.path('relay.json'))
        host, port = settings['host'], settings['port']
        if not _relay_banner(host, port).startswith(b'220'):
            raise RelayRefused(0)
        gone = []
        with contextlib.ExitStack() as stack:
            stack.enter_context(folder_lock(self.path('lock')))
            journal = stack.enter_context(OutboxJournal(self.folder))
            bounces = stack.enter_context(BounceTable(self.path('bounces.db')))
            relay = stack.enter_context(contextlib.closing(open_relay(host, port, settings['helo'])))
            for name in sorted(os.listdir(self.path('new'))):
                state = self._hand_over(relay, bounces, name)
                journal.write(name, state)
                os.rename(self.path('new', name), self.path(state, name))
                if state == 'sent':
                    gone.append(name)
        return gone

    def _hand_over(self, relay, bounces, name):
        with open(self.path('new', name), 'rb') as source:
            message = email.message_from_binary_file(source)
            recipient = message['To']
            if not recipient or bounces.times(recipient) > 2:
                return 'failed'
            if os.fstat(source.fileno()).st_size > LIMIT:
                return 'failed'
            try:
                relay.sendmail('outbox@localhost', [recipient], message.as_bytes())
            except smtplib.SMTPRecipientsRefused:
                bounces.refuse(recipient)
                return 'failed'
        return 'sent'

    def pack(self):
        '''Pack what has been sent.'''
        for name in sorted(os.listdir(self.path('sent'))):
            if name.endswith('.bz2'):
                continue
            with open(self.path('sent', name), 'rb') as plain, bz2.open(self.path('sent', name + '.bz2'), 'wb') as packed:
                for line in plain:
                    packed.write(line)
            os.unlink(self.path('sent', name))

    def requeue(self, names):
        '''Try failed messages again.'''
        retries = open(self.path('retries'), 'a')
        try:
            for name in names:
                os.rename(self.path('failed', name), self.path('new', name))
                retries.write('%d %s\n' % (time.time(), name))
        finally:
            retries.close()

    def summary(self):
        '''Number of messages in each state.'''
        counts = {}
        with OutboxJournal(self.folder) as journal:
            name = os.path.join(journal.folder, 'journal-%s' % journal.month)
        for entry in journal_entries(name):
            counts[entry['state']] = counts.get(entry['state'], 0) + 1
        return counts

    def worst(self):
        '''The recipient that bounces most, those of this machine aside.'''
        with contextlib.closing(sqlite3.connect(self.path('bounces.db'))) as db:
            for recipient, times in db.execute('SELECT recipient, times FROM bounce ORDER BY times DESC'):
                if not recipient.endswith('@localhost'):
                    return recipient, times
        return None

    def notified(self, path, wanted=True):
        '''Whether a program has said that there is mail.'''
        sock = notify_socket(path)
        if not wanted:
            sock.close()
            os.unlink(path)
            return False
        try:
            told = bool(sock.recv(16))
        except BlockingIOError:
            told = False
        finally:
            sock.close()
        return told

    def touch(self):
        with open(self.path('flushed'), 'w'):
            pass
