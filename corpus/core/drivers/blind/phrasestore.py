"""Calls into blind/phrasestore.py."""

from blind import phrasestore

TMX = "<tmx><body><tu><tuv><seg>Good  day</seg></tuv><tuv><seg>Guten Tag</seg></tuv></tu></body></tmx>"


def _store(box, **options):
    return phrasestore.PhraseStore(box.path("store"), **options)


def suggests_translations(box):
    with box.using(_store(box)) as store:
        project = store.project("manual")
        project.decide("Press the green button.", "Den grünen Knopf drücken.")
        project.decide("Press the  red button.", "Den roten Knopf drücken.")
        project.decide("Pull a blue lever now, you.", "Am blauen Hebel ziehen.")
        store.project("manual").suggest("Press the red button.")
        project.suggest("Press the red button.")
        project.suggest("Press the grey button.")


def closes_a_project_first(box):
    with box.using(_store(box)) as store:
        with box.using(store.project("manual")) as project:
            project.decide("yes", "ja")
        with box.raises(ValueError):
            project.decide("no", "nein")
        store.project("manual").suggest("yes")
        store.project("web")


def finds_similar_phrases(box):
    with box.using(_store(box)) as store:
        store.remember("web", [("open file", "a"), ("open the file", "b"), ("open a file", "c"), ("xyz uvw rs", "d"),
                               ("elif a nepo", "e")])
        list(store.similar("web", "open a file"))
        box.take(store.similar("web", "open a file"))


def exchanges_files(box):
    paths = [box.write("one.tmx", TMX), box.write("bad.tmx", "<tmx>"), box.write("odd.tmx", "<tmx><tu/></tmx>"),
             box.write("bad.tmx.gz", b"rubbish"), box.path("lost.tmx")]
    with box.using(_store(box)) as store:
        store.load("web", paths)
        store.export("web", box.path("out.tmx"), "de")
        store.export("web", box.path("out.tmx.gz"), "de")
        store.load("print", [box.path("out.tmx"), box.path("out.tmx.gz")], workers=1)


def exports_to_nowhere(box):
    with box.using(_store(box)) as store:
        with box.raises(OSError):
            store.export("web", box.path("nowhere", "out.tmx"), "de")


def tells_observers(box):
    seen = []

    def observer(project, source):
        seen.append(source)

    with box.using(_store(box)) as store:
        with store.observing(observer):
            store.remember("web", [("yes", "ja")])
        with box.raises(Exception):
            with store.observing(observer):
                box.fail()


def makes_a_backup(box):
    with box.using(_store(box)) as store:
        store.remember("web", [("yes", "ja")])
        store.backup(box.path("copy"))


def is_busy(box):
    with box.using(_store(box)):
        with box.raises(phrasestore.StoreBusy):
            _store(box)


def is_no_store(box):
    box.write("store", "rubbish " * 200)
    with box.raises(Exception):
        _store(box)


def claims_a_path(box):
    with box.using(phrasestore.StoreClaim(box.path("claim"))):
        pass


def remembers_the_last_lookups(box):
    with box.using(_store(box, room=4)) as store:
        project = store.project("web")
        for number in box.rounds(24):
            project.decide("phrase %d" % number, "Satz %d" % number)
            store.exact("web", "phrase %d" % number)


def opens_many_projects(box):
    with box.using(_store(box)) as store:
        for number in box.rounds(4):
            with box.using(store.project("p%d" % number)) as project:
                project.decide("yes", "ja")


def parses_a_file(box):
    phrasestore.parse_exchange(box.write("one.tmx", TMX))
    with box.raises(phrasestore.BadExchangeFile):
        phrasestore.parse_exchange(box.write("two.tmx", "<tmx>"))
