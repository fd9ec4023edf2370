"""Classic archives, fetched from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from archive_server import ArchiveServer
from training_set import picture, png

from translate.datasets import _archive, _download
from translate.datasets.classic import fetch
from translate.errors import DataError, UnknownNameError
from translate.stores import open_store

UNPAIRED = {f"horse2zebra/{folder}/{i}.png": png(picture(i)) for folder in ("trainA", "trainB", "testA", "testB")
            for i in range(2)}
PAIRED = {f"facades/{folder}/{i}.png": png(np.hstack([picture(i), picture(i + 9)])) for folder in ("train", "val")
          for i in range(3)}


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("horse2zebra")
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files, *members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return out.getvalue()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ArchiveServer()
    yield server
    server.close()


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "set"))


def get(name, store, server, **options):
    return fetch(name, store, base_url=server.url, first_pause_s=0.001, **options)


def keys(store):
    return [info.key for info in store.list()]


def test_an_unpaired_set(server, store):
    archive = server.files["/horse2zebra.zip"] = zipped({**UNPAIRED, "horse2zebra/README.txt": b"horses"})
    reports = []
    index, done = get("horse2zebra", store, server, report=reports.append)
    assert done
    assert index.images == {"testA": 2, "testB": 2, "trainA": 2, "trainB": 2}
    assert index.left_out == []
    for name, content in UNPAIRED.items():
        assert store.get(name.removeprefix("horse2zebra/")).data == content
    written = json.loads(store.get("index.json").data)
    assert written["sha256"] == hashlib.sha256(archive).hexdigest()
    assert written["url"] == f"{server.url}/horse2zebra.zip"
    assert written["sha256"] in store.get("ATTRIBUTION.md").data.decode()
    assert {report.unit for report in reports} == {"MB", "files checked", "images"}
    assert (reports[-1].done, reports[-1].total) == (8, 8)


def test_a_paired_set(server, store):
    server.files["/facades.tar.gz"] = tarred(PAIRED)
    index, _ = get("facades", store, server)
    assert index.images == {"train": 3, "val": 3}
    assert store.get("train/0.png").data == PAIRED["facades/train/0.png"]


def test_a_broken_connection_is_resumed_where_it_broke(server, store):
    archive = server.files["/horse2zebra.zip"] = zipped(UNPAIRED)
    server.cuts = [1000, 500]
    index, _ = get("horse2zebra", store, server)
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000-", "bytes=1500-"]
    assert index.sha256 == hashlib.sha256(archive).hexdigest()


def test_a_server_without_ranges_starts_over(server, store):
    archive = server.files["/horse2zebra.zip"] = zipped(UNPAIRED)
    server.cuts, server.ranges = [1000], False
    index, _ = get("horse2zebra", store, server)
    assert index.sha256 == hashlib.sha256(archive).hexdigest()


def test_two_versions_of_a_file_are_not_glued_together(server, tmp_path):
    old, new = b"PK\x03\x04" + b"old" * 1000, b"PK\x03\x04" + b"new" * 1000
    server.files["/x.zip"], server.cuts = old, [1000]

    def change(progress):
        if progress.note:
            server.files["/x.zip"], server.etag = new, '"2"'

    found = _download.download(f"{server.url}/x.zip", tmp_path / "x.zip", first_bytes=b"PK\x03\x04",
                               first_pause_s=0.001, report=change)
    assert found == hashlib.sha256(new).hexdigest()


def test_a_connection_that_always_breaks_is_given_up(server, store):
    server.files["/horse2zebra.zip"] = zipped(UNPAIRED)
    server.cuts = [500] + [0] * 50
    with pytest.raises(DataError, match="gave up after 6 tries with 500 bytes"):
        get("horse2zebra", store, server)
    assert len(server.asked) == 1 + _download.TRIES
    assert keys(store) == []


def test_a_busy_server_is_asked_again(server, store):
    server.files["/horse2zebra.zip"] = zipped(UNPAIRED)
    server.busy = 2
    assert get("horse2zebra", store, server)[1]
    assert len(server.asked) == 3


def test_nobody_there_is_given_up(server, store, monkeypatch):
    monkeypatch.setattr(_download, "TRIES", 2)
    url = server.url
    server._server.socket.close()
    with pytest.raises(DataError, match="could not be read"):
        fetch("horse2zebra", store, base_url=url, first_pause_s=0.001)


def test_not_there(server, store):
    with pytest.raises(DataError, match=r"horse2zebra\.zip: the server answers 404 .*--base-url"):
        get("horse2zebra", store, server)
    assert len(server.asked) == 1, "what is not there is not asked for again"


def test_a_web_page_is_no_archive(server, store):
    server.files["/horse2zebra.zip"], server.content_type = b"<html>moved</html>", "text/html; charset=utf-8"
    with pytest.raises(DataError, match=r"a web page \(text/html\)"):
        get("horse2zebra", store, server)


def test_other_content_is_no_archive(server, store):
    server.files["/horse2zebra.zip"] = b"<!doctype html> moved"
    with pytest.raises(DataError, match="begins with b'<!doctype html> moved'"):
        get("horse2zebra", store, server)


@pytest.mark.parametrize("base_url", ["file:///etc", "ftp://127.0.0.1", "horses"])
def test_only_web_addresses_are_opened(store, base_url):
    with pytest.raises(DataError, match="is no web address"):
        fetch("horse2zebra", store, base_url=base_url)


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "horse2zebra/../../evil.png", "C:/evil.png",
                                  "horse2zebra\\..\\evil.png", "horse2zebra//evil.png", "trainA/a\nb.png"])
def test_a_name_that_leads_out_is_refused(server, store, tmp_path, name):
    server.files["/facades.tar.gz"] = tarred({**PAIRED, name: png(picture(0))})
    with pytest.raises(DataError, match="such an archive is not unpacked"):
        get("facades", store, server)
    assert list(tmp_path.rglob("*")) == [], "nothing is written from such an archive"
    path = tmp_path / "x.zip"
    path.write_bytes(zipped({name: b""}))
    with pytest.raises(DataError, match="such an archive is not unpacked"):
        list(_archive.archive_files(path))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(server, store, kind):
    member = tarfile.TarInfo("facades/train/link.png")
    member.type, member.linkname = kind, "/etc/passwd"
    server.files["/facades.tar.gz"] = tarred(PAIRED, member)
    with pytest.raises(DataError, match=r"link\.png' is a link or a device"):
        get("facades", store, server)
    assert keys(store) == []


def test_a_link_in_a_zip_is_refused(server, store):
    member = zipfile.ZipInfo("horse2zebra/trainA/link.png")
    member.external_attr = 0o120777 << 16
    server.files["/horse2zebra.zip"] = zipped({**UNPAIRED, member: b"/etc/passwd"})
    with pytest.raises(DataError, match=r"link\.png' is a link or a device"):
        get("horse2zebra", store, server)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_archive_is_refused(server, store, share):
    # Whole by its length, so only reading it tells.
    for name, archive in (("/horse2zebra.zip", zipped(UNPAIRED)), ("/facades.tar.gz", tarred(PAIRED))):
        server.files[name] = archive[: int(len(archive) * share)]
        with pytest.raises(DataError, match="is damaged or cut short"):
            get(name[1:].split(".")[0], store, server)
    assert keys(store) == []


def test_a_damaged_archive_is_refused(server, store):
    for name, archive in (("/horse2zebra.zip", zipped(UNPAIRED)), ("/facades.tar.gz", tarred(PAIRED))):
        middle = len(archive) // 2
        server.files[name] = archive[:middle] + bytes(8) + archive[middle + 8 :]
        with pytest.raises(DataError, match="is damaged or cut short"):
            get(name[1:].split(".")[0], store, server)
    assert keys(store) == []


def test_bombs_are_refused(tmp_path):
    limits = _archive.ArchiveLimits(max_files=5, max_file_bytes=1_000_000, max_ratio=10, slack_bytes=100_000)
    zeros = bytes(500_000)
    many = {f"{i}.png": b"" for i in range(6)}
    longname = tarfile.TarInfo("x" * 300_000)
    cases = {
        "one.zip": zipped({"x.png": zeros}), "one.tar.gz": tarred({"x.png": zeros}),
        "large.zip": zipped({"x.png": zeros * 3}), "large.tar.gz": tarred({"x.png": zeros * 3}),
        "many.zip": zipped(many), "many.tar.gz": tarred(many),
        "name.tar.gz": tarred({}, *[longname] * 60),
        "tail.tar.gz": tarred({"x.png": b""}) + gzip.compress(bytes(2_000_000)),
    }
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match="unpacks to more than"):
            list(_archive.archive_files(path, limits))


def test_unreadable_images_are_left_out_and_listed(server, store):
    server.files["/horse2zebra.zip"] = zipped({**UNPAIRED, "horse2zebra/trainA/page.jpg": b"<html></html>",
                                               "horse2zebra/more/9.png": png(picture(9)),
                                               "__MACOSX/horse2zebra/trainA/._0.png": b"finder"})
    index, _ = get("horse2zebra", store, server)
    assert [(file.name, file.reason.split(":")[0]) for file in index.left_out] == [
        ("horse2zebra/trainA/page.jpg", "input.not_an_image"),
        ("horse2zebra/more/9.png", "is not in trainA, trainB, testA, testB"),
    ]
    assert len(keys(store)) == 8 + 2
    assert json.loads(store.get("index.json").data)["left_out"][0]["name"] == "horse2zebra/trainA/page.jpg"


def test_another_archive_under_this_name_is_refused(server, store):
    server.files["/horse2zebra.zip"] = zipped(PAIRED)
    with pytest.raises(DataError, match="no readable images in trainA, trainB"):
        get("horse2zebra", store, server)
    assert keys(store) == []


def test_the_same_again_does_nothing(server, store):
    server.files["/horse2zebra.zip"] = zipped(UNPAIRED)
    first, _ = get("horse2zebra", store, server)
    before = list(store.list())
    assert get("horse2zebra", store, server) == (first, False)
    assert len(server.asked) == 1
    assert list(store.list()) == before


def test_an_unfinished_destination_is_finished(server, store):
    server.files["/horse2zebra.zip"] = zipped(UNPAIRED)
    store.put("trainA/0.png", b"half of it")
    _, done = get("horse2zebra", store, server)
    assert done
    assert store.get("trainA/0.png").data == UNPAIRED["horse2zebra/trainA/0.png"]


def test_a_destination_with_other_images_is_refused(server, store):
    server.files["/horse2zebra.zip"] = zipped(UNPAIRED)
    store.put("trainA/holiday.png", png(picture(1)))
    with pytest.raises(DataError, match=r"trainA/holiday\.png, which is not of this set"):
        get("horse2zebra", store, server)
    store.delete("trainA/holiday.png")
    get("horse2zebra", store, server)
    with pytest.raises(DataError, match="holds horse2zebra from"):
        get("monet2photo", store, server)


def test_an_unknown_name_is_told_the_known_ones(store):
    with pytest.raises(UnknownNameError, match="Did you mean 'horse2zebra'"):
        fetch("horse2zebras", store)
