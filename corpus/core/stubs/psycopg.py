"""A stand-in for psycopg 3: connections and cursors that answer from a table.

``answers`` maps a piece of a query to its rows, or to the exception that the query raises; what no piece
fits has no rows. ``with`` closes a connection and a cursor, as in the real library.
"""

answers: dict = {}


class Error(Exception):
    """As in the real library, the base of all errors."""


class OperationalError(Error):
    pass


class Cursor:
    def __init__(self, connection):
        self.connection = connection
        self.held = True
        self.rowcount = -1
        self._rows = iter(())

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __iter__(self):
        return self._rows

    def close(self):
        self.held = False

    def execute(self, query, params=None):
        if not self.held or not self.connection.held:
            raise OperationalError("the cursor is closed")
        found = next((rows for piece, rows in answers.items() if piece in query), ())
        if isinstance(found, Exception):
            raise type(found)(*found.args)  # a new one: an exception keeps the frames it came through
        self.rowcount = len(found)
        self._rows = iter(found)
        return self

    def executemany(self, query, params_seq):
        for params in params_seq:
            self.execute(query, params)

    def fetchone(self):
        return next(self._rows, None)

    def fetchall(self):
        return list(self._rows)


class Connection:
    def __init__(self, conninfo):
        self.conninfo = conninfo
        self.held = True
        self.autocommit = False

    @property
    def closed(self):
        return not self.held

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self.held = False

    def cursor(self, name=None):
        if not self.held:
            raise OperationalError("the connection is closed")
        return Cursor(self)

    def execute(self, query, params=None):
        # The real one leaves its cursor to the connection; this one needs no release.
        cursor = self.cursor()
        cursor.execute(query, params)
        rows = cursor.fetchall()
        cursor.close()
        cursor._rows = iter(rows)
        return cursor

    def commit(self):
        pass

    def rollback(self):
        pass


def connect(conninfo="", autocommit=False):
    if "down" in conninfo:
        raise OperationalError("connection refused")
    connection = Connection(conninfo)
    connection.autocommit = autocommit
    return connection
