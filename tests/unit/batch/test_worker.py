"""The worker's overlap, proven by counting: stages that wait for each other would never end if they took turns."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from jobs import fill

from translate.batch.pace import RECENT
from translate.batch.worker import Task, Worker
from translate.errors import StoreError
from translate.images import codec
from translate.images.picture import Limits
from translate.provenance import Sizes, Work
from translate.records.manifest import Item
from translate.stores.file import FileStore
from translate.translation import core
from translate.translation.core import CHANGING

IMAGES = 40
PATIENCE_S = 60
"""Only a test that fails waits so long."""
A_MOMENT_S = 0.05
"""In which threads that nothing holds back would come."""
WORK = Work(model="a@1", model_digest="sha256:" + "1" * 64, size="native", format="keep", quality=92, pixels="exact",
            engine="torch-float32")


def never() -> bool:
    return False


class Count:
    """A number that threads wait for."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._changed = threading.Condition()

    def add(self, change: int = 1) -> int:
        with self._changed:
            self.now += change
            self.most = max(self.most, self.now)
            self._changed.notify_all()
            return self.now

    def wait(self, least: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.now >= least, PATIENCE_S), f"{self.now}, never {least}"


class Network:
    """An engine that stands in for one, and wants an image at a time: negatives, after whatever ``before`` does with
    the number of the call."""

    name, device, precision, concurrency, batch = "torch-float32", "cpu", "float32", 1, 1
    translator = SimpleNamespace(in_channels=3)

    def __init__(self, before=lambda _: None) -> None:
        self._before, self._calls = before, Count()

    def translate(self, x):
        self._before(self._calls.add())
        return -x


class Hooked(FileStore):
    """A folder whose gets and puts first do something with their number, from 1, and their key."""

    def __init__(self, root, *, get=lambda *_: None, put=lambda *_: None) -> None:
        super().__init__(root)
        self._hooks, self._gets, self._puts = (get, put), Count(), Count()

    def get(self, key, **options):
        self._hooks[0](self._gets.add(), key)
        return super().get(key, **options)

    def put(self, key, data, **options):
        self._hooks[1](self._puts.add(), key)
        return super().put(key, data, **options)


@pytest.fixture
def items(tmp_path) -> list[Item]:
    store = FileStore(tmp_path / "in")
    fill(store, IMAGES)
    return [Item(info.key, info.etag, info.size_bytes, info.key, "png") for info in store.list()]


def make_worker(tmp_path, network, *, get=lambda *_: None, put=lambda *_: None) -> Worker:
    source, output = Hooked(tmp_path / "in", get=get), Hooked(tmp_path / "out", put=put)
    task = Task(source=source, output=output, model="a@1", registry_url=None, work=WORK, limits=Limits(),
                frames="first", sizes=Sizes(whole_px=2**20, sweep_bytes=None))
    return Worker(task, network)


def all_done(made: Worker, items: list[Item]) -> None:
    """Every item ends ok, in its place."""
    entries = list(made.process(items, never))
    assert [entry.key for entry in entries] == [item.key for item in items]
    assert {entry.outcome for entry in entries} == {"ok"}


def test_the_next_image_is_decoded_while_the_network_has_one(tmp_path, items, monkeypatch):
    decoded, decode = Count(), codec.decode

    def counted(*arguments, **options):
        picture = decode(*arguments, **options)
        decoded.add()
        return picture

    monkeypatch.setattr(codec, "decode", counted)
    network = Network(lambda number: decoded.wait(min(number + 1, IMAGES)))
    all_done(make_worker(tmp_path, network), items)


def test_the_network_has_the_next_image_while_results_are_put(tmp_path, items):
    begun = Count()
    all_done(make_worker(tmp_path, Network(lambda _: begun.add()),
                         put=lambda number, _: begun.wait(min(number + 1, IMAGES))), items)


def test_one_that_takes_long_holds_up_neither_the_others_nor_their_order(tmp_path, items):
    put = Count()

    def slow_at_first(number, _):
        if number == 1:
            put.wait(IMAGES - 1)

    all_done(make_worker(tmp_path, Network(), get=slow_at_first, put=lambda *_: put.add()), items)


def test_nothing_is_left_out_when_fewer_are_wanted_while_several_end_at_once(tmp_path, items):
    made = make_worker(tmp_path, Network())
    made._pace = SimpleNamespace(wanted=4, note=lambda _: None)
    keys = []
    for entry in made.process(items, never):
        if not keys:
            time.sleep(20 * A_MOMENT_S)  # the other three have ended when the next is looked for
            made._pace.wanted = 1
        keys.append(entry.key)
    assert keys == [item.key for item in items]


def test_a_slow_store_gets_more_threads(tmp_path, items):
    """The first gets wait for each other, more of them than are in hand before anything is known."""
    together = threading.Barrier(8)
    made = make_worker(tmp_path, Network(), get=lambda number, _: number <= 16 and together.wait(PATIENCE_S))
    assert made._pace.wanted < together.parties
    made._pace.note({"get": 100.0, "translate": 10.0})
    all_done(made, items)
    assert len(made._pace._times) == RECENT, "it goes on measuring"


@pytest.mark.parametrize(("share", "most"), [(2.5, 2), (0.5, 1)])
def test_pictures_in_hand_stay_within_their_memory(tmp_path, items, monkeypatch, share, most):
    """Also where not even one fits."""
    picture_bytes = 24 * 32 * core.PICTURE_BYTES_PER_PIXEL
    monkeypatch.setattr(core, "PIXELS_BYTES", int(share * picture_bytes))
    in_hand, decode, encode = Count(), codec.decode, codec.encode

    def counted(*arguments, **options):
        in_hand.add()
        return decode(*arguments, **options)

    def linger(number):
        if number == 1:
            in_hand.wait(most)
            time.sleep(A_MOMENT_S)

    def encoded(*arguments):
        data = encode(*arguments)
        in_hand.add(-1)
        return data

    monkeypatch.setattr(codec, "decode", counted)
    monkeypatch.setattr(codec, "encode", encoded)
    all_done(make_worker(tmp_path, Network(linger)), items)
    assert in_hand.most == most


def test_files_in_hand_stay_within_their_memory(tmp_path, items, monkeypatch):
    monkeypatch.setattr(core, "FILES_BYTES", 2 * max(item.size_bytes for item in items))
    files, decode = Count(), codec.decode

    def linger(*arguments, **options):
        if files.most < 2:
            files.wait(2)
            time.sleep(A_MOMENT_S)
        files.add(-1)
        return decode(*arguments, **options)

    monkeypatch.setattr(codec, "decode", linger)
    all_done(make_worker(tmp_path, Network(), get=lambda *_: files.add()), items)
    assert files.most == 2


def test_after_a_stop_only_what_the_network_has_comes_out(tmp_path, items):
    stop = threading.Event()
    made = make_worker(tmp_path, Network(lambda number: number == 10 and stop.set()))
    entries = list(made.process(items, stop.is_set))
    assert len(entries) - 10 in range(CHANGING + 1)
    assert [entry.key for entry in entries] == sorted(info.key for info in FileStore(tmp_path / "out").list())


def test_after_a_stop_those_that_wait_for_memory_are_not_decoded(tmp_path, items, monkeypatch):
    """Of large pictures each would take seconds, one after the other."""
    monkeypatch.setattr(core, "PIXELS_BYTES", 1)
    stop, decoded, decode = threading.Event(), Count(), codec.decode

    def counted(*arguments, **options):
        decoded.add()
        return decode(*arguments, **options)

    def linger(_):
        time.sleep(A_MOMENT_S)  # the others have come to wait
        stop.set()

    monkeypatch.setattr(codec, "decode", counted)
    assert len(list(make_worker(tmp_path, Network(linger)).process(items, stop.is_set))) == 1
    assert decoded.now == 1


def test_an_error_of_the_store_ends_it_and_nothing_new_is_begun(tmp_path, items):
    translated = Count()

    def full(number, _):
        if number == 3:
            raise StoreError("the disk is full")

    entries = []
    with pytest.raises(StoreError, match="disk is full"):
        entries.extend(make_worker(tmp_path, Network(lambda _: translated.add()), put=full).process(items, never))
    assert translated.now < IMAGES
    assert len(list((tmp_path / "out").rglob("*.png"))) == translated.now - 1
