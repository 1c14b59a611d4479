"""Calls into events/signals.py."""

from events import signals


def _registry():
    registry = signals.Registry()
    registry.declare("tick", "news")
    return registry


def records(box):
    registry = _registry()
    with box.using(signals.Recorder(registry, box.path("news.txt"), ("tick", "news"))) as recorder:
        recorder.start()
        for number in box.rounds(3):
            registry.publish("tick", number)
        recorder.close()
    registry.publish("tick")


def reports_a_failed_write(box):
    registry = _registry()
    recorder = signals.Recorder(registry, box.path("news.txt"), ("tick",))
    with box.using(recorder):
        recorder.start()
    recorder._write("tick", None)


def replays(box):
    registry = _registry()
    path = box.write("script", "tick 1\nnews rain\n")
    signals.replay(registry, path)
    with box.raises(signals.SignalError):
        signals.replay(registry, box.write("wrong", "tock 1\n"))


def logs(box):
    registry = _registry()
    for number in box.rounds(3):
        with signals.logged(registry, "tick", box.path("log%d" % number)) as channel:
            channel.warning("now")


def throttles(box):
    registry = _registry()
    got = []
    throttle = signals.Throttle(lambda name, news: got.append(news), 100)
    registry.subscribe("news", throttle)
    for number in box.rounds(50):
        registry.publish("tick", number)
        registry.publish("news", "key %d" % number)
        registry.publish("news", "key")
    throttle.waiting()
    registry.unsubscribe("news", throttle)


def waits(box):
    registry = _registry()
    for _ in box.rounds(3):
        gate = signals.Gate(registry, "tick")
        gate.open()
        try:
            registry.publish("tick")
            gate.wait(1, 0.01)
            gate.wait(2, 0.001)
        finally:
            gate.close()


def mirrors(box):
    registry = _registry()
    for _ in box.rounds(3):
        mirror = signals.Mirror(registry)
        mirror.follow("tick")
        mirror.follow("unheard of")
        registry.publish("tick", 1)
        mirror.unfollow("tick")


def a_mirror_goes_away(box):
    registry = _registry()
    signals.Mirror(registry).follow("tick")
    registry.publish("tick", 2)
    registry.forget("tick")
    registry.names()


def says_goodbye(box):
    registry = _registry()
    for _ in box.rounds(3):
        farewell = signals.Farewell(registry, "news")
        farewell.arm()
        farewell.say()
        farewell.disarm()


def a_receiver_fails(box):
    registry = _registry()

    def fails(name, news):
        raise ValueError(news)

    registry.subscribe("tick", fails)
    registry.publish("tick")
    registry.unsubscribe("tick", fails)
    registry.unsubscribe("tick", fails)
