"""The folder store: what POSIX adds to the contract (links, permissions, full disks, leftovers)."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from translate.errors import AccessError, ItemError, NotFoundError, PreconditionError, StoreError
from translate.stores import file as file_module
from translate.stores.contract import IfUnchanged, PutMode
from translate.stores.file import FileStore


def keys(store: FileStore) -> list[str]:
    return [info.key for info in store.list()]


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


PIECES = st.sampled_from(["..", ".", "/", "//", "a", "\\", "\0", "é", "~", "$HOME", "C:", "%2e%2e", "\n", " "])


@given(
    st.one_of(
        st.text(),
        st.text(alphabet=st.characters(categories=("Cs", "Ll", "Po"))),
        st.lists(PIECES, max_size=8).map("".join),
        st.text(alphabet="abc", min_size=200, max_size=300),
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_round_trips_or_is_refused_and_nothing_is_made_outside(tmp_path: Path, key: str) -> None:
    store = FileStore(tmp_path / "outer" / "root")
    store.put("anchor", b"")
    try:
        info, code = store.put(key, b"data"), None
    except ItemError as error:
        info, code = None, error.code
    if info is None:
        assert code == "output.key_refused"
        with pytest.raises(NotFoundError):
            store.get(key)
        assert keys(store) == ["anchor"]
    else:
        assert store.get(key).data == b"data"
        assert store.head(key) == info
        assert info in list(store.list())
        assert (store.root / key).resolve().is_relative_to(store.root)
        store.delete(key)
    assert list(tmp_path.iterdir()) == [tmp_path / "outer"]
    assert list((tmp_path / "outer").iterdir()) == [tmp_path / "outer" / "root"]
    shutil.rmtree(store.root)


def test_no_key_reads_or_removes_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    store = FileStore(tmp_path / "root")
    store.put("k", b"")
    for key in ("../secret", "k/../../secret", str(tmp_path / "secret"), "./../secret", "..//secret"):
        with pytest.raises(NotFoundError):
            store.get(key)
        store.delete(key)
    assert [info.key for info in store.list("../")] == []
    assert (tmp_path / "secret").read_bytes() == b"s"


def test_temporary_files_are_never_listed_and_never_keys(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("k", b"1")
    (tmp_path / ".translate-tmp-left-by-a-killed-process").write_bytes(b"half")
    store.put("k", b"2", mode=IfUnchanged(store.head("k").etag))
    assert keys(store) == ["k"]
    with pytest.raises(ItemError, match=r"output.key_refused.*temporary"):
        store.put("a/.translate-tmp-x", b"")
    with pytest.raises(NotFoundError):
        store.get(".translate-tmp-left-by-a-killed-process")


def test_quick_rewrites_of_the_same_length_never_share_an_etag(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    etags = [store.put("k", b"%04d" % n).etag for n in range(100)]
    assert len(set(etags)) == len(etags)


def test_a_file_in_the_way_costs_one_item(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("a", b"")
    store.put("d/x", b"")
    for key, mode in (("a/b", PutMode.OVERWRITE), ("d", PutMode.OVERWRITE)):
        with pytest.raises(ItemError, match=r"output.key_refused.*in its way"):
            store.put(key, b"", mode=mode)
    assert keys(store) == ["a", "d/x"]
    assert everything_below(tmp_path) == {"a", "d", "d/x"}


def test_links_are_followed_but_loops_are_not(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep" / "p.jpg").write_bytes(b"p")
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(elsewhere)
    (root / "one.jpg").symlink_to(elsewhere / "deep" / "p.jpg")
    (root / "broken.jpg").symlink_to(tmp_path / "nothing")
    (root / "up").symlink_to(tmp_path)
    (elsewhere / "deep" / "again").symlink_to(elsewhere)
    (elsewhere / "deep" / "self").symlink_to("self")
    store = FileStore(root)
    assert keys(store) == ["linked/deep/p.jpg", "one.jpg"]
    assert store.get("linked/deep/p.jpg").data == b"p"
    store.put("one.jpg", b"new")
    assert (elsewhere / "deep" / "p.jpg").read_bytes() == b"p"


def test_links_to_nothing_are_counted_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).symlink_to(tmp_path / "nothing")
    store = FileStore(tmp_path)
    assert keys(store) == keys(store) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"links to nothing in {tmp_path}, passed over: 2; find -L -type l lists them"], "once, while nothing changes"
    (tmp_path / "b.jpg").unlink()
    keys(store)
    assert len(caplog.records) == 2


def test_two_links_that_lead_into_each_other_end(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_bytes(b"")
    (tmp_path / "a" / "to-b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to-a").symlink_to(tmp_path / "a")
    assert keys(FileStore(tmp_path / "a")) == ["to-b/x.jpg", "x.jpg"]


def test_pipes_and_folders_are_no_objects(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    store = FileStore(tmp_path)
    assert keys(store) == []
    for key in ("pipe.jpg", "folder.jpg"):
        with pytest.raises(NotFoundError):
            store.get(key)


def test_a_name_that_is_not_utf8_is_listed_and_read(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"latin-1")
    store = FileStore(tmp_path)
    assert [store.get(key).data for key in keys(store)] == [b"latin-1"]


def test_a_deep_tree_is_walked(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    key = "d/" * 200 + "x.jpg"
    store.put(key, b"x")
    assert keys(store) == [key]
    with pytest.raises(ItemError, match=r"output.key_refused.*deep"):
        store.put("d/" + key, b"x")


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FileStore(tmp_path).put("k", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("number", "expected", "words"),
    [
        (errno.ENOSPC, StoreError, "the disk is full; make room"),
        (errno.EDQUOT, StoreError, "the disk is full; make room"),
        (errno.EACCES, AccessError, "check owner and permissions"),
        (errno.EROFS, AccessError, "check owner and permissions"),
        (errno.EIO, StoreError, "could not write"),
    ],
)
def test_what_the_system_refuses_is_said_clearly_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[StoreError], words: str
) -> None:
    """A broken disk cannot be had in a test: the system call that meets it fails in its place."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(file_module.os, "fsync", fail)
    with pytest.raises(expected, match=words) as raised:
        FileStore(tmp_path).put("k", b"data")
    assert type(raised.value) is expected
    assert everything_below(tmp_path) == set()


def test_a_full_disk_keeps_what_it_has_and_nothing_half_written(small_disk: Path) -> None:
    store = FileStore(small_disk / "out")
    store.put("a/kept.png", b"old")
    for mode in (PutMode.OVERWRITE, PutMode.CREATE, IfUnchanged(store.head("a/kept.png").etag)):
        with pytest.raises(StoreError, match=r"could not write .*: the disk is full; make room") as raised:
            store.put("a/new.png" if mode is PutMode.CREATE else "a/kept.png", b"x" * 4_000_000, mode=mode)
        assert raised.value.exit_code == 4
    assert everything_below(small_disk) == {"out", "out/a", "out/a/kept.png"}
    assert store.get("a/kept.png").data == b"old"
    store.put("a/kept.png", b"new")
    assert store.get("a/kept.png").data == b"new"


def test_a_limit_on_the_size_of_files_is_said_clearly(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from translate.stores.file import FileStore\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); FileStore(sys.argv[1]).put('k', b'x' * 5000)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert f"StoreError: could not write {tmp_path / 'k'}: File too large" in done.stderr
    assert everything_below(tmp_path) == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_permissions_are_an_access_error(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "root")
    store.put("d/k", b"")
    (tmp_path / "root" / "d" / "k").chmod(0)
    with pytest.raises(AccessError):
        store.get("d/k")
    (tmp_path / "root" / "d").chmod(0)
    try:
        with pytest.raises(AccessError):
            keys(store)
        with pytest.raises(AccessError):
            store.put("d/new", b"")
    finally:
        (tmp_path / "root" / "d").chmod(0o700)


def test_a_file_as_the_root_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    for root in (tmp_path / "out", tmp_path / "out" / "deeper" / "still"):
        with pytest.raises(StoreError, match="out is a file; expected a folder"):
            FileStore(root).put("k", b"")


def test_create_holds_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    store = FileStore(tmp_path)
    store.put("k", b"1", mode=PutMode.CREATE)
    with pytest.raises(PreconditionError):
        store.put("k", b"2", mode=PutMode.CREATE)
    assert store.get("k").data == b"1"


def _add(root: str, steps: int) -> None:
    store = FileStore(root)
    while steps:
        now = store.get("counter")
        try:
            store.put("counter", b"%d" % (int(now.data) + 1), mode=IfUnchanged(now.info.etag))
            steps -= 1
        except PreconditionError:
            continue


def test_processes_that_swap_a_counter_lose_no_step(tmp_path: Path) -> None:
    FileStore(tmp_path).put("counter", b"0")
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_add, args=(str(tmp_path), 30)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert FileStore(tmp_path).get("counter").data == b"90"
