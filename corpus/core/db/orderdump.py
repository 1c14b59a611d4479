'''Nightly dump of the order tables for the accounting department.

Orders come out of PostgreSQL in the order of their change, into one compressed file a night. The
watermark, up to which everything was dumped, is a small file next to the dumps. Accounting sends
back which orders were booked; that list goes into a staging table.
'''
import csv
import gzip
import io
import json
import logging
import os
import socket
import tempfile
from contextlib import ExitStack, closing, contextmanager

import psycopg

log = logging.getLogger(__name__)

FIELDS = ('id', 'customer', 'total', 'changed')
CHANGED = 'SELECT id, customer, total, changed FROM orders WHERE changed > %s ORDER BY changed, id'


class DumpError(Exception):
    '''The dump is not complete, or cannot be used.'''


def _watermark_text(folder):
    with open(os.path.join(folder, 'watermark'), encoding='ascii') as note:
        return note.read()


def order_session(dsn, read_only=True):
    '''A connection with the settings of this application.'''
    conn = psycopg.connect(dsn)
    try:
        conn.execute("SET TIME ZONE 'UTC'")
        if read_only:
            conn.execute('SET default_transaction_read_only = on')
    except:
        log.warning('cannot set up the session')
        conn.close()
        raise
    return conn


def reach_ledger(address, timeout=2.0, keep_alive=True):
    '''A socket to the ledger daemon of accounting.'''
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        if keep_alive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def staging_table(dsn):
    '''A cursor on the staging table; what is done with it is kept if the block ends well.'''
    conn = psycopg.connect(dsn)
    try:
        with conn.cursor() as cursor:
            cursor.execute('TRUNCATE booked_staging')
            yield cursor
        conn.commit()
    finally:
        conn.close()


def changed_orders(dsn, since):
    '''Orders changed after a watermark, one after the other.'''
    with psycopg.connect(dsn) as conn:
        for row in conn.execute(CHANGED, (since,)):
            yield dict(zip(FIELDS, row))


class DumpWriter(object):
    '''One night's file: a line of JSON for each order.'''

    def __init__(self, path):
        self.path = path
        self.count = 0
        self._out = gzip.open(path, 'wt', encoding='utf-8')

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._out.close()

    def add(self, order):
        self._out.write(json.dumps(order, sort_keys=True))
        self._out.write('\n')
        self.count += 1


class ChangeFeed:
    '''A standing connection that asks again and again what has changed.'''

    def __init__(self, dsn, since=''):
        self.dsn = dsn
        self.since = since
        self._conn = psycopg.connect(dsn, autocommit=True)
        try:
            for command in ('SET statement_timeout = 5000', 'LISTEN order_changed'):
                self._conn.execute(command)
        except BaseException:
            self._conn.close()
            raise

    def close(self):
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def reconnect(self):
        if self._conn is not None:
            self._conn.close()
        self._conn = psycopg.connect(self.dsn, autocommit=True)

    def poll(self):
        '''Rows changed since the last call; after a lost connection, one more try.'''
        try:
            rows = self._conn.execute(CHANGED, (self.since,)).fetchall()
        except psycopg.OperationalError:
            self.reconnect()
            rows = []
        if rows:
            self.since = rows[-1][FIELDS.index('changed')]
        return rows


class OrderDump:
    def __init__(self, dsn, folder):
        self.dsn = dsn
        self.folder = folder

    def watermark(self):
        try:
            text = _watermark_text(self.folder)
        except FileNotFoundError:
            return ''
        return text.strip()

    def note_watermark(self, value):
        '''Written through to the disk: without it, orders would be dumped twice.'''
        fd = os.open(os.path.join(self.folder, 'watermark'), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            rest = value.encode('ascii') + b'\n'
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def dump(self, name):
        '''Dump what has changed, and give the number of orders.'''
        path = os.path.join(self.folder, name)
        last = since = self.watermark()
        with DumpWriter(path + '.part') as writer, closing(changed_orders(self.dsn, since)) as orders:
            for order in orders:
                writer.add(order)
                last = order['changed']
            count = writer.count
        os.replace(path + '.part', path)
        if last != since:
            self.note_watermark(last)
        return count

    def sizes(self, names):
        '''The number of orders in each of some dumps.'''
        counts = {}
        for name in names:
            with gzip.open(os.path.join(self.folder, name), 'rb') as dump:
                counts[name] = sum(1 for line in dump if line.strip())
        return counts

    def sums(self, names):
        '''Totals by customer over several dumps.'''
        totals = {}
        for name in names:
            dump = gzip.open(os.path.join(self.folder, name), 'rt', encoding='utf-8')
            try:
                for line in dump:
                    order = json.loads(line)
                    totals[order['customer']] = totals.get(order['customer'], 0) + order['total']
            finally:
                dump.close()
        return totals

    def as_csv(self, name, target):
        '''A dump as a table for spreadsheets, in place only when it is whole.'''
        fd, draft = tempfile.mkstemp(dir=self.folder, prefix='.table-')
        try:
            with os.fdopen(fd, 'w', newline='', encoding='utf-8') as table:
                rows = csv.DictWriter(table, FIELDS)
                rows.writeheader()
                with ExitStack() as stack:
                    packed = stack.enter_context(gzip.open(os.path.join(self.folder, name), 'rb'))
                    lines = stack.enter_context(io.TextIOWrapper(packed, encoding='utf-8'))
                    rows.writerows(json.loads(line) for line in lines)
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def take_receipts(self, path):
        '''Stage the numbers of booked orders; an empty list means that nothing was booked.'''
        with open(path, newline='', encoding='latin-1') as receipts:
            rows = [row for row in csv.reader(receipts, delimiter=';') if row]
            if not rows:
                return 0
            if any(not row[0].isdigit() for row in rows):
                raise DumpError('%s: not a number' % path)
        with staging_table(self.dsn) as cursor:
            cursor.executemany('INSERT INTO booked_staging VALUES (%s)', [(int(row[0]),) for row in rows])
        return len(rows)

    def report(self, address, wanted=True):
        '''Tell the ledger daemon how far we are; it answers with a line, or hangs up.'''
        sock = reach_ledger(address)
        if not wanted:
            sock.close()
            return b''
        with sock, sock.makefile('rwb') as stream:
            stream.write(('upto %s\n' % self.watermark()).encode('ascii'))
            stream.flush()
            answer = stream.readline()
        return answer.strip()

    def unbooked(self):
        '''Order numbers that accounting has not booked yet.'''
        numbers = []
        with psycopg.connect(self.dsn) as conn, conn.cursor() as cursor:
            cursor.execute('SELECT id FROM orders EXCEPT SELECT id FROM booked_staging')
            for row in cursor:
                numbers.append(row[0])
        return sorted(numbers)
