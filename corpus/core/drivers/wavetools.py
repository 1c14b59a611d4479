"""Calls into wavetools.py."""

import array
import gzip
import json
import struct
import wave
from pathlib import Path

import wavetools

RATE = 8000


def _recording(path, samples, rate=RATE, channels=1):
    with wave.open(path, "wb") as target:
        target.setparams((channels, 2, rate, 0, "NONE", "not compressed"))
        target.writeframes(array.array("h", samples).tobytes())
    return Path(path)


def _session(box, cues="; file,title\na.wav,Opening\nb.wav,Close\n"):
    box.write("tape/cues.csv", cues)
    _recording(box.path("tape", "a.wav"), [0, 400, -900, 30])
    _recording(box.path("tape", "b.wav"), [1200, -50])
    return wavetools.Session(Path(box.path("tape")))


def measures_a_recording(box):
    recording = wavetools.Recording(_recording(box.path("a.wav"), [0, 4000, -9000, 30]))
    recording.peak()
    recording.loudness()
    recording.data_offset()


def measures_silence(box):
    recording = wavetools.Recording(_recording(box.path("a.wav"), []))
    recording.peak()
    recording.loudness()


def trims_both_ends(box):
    recording = wavetools.Recording(_recording(box.path("a.wav"), [0, 5, 4000, -9000, 30]))
    recording.trim(Path(box.path("short.wav")))


def trims_silence_to_nothing(box):
    recording = wavetools.Recording(_recording(box.path("a.wav"), [0, 5, 7]))
    recording.trim(Path(box.path("short.wav")))


def refuses_what_is_no_wave_file(box):
    with box.raises(wavetools.WaveFormatError):
        wavetools.Recording(Path(box.write("a.wav", "rubbish, but long enough")))


def reads_blocks(box):
    path = _recording(box.path("a.wav"), [1, 2, 3])
    with box.using(wavetools.VoiceReader(path)) as reader:
        while reader.block():
            reader.rate


def refuses_stereo(box):
    path = _recording(box.path("a.wav"), [1, 2, 3, 4], channels=2)
    with box.raises(wavetools.WaveFormatError):
        wavetools.VoiceReader(path)


def finds_no_samples(box):
    head = b"RIFF" + struct.pack("<I", 20) + b"WAVE" + b"fact" + struct.pack("<I", 4) + bytes(4)
    recording = wavetools.Recording(Path(box.write("a.wav", head)))
    with box.raises(wavetools.WaveFormatError):
        recording.data_offset()


def joins_and_delivers(box):
    session = _session(box)
    session.join(Path(box.path("all.wav")), RATE)
    session.table()
    session.deliver(Path(box.path("tape.tar.gz")))


def refuses_to_join_other_rates(box):
    session = _session(box)
    with box.raises(wavetools.WaveFormatError):
        session.join(Path(box.path("all.wav")), 44100)


def refuses_to_join_at_rate_zero(box):
    session = _session(box)
    with box.raises(wave.Error):
        session.join(Path(box.path("all.wav")), 0)


def delivers_without_a_missing_recording(box):
    session = _session(box, "a.wav,Opening\nlost.wav,Lost\n")
    session.deliver(Path(box.path("tape.tar.gz")))


def reads_the_noise_profile(box):
    session = _session(box)
    box.write("tape/noise.json.gz", gzip.compress(json.dumps([0.1, 0.25]).encode()))
    session.noise_profile()


def imports_raw_samples(box):
    session = _session(box)
    raw = box.write("raw.bin", array.array("h", [1, -2, 3]).tobytes() + b"x")
    session.import_raw(Path(raw), Path(box.path("c.wav")), RATE)


def imports_from_a_missing_file(box):
    session = _session(box)
    with box.raises(FileNotFoundError):
        session.import_raw(Path(box.path("lost.bin")), Path(box.path("c.wav")), RATE)


def adds_up_and_mixes(box):
    session = _session(box)
    session.seconds()
    session.mix(["a.wav", "b.wav"])


def unpacks_recordings(box):
    session = _session(box)
    with open(box.path("tape", "a.wav"), "rb") as plain:
        box.write("d.wav.gz", gzip.compress(plain.read()))
    session.unpack(Path(box.path("d.wav.gz")), "d.wav")
    with box.raises(gzip.BadGzipFile):
        session.unpack(Path(box.write("e.wav.gz", "no gzip file")), "e.wav")
