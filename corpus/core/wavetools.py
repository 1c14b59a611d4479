"""Tools for voice recordings: levels, trimming, joining, raw import and export of cue sheets."""

from __future__ import annotations

import array
import contextlib
import csv
import decimal
import gzip
import io
import json
import math
import mmap
import os
import shutil
import struct
import tarfile
import tempfile
import wave
from pathlib import Path

FRAME_BLOCK = 4096
FULL_SCALE = 32768.0


class WaveFormatError(Exception):
    """A recording is not 16 bit mono, or its files do not fit together."""


def _riff_magic(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(12)


def _cue_lines(path):
    with io.open(path, encoding="utf-8", newline="") as sheet:
        return sheet.readlines()


def _packed_profile(path):
    """The bytes of a noise profile, as the recorder stores them."""
    with gzip.open(path, "rb") as packed:
        return packed.read()


def is_wave(path: Path) -> bool:
    magic = _riff_magic(path)
    return magic[:4] == b"RIFF" and magic[8:] == b"WAVE"


def decibels(ratio: float) -> decimal.Decimal:
    """Level of a ratio with one digit; silence counts as -96."""
    with decimal.localcontext() as context:
        context.rounding = decimal.ROUND_HALF_EVEN
        level = 20 * context.create_decimal(str(max(ratio, 10 ** -4.8))).log10()
        rounded = level.quantize(decimal.Decimal("0.1"))
    return rounded


class VoiceReader:
    """Blocks of samples of one recording."""

    def __init__(self, path: Path) -> None:
        self.path = path
        source = wave.open(os.fspath(path), "rb")
        try:
            if source.getsampwidth() != 2 or source.getnchannels() != 1:
                raise WaveFormatError(f"{path} is not 16 bit mono")
        except BaseException:
            source.close()
            raise
        self._source = source

    def __enter__(self) -> VoiceReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._source.close()

    @property
    def rate(self) -> int:
        return self._source.getframerate()

    def block(self) -> array.array:
        """The next samples; an empty array at the end."""
        samples = array.array("h")
        samples.frombytes(self._source.readframes(FRAME_BLOCK))
        return samples


class _VoiceWriter:
    """Writes a 16 bit mono recording."""

    def __init__(self, path: Path, rate: int) -> None:
        self.frames = 0
        target = wave.open(os.fspath(path), "wb")
        try:
            target.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        except BaseException:
            target.close()
            raise
        self._target = target

    def __enter__(self) -> _VoiceWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._target.close()

    def add(self, samples: array.array) -> None:
        self._target.writeframes(samples.tobytes())
        self.frames += len(samples)


class Recording:
    """Measurements and edits of one file; the file itself is never changed."""

    def __init__(self, path: Path) -> None:
        if not is_wave(path):
            raise WaveFormatError(f"{path} is no wave file")
        self.path = path

    def peak(self) -> float:
        """The largest sample, as a share of full scale."""
        largest = 0
        with VoiceReader(self.path) as reader:
            while samples := reader.block():
                largest = max(largest, max(samples), -min(samples))
        return largest / FULL_SCALE

    def loudness(self) -> decimal.Decimal:
        """Root mean square level in decibels."""
        total, count = 0, 0
        with VoiceReader(self.path) as reader:
            while samples := reader.block():
                total += sum(sample * sample for sample in samples)
                count += len(samples)
        return decibels(math.sqrt(total / count) / FULL_SCALE if count else 0.0)

    def trim(self, target: Path, threshold: int = 200) -> int:
        """Copy without the silence at both ends; the frames that are left."""
        with tempfile.TemporaryFile() as spool:
            first, last, position = None, 0, 0
            with VoiceReader(self.path) as reader:
                rate = reader.rate
                while samples := reader.block():
                    spool.write(samples.tobytes())
                    for sample in samples:
                        if abs(sample) > threshold:
                            first = position if first is None else first
                            last = position + 1
                        position += 1
            kept = array.array("h")
            if first is not None:
                spool.seek(2 * first)
                kept.frombytes(spool.read(2 * (last - first)))
        with _VoiceWriter(target, rate) as writer:
            writer.add(kept)
        return len(kept)

    def data_offset(self) -> int:
        """Where the samples begin, found by walking the chunks in a map of the file."""
        offset = 12
        handle = open(self.path, "rb")
        try:
            with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view:
                while view[offset:offset + 4] != b"data":
                    if offset + 8 > len(view):
                        raise WaveFormatError(f"{self.path} has no samples")
                    offset += 8 + struct.unpack_from("<I", view, offset + 4)[0]
        finally:
            handle.close()
        return offset + 8


class Session:
    """The recordings of one folder, with a cue sheet ``cues.csv`` (file, title)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cues = list(csv.reader(line for line in _cue_lines(folder / "cues.csv") if not line.startswith(";")))

    def noise_profile(self) -> list[float]:
        return json.loads(_packed_profile(self.folder / "noise.json.gz"))

    def join(self, target: Path, rate: int) -> int:
        """All recordings of the cue sheet, one after the other."""
        with _VoiceWriter(target, rate) as writer:
            for name, _ in self.cues:
                with VoiceReader(self.folder / name) as reader:
                    if reader.rate != rate:
                        raise WaveFormatError(f"{reader.path} has another rate")
                    while samples := reader.block():
                        writer.add(samples)
            frames = writer.frames
        return frames

    def import_raw(self, source: Path, target: Path, rate: int) -> None:
        """Wrap headerless big-endian samples."""
        voice = wave.open(os.fspath(target), "wb")
        try:
            voice.setnchannels(1)
            voice.setsampwidth(2)
            voice.setframerate(rate)
            with open(source, "rb") as raw:
                while block := raw.read(2 * FRAME_BLOCK):
                    samples = array.array("h")
                    samples.frombytes(block[:len(block) // 2 * 2])
                    samples.byteswap()
                    voice.writeframes(samples.tobytes())
        finally:
            voice.close()

    def table(self) -> str:
        """Title and peak of each recording."""
        with io.StringIO() as text:
            for name, title in self.cues:
                text.write(f"{title:<24}{Recording(self.folder / name).peak():8.3f}\n")
            table = text.getvalue()
        return table

    def deliver(self, target: Path) -> list[str]:
        """Pack sheet and recordings; names of cues without a file."""
        missing = []
        archive = tarfile.open(target, "w:gz")
        try:
            for name in ["cues.csv"] + [cue[0] for cue in self.cues]:
                if (self.folder / name).exists():
                    archive.add(self.folder / name, name)
                else:
                    missing.append(name)
        finally:
            archive.close()
        return missing

    def seconds(self) -> float:
        """How long all recordings take together."""
        total = 0.0
        for name, _ in self.cues:
            with wave.open(os.fspath(self.folder / name), "rb") as voice:
                total += voice.getnframes() / voice.getframerate()
        return total

    def unpack(self, source: Path, name: str) -> None:
        """Take a gzipped recording into the folder."""
        out = open(self.folder / name, "wb")
        whole = False
        try:
            with gzip.open(source, "rb") as packed:
                shutil.copyfileobj(packed, out)
            whole = True
        finally:
            if whole:
                out.close()
                shutil.copystat(source, self.folder / name)
            else:
                out.close()
                os.unlink(self.folder / name)

    def mix(self, names: list[str]) -> array.array:
        """The sum of several recordings, as long as the shortest of them."""
        tracks = []
        with contextlib.ExitStack() as stack:
            for name in names:
                voice = stack.enter_context(wave.open(os.fspath(self.folder / name), "rb"))
                track = array.array("h")
                track.frombytes(voice.readframes(voice.getnframes()))
                tracks.append(track)
        return array.array("h", (sum(samples) // len(tracks) for samples in zip(*tracks)))
