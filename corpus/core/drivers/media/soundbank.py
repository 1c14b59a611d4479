"""Calls into media/soundbank.py."""

import json
import os
import wave
import zipfile

from media import soundbank


def _sound(box, name, samples=b"\x10\x01\x20\x01", channels=1):
    with wave.open(box.path(name), "wb") as sound:
        sound.setparams((channels, 2, 8000, 0, "NONE", ""))
        sound.writeframes(samples)
    return box.path(name)


def _announcer(box):
    with zipfile.ZipFile(box.path("bank.zip"), "w") as bank:
        bank.write(_sound(box, "next.wav"), "w/next.wav")
        bank.write(_sound(box, "market.wav", b"\x10\x7f\x20\x00\x10\x00"), "w/market.wav")
        bank.writestr("index.json", json.dumps({"next": "w/next.wav", "market": "w/market.wav"}))
    return soundbank.Announcer(box.path("bank.zip"), box.path())


def joins_and_plays(box):
    announcer = _announcer(box)
    announcer.play("Market", ["next", "market"], ["/bin/echo", "playing"])
    announcer.announcement(["next", "market"])
    with box.using(soundbank.PlayLog(box.path("played.db"))) as log:
        log.note("Market", ["market"])
    announcer.stops_played()
    with box.raises(soundbank.SoundError):
        announcer.play("Market", ["next"], ["/bin/false"])


def misses_a_word(box):
    announcer = _announcer(box)
    with box.raises(soundbank.SoundError):
        announcer.announcement(["next", "station"])


def measures_sounds(box):
    announcer = _announcer(box)
    paths = [box.path("next.wav"), box.path("market.wav")]
    announcer.loudest(paths)
    announcer.mix(paths, box.path("both.wav"))
    announcer.seconds(paths[0])
    announcer.mute()


def reads_what_is_spoken(box):
    box.write("next.txt", "Next stop:\n")
    _announcer(box).spoken([box.path("next.wav")])


def refuses_stereo(box):
    announcer = _announcer(box)
    path = _sound(box, "stereo.wav", channels=2)
    with box.raises(soundbank.SoundError):
        announcer.loudest([path])
    with box.raises(soundbank.SoundError):
        announcer.to_raw(path)


def finds_silence(box):
    announcer = _announcer(box)
    announcer.is_silent(announcer.to_raw(box.path("market.wav")))
    announcer.is_silent(box.write("quiet.raw", b"\1\0\2\0"))
    with box.raises(ValueError):
        announcer.is_silent(box.write("empty.raw", b""))


def streams_to_the_device(box):
    announcer = _announcer(box)
    announcer.stream(box.path("next.wav"), box.path("device"))
    box.take(soundbank.sound_blocks(box.path("next.wav"), 1))


def keeps_a_log(box):
    with box.using(soundbank.PlayLog(box.path("played.db"))) as log:
        log.note("Market", ["next"])
        log.reopen()
        log.close()
        log.reopen()
        log.reopen()


def refuses_a_log_that_is_none(box):
    with box.raises(Exception):
        soundbank.PlayLog(box.write("played.db", b"rubbish" * 300))


def hands_out_sounds(box):
    with box.using(soundbank.create_sound(os.path.join(box.path(), "new.wav"))) as sound:
        sound.writeframes(b"\0\0")
    with box.using(soundbank.open_sound(box.path("new.wav"))) as sound:
        sound.readframes(1)
