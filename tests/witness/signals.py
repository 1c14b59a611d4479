"""Known answers: `leaks_…` leaves something open by itself, `fails_…` only if a call fails, `clean_…` never.

Parameters say what the driver has ready: `path` of a file, `new` path, `folder` with files, `host` and `port` of a server.
"""

import asyncio
import bz2
import codecs
import contextlib
import functools
import gzip
import http.client
import io
import logging
import lzma
import mailbox
import mmap
import os
import selectors
import shelve
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.request
import wave
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor

LOCK = threading.Lock()
CONDITION = threading.Condition()
SLOTS = threading.BoundedSemaphore(2)
KEPT = []


class Owner:
    def __init__(self, path):
        self.file = open(path)

    def close(self):
        self.file.close()


class Finalised(Owner):
    def __del__(self):
        self.close()


def leaks_file(path):
    file = open(path)
    return file.read()


def leaks_inline(path):
    return open(path).read()


def fails_straight_close(path):
    file = open(path)
    data = file.read()
    file.close()
    return data


def fails_narrow_handler(path):
    file = open(path)
    try:
        data = file.read()
    except OSError:
        file.close()
        raise
    file.close()
    return data


def fails_loop(path):
    file = open(path)
    for line in file:
        pass
    file.close()


def clean_finally(path):
    file = open(path)
    try:
        return file.read()
    finally:
        file.close()


def clean_with_two(path, new):
    with open(path) as source, open(new, "w") as target:
        target.write(source.read())


def fails_two_then_try(path, new):
    source = open(path)
    target = open(new, "w")
    try:
        target.write(source.read())
    finally:
        source.close()
        target.close()


def clean_exit_stack(path, new):
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open(path))
        target = open(new, "w")
        stack.callback(target.close)
        target.write(source.read())


def leaks_global(path):
    KEPT.append(open(path))


def leaks_finaliser(path):
    owner = Finalised(path)
    return owner.file.read()


def clean_helper(path):
    file = open(path)
    try:
        return file.read()
    finally:
        _release(file)


def _release(file):
    file.close()


def leaks_partial(path):
    opener = functools.partial(open, path)
    return opener().read()


def leaks_gzip(new):
    gzip.open(new, "wb").write(b"x")


def leaks_gzip_text(new):
    gzip.open(new, "wt").write("x")


def clean_gzip_over_a_file(new):
    with open(new, "wb") as raw:
        gzip.GzipFile(fileobj=raw, mode="wb").write(b"x")


def leaks_bz2(new):
    bz2.open(new, "wb").write(b"x")


def leaks_lzma(new):
    lzma.open(new, "wb").write(b"x")


def leaks_zip(new):
    zipfile.ZipFile(new, "w").writestr("a", "b")


def leaks_zip_member(new):
    with zipfile.ZipFile(new, "w") as archive:
        archive.writestr("a", "b")
    with zipfile.ZipFile(new) as archive:
        return archive.open("a").read()


def leaks_tar(new, path):
    tarfile.open(new, "w").add(path, "x")


def clean_tar_member(new, path):
    with tarfile.open(new, "w") as archive:
        archive.add(path, "x")
    with tarfile.open(new) as archive:
        return archive.extractfile("x").read()


def leaks_sqlite_in_a_with(new):
    with sqlite3.connect(new) as db:
        db.execute("select 1")


def clean_sqlite(new):
    with contextlib.closing(sqlite3.connect(new)) as db:
        db.execute("select 1").fetchall()


def leaks_socket():
    socket.socket().setblocking(False)


def leaks_half_a_pair():
    one, _ = socket.socketpair()
    one.close()


def leaks_makefile(host, port):
    with socket.create_connection((host, port)) as sock:
        sock.sendall(b"x")
        return sock.makefile("rb").readline()


def clean_socket(host, port):
    with socket.create_connection((host, port)) as sock:
        sock.sendall(b"x")
        with sock.makefile("rb") as stream:
            return stream.readline()


def fails_http(host, port):
    connection = http.client.HTTPConnection(host, port)
    connection.request("GET", "/")
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return data


def clean_http(host, port):
    with contextlib.closing(http.client.HTTPConnection(host, port)) as connection:
        connection.request("GET", "/")
        with connection.getresponse() as response:
            return response.read()


def leaks_urlopen(path):
    return urllib.request.urlopen("file://" + path).read(1)


def leaks_named_temporary_file():
    tempfile.NamedTemporaryFile().write(b"x")


def clean_spooled_file():
    with tempfile.SpooledTemporaryFile() as spool:
        spool.write(b"x")


def leaks_temporary_folder():
    return tempfile.TemporaryDirectory().name


def leaks_made_folder():
    tempfile.mkdtemp()


def clean_temporary_folder():
    with tempfile.TemporaryDirectory() as folder:
        return os.listdir(folder)


def leaks_mkstemp():
    _, name = tempfile.mkstemp()
    os.remove(name)


def clean_mkstemp_adopted(new):
    number, name = tempfile.mkstemp()
    try:
        with open(number, "w") as out:
            out.write("x")
    finally:
        os.remove(name)


def leaks_descriptor(path):
    return os.read(os.open(path, os.O_RDONLY), 3)


def clean_descriptor(path):
    number = os.open(path, os.O_RDONLY)
    try:
        return os.read(number, 3)
    finally:
        os.close(number)


def clean_fdopen(path):
    with os.fdopen(os.open(path, os.O_RDONLY)) as file:
        return file.read()


def leaks_half_a_pipe():
    reading, _ = os.pipe()
    os.close(reading)


def leaks_map(path):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:2]


def leaks_selector():
    selectors.DefaultSelector().get_map()


def leaks_scan(folder):
    return next(os.scandir(folder)).name


def clean_scan(folder):
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def leaks_thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def clean_thread():
    thread = threading.Thread(target=os.getpid)
    thread.start()
    thread.join()


def leaks_executor():
    pool = ThreadPoolExecutor(1)
    KEPT.append(pool)
    pool.submit(os.getpid).result()


def fails_lock(path):
    LOCK.acquire()
    os.stat(path)
    LOCK.release()


def clean_lock(path):
    with LOCK:
        os.stat(path)


def leaks_lock():
    LOCK.acquire()


def leaks_lock_of_its_user(lock):
    lock.acquire()


def clean_lock_that_is_taken_already():
    LOCK.acquire()
    try:
        return LOCK.acquire(blocking=False)
    finally:
        LOCK.release()


def fails_condition(path):
    CONDITION.acquire()
    os.stat(path)
    CONDITION.release()


def clean_condition(path):
    with CONDITION:
        CONDITION.wait(0.001)
        os.stat(path)


def leaks_semaphore():
    SLOTS.acquire()


def fails_semaphore(path):
    SLOTS.acquire()
    os.stat(path)
    SLOTS.release()


def clean_semaphore(path):
    with SLOTS:
        os.stat(path)


def clean_signal_of_a_semaphore():
    signal = threading.Semaphore(0)
    signal.release()
    signal.acquire()


def leaks_kept_temporary_file():
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x")


def fails_temporary_file_removed_late(path):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        name = file.name
    os.stat(path)
    os.unlink(name)


def clean_temporary_file_that_is_moved(new):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        name = file.name
    try:
        os.replace(name, new)
    except BaseException:
        os.unlink(name)
        raise


def clean_temporary_file_of_the_users_own(folder):
    number, _ = tempfile.mkstemp(dir=folder)
    os.close(number)


def leaks_finalize_of_the_file(path):
    owner = Owner(path)
    weakref.finalize(owner, owner.file.close)
    return owner.file.read()


def clean_finalize_as_a_net(path):
    owner = Owner(path)
    weakref.finalize(owner, owner.file.close)
    try:
        return owner.file.read()
    finally:
        owner.close()


def leaks_ended_child():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def leaks_child():
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(9)"]).pid


def clean_child_waited_for_by_number():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitpid(child.pid, 0)


def leaks_pipe_of_a_child():
    subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE).wait()


def clean_child():
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        return child.communicate()[0]


def leaks_wave(new):
    out = wave.open(new, "wb")
    out.setparams((1, 2, 8000, 0, "NONE", "NONE"))
    out.writeframes(b"xx")


def leaks_shelf(new):
    shelve.open(new)["a"] = 1


def leaks_mailbox(new):
    return len(mailbox.mbox(new))


def leaks_codecs(new):
    codecs.open(new, "w", "utf-8").write("x")


def leaks_log_file(new):
    logging.FileHandler(new).flush()


def clean_memory():
    io.StringIO().write("x")
    io.TextIOWrapper(io.BytesIO()).write("x")


def clean_standard_stream(path):
    stream = sys.stdin if path == "-" else sys.stdout
    return _same(stream).writable()


def _same(stream):
    return stream


def leaks_owner(path):
    return Owner(path).file.read()


def leaks_weakly_finalised(path):
    owner = Owner(path)
    weakref.finalize(owner, Owner.close, owner)
    return owner.file.read()


def leaks_generator(path):
    file = open(path)
    for line in file:
        yield line
    file.close()


def clean_generator(path):
    with open(path) as file:
        for line in file:
            yield line


async def leaks_task():
    asyncio.create_task(asyncio.sleep(100))
    await asyncio.sleep(0)


async def clean_task():
    task = asyncio.create_task(asyncio.sleep(100))
    try:
        await asyncio.sleep(0)
    finally:
        task.cancel()


async def leaks_stream(host, port):
    _, writer = await asyncio.open_connection(host, port)
    writer.write(b"x")


async def fails_stream_if_cancelled(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"x")
        await reader.readline()
    except Exception:
        writer.close()
        raise
    writer.close()


async def clean_stream(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"x")
        await reader.readline()
    finally:
        writer.close()

async def fails_async_lock():
    lock = asyncio.Lock()
    await lock.acquire()
    await asyncio.to_thread(os.getpid)
    lock.release()


async def clean_async_lock():
    async with asyncio.Lock():
        await asyncio.to_thread(os.getpid)


async def leaks_coroutine():
    asyncio.sleep(0)


async def _counts(path):
    with open(path) as file:
        for line in file:
            yield line


async def leaks_suspended_generator(path):
    async for _ in _counts(path):
        break


async def clean_closed_generator(path):
    async with contextlib.aclosing(_counts(path)) as lines:
        async for _ in lines:
            break


async def clean_exhausted_generator():
    async for _ in _numbers():
        pass


async def _numbers():
    yield 1
    yield 2


async def clean_generator_that_holds_nothing():
    async for _ in _numbers():
        break


async def leaks_async_child():
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(9)")
    child.pid


async def clean_async_child():
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    try:
        await asyncio.sleep(0)
    finally:
        await child.wait()
