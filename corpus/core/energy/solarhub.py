'''Gathers what the inverters of a solar plant say, switches what can be switched, and passes the sums on.

Inverters answer over HTTP: ``/power`` with watts, ``/faults`` with one fault a line, ``/switch/NAME`` to a POST. The
meter at the mains is a file that its driver rewrites.
'''

import asyncio
import bz2
import contextlib
import logging
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import weakref
from contextlib import ExitStack, closing, suppress

import aiohttp

logger = logging.getLogger('solarhub')

LIMITS = (('roof', 9000), ('barn', 4200), ('wall', 1500))
GRACE = 0.001


class InverterError(Exception):
    '''An inverter can't be understood.'''


def watts_of(text):
    try:
        return int(text)
    except ValueError as error:
        raise InverterError('watts: %r' % text[:12]) from error


async def power_of(inverter):
    async with aiohttp.ClientSession(inverter) as session:
        async with session.get('/power') as reply:
            if reply.status != 200:
                raise InverterError('%s: %d' % (inverter, reply.status))
            return watts_of(await reply.text())


async def switch(inverter, names):
    session = aiohttp.ClientSession(inverter)
    try:
        for name in names:
            async with session.post('/switch/' + name) as reply:
                reply.raise_for_status()
    finally:
        await session.close()


async def faults(inverter):
    async with aiohttp.ClientSession(inverter) as session:
        async with session.get('/faults') as reply:
            for line in (await reply.text()).splitlines():
                code, _, text = line.partition(' ')
                yield code, text


async def first_serious(inverter, serious):
    async with contextlib.aclosing(faults(inverter)) as found:
        async for code, text in found:
            if code in serious:
                return text
    return None


class PowerLoop:
    '''Asks one inverter for its power again and again.'''

    def __init__(self, inverter, pause):
        self.watts = 0
        self._inverter = inverter
        self._pause = pause
        self._loop_of_power = None

    def start(self):
        if self._loop_of_power is None:
            self._loop_of_power = asyncio.create_task(self._keep_asking())

    async def _keep_asking(self):
        while True:
            try:
                self.watts = await power_of(self._inverter)
            except (InverterError, aiohttp.ClientError):
                self.watts = 0
            await asyncio.sleep(self._pause)

    async def stop(self):
        if self._loop_of_power is not None:
            self._loop_of_power.cancel()
            await asyncio.gather(self._loop_of_power, return_exceptions=True)
            self._loop_of_power = None


class Dimmer:
    '''Brings the plant down to what the grid takes, step by step.'''

    def __init__(self, dim, pause):
        self.steps = 0
        self._dim = dim
        self._pause = pause
        self._dimming = asyncio.create_task(self._go_on())

    async def _go_on(self):
        while True:
            self._dim(self.steps)
            self.steps += 1
            await asyncio.sleep(self._pause)

    async def aclose(self):
        self._dimming.cancel()
        with suppress(asyncio.CancelledError):
            await self._dimming
        self.steps = 0


async def nudge(inverter, names, times):
    for _ in range(times):
        await switch(inverter, names)
        await asyncio.sleep(0)


async def restart_plant(inverters, names):
    '''Switches everything off and on, at all inverters at once.'''
    nudging = [asyncio.create_task(nudge(inverter, names, 2)) for inverter in inverters]
    await asyncio.gather(*nudging, return_exceptions=True)


async def tick(clock, pause):
    while True:
        clock.append(time.monotonic())
        await asyncio.sleep(pause)


async def timed_power(inverter):
    '''Watts, and how often the clock went meanwhile.'''
    clock = []
    ticking = asyncio.create_task(tick(clock, GRACE))
    try:
        return await power_of(inverter), len(clock)
    finally:
        ticking.cancel()


class PlantLink:
    '''One session for one inverter, for as long as a page is shown.'''

    def __init__(self, inverter):
        self.shown = 0
        self._plant_session = aiohttp.ClientSession(inverter)

    async def page(self, names):
        lines = []
        for name in names:
            async with self._plant_session.get('/' + name) as reply:
                lines.append('%s: %s' % (name, await reply.text()))
        self.shown += 1
        return lines

    async def close(self):
        await self._plant_session.close()


def last_line(path):
    last = ''
    with open(path, encoding='ascii') as source:
        for line in source:
            if line.strip():
                last = line.strip()
    return last


class MainsMeter:
    '''Looks at the file of the meter in a thread.'''

    def __init__(self, path):
        self.reading = ''
        self._path = path
        self._running = True
        self._looker = threading.Thread(target=self._look, daemon=True)
        self._looker.start()

    def _look(self):
        while self._running:
            with suppress(OSError):
                self.reading = last_line(self._path)
            time.sleep(GRACE)

    def close(self):
        self._running = False
        self._looker.join(1)


class DayBook:
    '''The sums of a day; remarks are rare, and get a file when there is one.'''

    def __init__(self, base):
        self._base = base
        self._remarks = None
        self._sums = bz2.open(base + '.sums.bz2', 'at', encoding='ascii')

    def add(self, hour, watts):
        self._sums.write('%02d %d\n' % (hour, watts))

    def remark(self, text):
        if self._remarks is None:
            self._remarks = open(self._base + '.remarks', 'a', encoding='utf-8')
        self._remarks.write(text + '\n')

    def close(self):
        with ExitStack() as stack:
            if self._remarks is not None:
                stack.callback(self._remarks.close)
            stack.callback(self._sums.close)


class OldSums:
    '''The sums of a day gone by.'''

    def __init__(self, path):
        self._packed = bz2.open(path, 'rt', encoding='ascii')
        weakref.finalize(self, self._packed.close)

    def total(self):
        total = 0
        for line in self._packed:
            total += int(line.split()[1])
        return total

    def close(self):
        self._packed.close()


class Telegrams:
    '''Raw telegrams of a meter, as somebody has recorded them.'''

    def __init__(self, path):
        self._frames = open(path, 'rb')
        weakref.finalize(self, self._frames.close)

    def next(self):
        size = self._frames.read(1)
        return self._frames.read(size[0]) if size else b''

    def close(self):
        self._frames.close()


class BreakerKeys:
    '''The keys of the breaker box; a protocol says what was done.'''

    def __init__(self, protocol):
        self.tripped = False
        self._by_key = {'t': self.trip, 'r': self.rearm}
        self._protocol = open(protocol, 'a', encoding='ascii')

    def close(self):
        self._protocol.close()

    def key(self, letter):
        self._by_key[letter]()

    def trip(self):
        self.tripped = True
        self._protocol.write('trip\n')

    def rearm(self):
        self.tripped = False
        self._protocol.write('rearm\n')


def drill(protocol, letters):
    with closing(BreakerKeys(protocol)) as keys:
        for letter in letters:
            keys.key(letter)


def limit_of(place):
    with closing(sqlite3.connect(':memory:')) as limits:
        limits.execute('CREATE TABLE IF NOT EXISTS limits (place TEXT PRIMARY KEY, watts INTEGER)')
        for row in LIMITS:
            limits.execute('INSERT OR IGNORE INTO limits VALUES (?, ?)', row)
        found = limits.execute('SELECT watts FROM limits WHERE place = ?', (place,)).fetchone()
        return 0 if found is None else found[0]


def draw(program, days):
    '''Has a program draw the curves of some days.'''
    work = tempfile.mkdtemp(prefix='curves-')
    try:
        for day, watts in days:
            with open(os.path.join(work, day), 'w', encoding='ascii') as out:
                for value in watts:
                    out.write('%d\n' % value)
        subprocess.run([*program, work], stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def pack(days, target):
    '''Copies the files of some days into one, a page each.'''
    fd, pages = tempfile.mkstemp('.pages')
    try:
        with os.fdopen(fd, 'wb') as out:
            for path in days:
                with open(path, 'rb') as source:
                    shutil.copyfileobj(source, out)
                out.write(b'\f')
        shutil.copyfile(pages, target)
    finally:
        os.unlink(pages)
