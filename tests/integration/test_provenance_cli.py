"""What made a picture, in four formats: signed, marked, altered and foreign ones, in the words that people see."""

from __future__ import annotations

import io
import json
import shutil

import c2pa
import numpy as np
import pytest
from certificates import make_identity
from jobs import fill, make_job
from PIL import ExifTags, Image

from translate.batch.run import prepare, run
from translate.batch.worker import Worker
from translate.errors import EXIT_ITEMS_FAILED, EXIT_OK, EXIT_USAGE, UsageError, WorkDigestError
from translate.images.codec import decode, encode
from translate.images.formats import FORMATS, WRITTEN
from translate.images.mark import read_mark, to_xmp
from translate.progress import silent
from translate.stores import open_store

STUDIO = make_identity()
ENDINGS = {name: FORMATS[name].suffixes[0].removeprefix(".") for name in WRITTEN}
UNKNOWN = "signed:  by CN=studio, O=Test, who is not on a trust list"


@pytest.fixture(autouse=True)
def unsigned(monkeypatch):
    """Nothing of the machine that tests."""
    for name in ("CERTIFICATES", "KEY", "ALGORITHM", "TIMESTAMP_URL", "TRUST_ANCHORS"):
        monkeypatch.delenv(f"TRANSLATE_C2PA_{name}", raising=False)


def translate(folder, output, registry, **changes):
    """Run the job over ``folder/in``; returns its summary."""
    job = make_job(open_store(str(folder / "in")), open_store(str(folder / output)), registry, **changes)
    ended = run(prepare(job), "local", None, silent, lambda: False)
    assert ended.summary is not None
    assert ended.summary.ok == ended.summary.planned > 0
    return ended.summary


@pytest.fixture(scope="module")
def made(registry, tmp_path_factory):
    """Three pictures in four formats, signed (``signed-png`` ...) and not (``marked-png`` ...); never changed."""
    folder = tmp_path_factory.mktemp("made")
    fill(open_store(str(folder / "in")), 3)
    for format_ in WRITTEN:
        translate(folder, f"marked-{format_}", registry, format=format_)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in STUDIO.save(folder).items():
                patch.setenv(name, value)
            summary = translate(folder, f"signed-{format_}", registry, format=format_)
        assert summary.work.mark == "xmp-1+c2pa-1"
    return folder


def pixel_changed(data: bytes, format_: str) -> bytes:
    """The picture with one dark spot, saved anew with its mark, as an editor would."""
    picture = decode(data)
    picture.pixels[:8, :8] = 0
    return encode(picture, format_, 90, to_xmp(read_mark(data)))


def byte_changed(data: bytes, format_: str) -> bytes:
    """The file with one bit of its pixels flipped."""
    if format_ == "tiff":
        at = Image.open(io.BytesIO(data)).tag_v2[ExifTags.Base.StripOffsets][0] + 5
    else:
        at = {"png": data.find(b"IDAT") + 20, "jpeg": len(data) - 20, "webp": data.find(b"VP8 ") + 60,
              "avif": data.find(b"mdat") + 60}[format_]
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def foreign(format_: str, identity=None) -> bytes:
    """Somebody else's picture; with Content Credentials of theirs."""
    out = io.BytesIO()
    pixels = np.random.default_rng(8).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, format_.upper())
    if identity is None:
        return out.getvalue()
    info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=identity.chain, private_key=identity.key, ta_url=None)
    statement = {"claim_generator_info": [{"name": "PaintBox", "version": "3"}], "assertions": [
        {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType":
            "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"}]}}]}
    signed = io.BytesIO()
    with c2pa.Builder(statement, context=c2pa.Context(None, c2pa.Signer.from_info(info))) as builder:
        builder.sign(f"image/{format_}", out, signed)
    return signed.getvalue()


@pytest.mark.parametrize("format_", WRITTEN)
class TestAPictureAway:
    """From its output, without any record: what it says of itself, and whether that holds."""

    @pytest.fixture
    def said(self, verify, tmp_path, format_):
        """Saves bytes under an innocent name; gives exit code and lines of `translate verify`."""

        def say(data: bytes) -> tuple[int, list[str]]:
            path = tmp_path / f"away.{ENDINGS[format_]}"
            path.write_bytes(data)
            code, out, err = verify(path)
            assert err == ""
            return code, out.splitlines()

        return say

    @pytest.fixture
    def signed(self, made, format_):
        return (made / f"signed-{format_}/set0/0000.{ENDINGS[format_]}").read_bytes()

    @pytest.fixture
    def marked(self, made, format_):
        return (made / f"marked-{format_}/set0/0000.{ENDINGS[format_]}").read_bytes()

    def test_signed(self, said, signed, format_):
        code, (first, made_by, source, work, by) = said(signed)
        assert code == EXIT_OK
        assert first == f"away.{ENDINGS[format_]}: signed; unaltered since; no run's record is at hand"
        assert made_by.startswith("  made by: model tiny@1, sha256:")
        assert source.startswith("  from:    sha256:")
        assert work.startswith("  work:    sha256:")
        assert by == f"  {UNKNOWN}"

    def test_signed_by_somebody_trusted(self, said, signed, monkeypatch, tmp_path):
        (tmp_path / "anchors.pem").write_bytes(STUDIO.root)
        monkeypatch.setenv("TRANSLATE_C2PA_TRUST_ANCHORS", str(tmp_path / "anchors.pem"))
        assert said(signed)[1][-1] == "  signed:  by CN=studio, O=Test"

    def test_marked_only(self, said, marked):
        code, lines = said(marked)
        assert code == EXIT_OK
        assert "marked; it says so itself; no run's record is at hand to hold it against" in lines[0]
        assert len(lines) == 4

    def test_altered_after_marking(self, said, marked, format_):
        code, lines = said(pixel_changed(marked, format_))
        assert (code, len(lines)) == (EXIT_OK, 4), "a mark is a claim: without record or signature nobody can tell"
        assert "marked; it says so itself" in lines[0]

    def test_altered_after_signing(self, said, signed, format_):
        code, lines = said(byte_changed(signed, format_))
        assert code == EXIT_ITEMS_FAILED
        assert "altered; the picture was changed after it was signed" in lines[0]
        assert lines[-1] == f"  {UNKNOWN}; the picture was changed after it was signed"

    def test_signature_stripped(self, said, signed, format_):
        code, lines = said(pixel_changed(signed, format_))
        assert code == EXIT_OK
        assert "marked; it says so itself" in lines[0]

    def test_foreign(self, said, format_):
        code, lines = said(foreign(format_))
        assert code == EXIT_ITEMS_FAILED
        assert lines == [f"away.{ENDINGS[format_]}: unmarked; nothing in it says what made it"]

    def test_foreign_with_credentials_of_somebody_else(self, said, format_):
        code, lines = said(foreign(format_, make_identity("painter")))
        assert code == EXIT_ITEMS_FAILED
        assert lines == [f"away.{ENDINGS[format_]}: not ours; it is the work of PaintBox 3",
                         "  signed:  by CN=painter, O=Test, who is not on a trust list"]


@pytest.mark.parametrize("format_", WRITTEN)
def test_an_output_of_each_kind_in_its_place(verify, made, tmp_path, format_):
    output, ending = shutil.copytree(made / f"signed-{format_}", tmp_path / "out"), ENDINGS[format_]
    code, out, _ = verify(output)
    assert (code, out.splitlines()) == (EXIT_OK, [
        "3 pictures: 3 unaltered", "3 signed by CN=studio, O=Test, who is not on a trust list"])
    path = output / f"set0/0000.{ending}"
    code, out, _ = verify(path)
    assert code == EXIT_OK
    assert out.startswith(f"set0/0000.{ending}: unaltered\n")
    assert UNKNOWN in out
    assert "/in/set0/0000.png" in out

    whole = path.read_bytes()
    for change in (byte_changed(whole, format_), pixel_changed(whole, format_), foreign(format_, make_identity())):
        path.write_bytes(change)
        code, out, _ = verify(path)
        assert code == EXIT_ITEMS_FAILED
        assert out.startswith(f"set0/0000.{ending}: altered; ")
    (output / f"mine.{ending}").write_bytes(foreign(format_))
    code, out, _ = verify(output)
    assert code == EXIT_ITEMS_FAILED
    assert out.splitlines()[-2] == "4 pictures: 2 unaltered, 1 altered, 1 not ours"


def test_one_run_of_an_output(verify, registry, tmp_path):
    keys = fill(open_store(str(tmp_path / "in")), 4)
    first = translate(tmp_path, "out", registry).run
    (tmp_path / "in" / keys[0]).write_bytes((tmp_path / "in" / keys[1]).read_bytes())
    second = translate(tmp_path, "out", registry).run
    (tmp_path / "out/mine.png").write_bytes(foreign("png"))
    runs = tmp_path / "out/_translate/runs"
    code, out, err = verify(runs / first)
    assert (code, out) == (EXIT_OK, "3 pictures: 3 unaltered\n")
    assert "1 of what this run wrote, later runs wrote anew" in err
    assert verify(f"{runs / second}/")[:2] == (EXIT_OK, "1 pictures: 1 unaltered\n")
    (tmp_path / "out" / keys[0]).unlink()
    assert verify(runs / first)[0] == EXIT_OK
    assert "1 missing" in verify(runs / second)[1]
    code, _, err = verify(runs / "19990101T000000Z-none")
    assert code == EXIT_USAGE
    assert "there is no run" in err


def test_json_has_all_of_it(verify, made):
    found = json.loads(verify(made / "signed-png/set0/0000.png", "--json")[1])
    assert found["credentials"]["signer"] == "CN=studio, O=Test"
    assert found["credentials"]["mark"] == found["mark"]
    assert found["credentials"]["trusted"] is found["credentials"]["altered"] is False
    everything = json.loads(verify(made / "signed-png", "--json")[1])
    assert everything["signers"] == {"by CN=studio, O=Test, who is not on a trust list": 3}


@pytest.mark.parametrize("format_", WRITTEN)
def test_a_repeat_has_the_same_pixels_and_mark(made, registry, monkeypatch, tmp_path, format_):
    for name, value in STUDIO.save(tmp_path).items():
        monkeypatch.setenv(name, value)
    shutil.copytree(made / "in", tmp_path / "in")
    translate(tmp_path, "again", registry, format=format_)
    for folder in ("set0", "set1", "set2"):
        (one,), (two,) = (sorted((place / folder).iterdir()) for place in
                          (made / f"signed-{format_}", tmp_path / "again"))
        assert np.array_equal(decode(one.read_bytes()).pixels, decode(two.read_bytes()).pixels)
        assert read_mark(one.read_bytes()) == read_mark(two.read_bytes())
        plain = (made / f"marked-{format_}" / folder / one.name).read_bytes()
        assert np.array_equal(decode(one.read_bytes()).pixels, decode(plain).pixels)


def test_signed_outputs_are_other_work(made, registry, monkeypatch, tmp_path):
    shutil.copytree(made / "in", tmp_path / "in")
    shutil.copytree(made / "marked-png", tmp_path / "out")
    for name, value in STUDIO.save(tmp_path).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WorkDigestError, match=r"mark: xmp-1 -> xmp-1\+c2pa-1"):
        translate(tmp_path, "out", registry, format="png")


def test_what_cannot_sign_stops_before_the_first_image(command, made, registry, monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSLATE_C2PA_CERTIFICATES", str(made / "chain.pem"))
    asked = ("--model", "tiny", "--registry", registry, "--input", made / "in", "--output", tmp_path / "out")
    code, _, err = command("run", *asked)
    assert code == EXIT_USAGE
    assert "TRANSLATE_C2PA_KEY is not set on this machine" in err
    monkeypatch.setenv("TRANSLATE_C2PA_KEY", str(made / "chain.pem"))
    code, _, err = command("run", *asked)
    assert code == EXIT_USAGE
    assert "pictures can't be signed with" in err
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").rglob("*.*"))


def test_a_worker_elsewhere_without_the_key_says_so(made, registry, monkeypatch, tmp_path):
    for name, value in STUDIO.save(tmp_path).items():
        monkeypatch.setenv(name, value)
    prepared = prepare(make_job(open_store(str(made / "in")), open_store(str(tmp_path / "out")), registry))
    monkeypatch.delenv("TRANSLATE_C2PA_KEY")
    with pytest.raises(UsageError, match="TRANSLATE_C2PA_KEY is not set on this machine"):
        Worker(prepared.task, prepared.engine)


def test_records_hold_no_secret(made):
    secrets = [line for line in STUDIO.key.decode().splitlines() if not line.startswith("-")]
    secrets += [str(made / "key.pem"), str(made / "chain.pem")]
    for path in (made / "signed-png").rglob("*"):
        if path.is_file():
            data = path.read_bytes().decode("latin-1")
            assert not any(secret in data for secret in secrets), path


@pytest.mark.parametrize("format_", WRITTEN)
def test_place_and_owner_go_out_only_when_asked_for(command, verify, registry, tmp_path, format_):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Somebody Real"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 29.6)})
    (tmp_path / "in").mkdir()
    photo = tmp_path / f"in/photo.{ENDINGS[format_]}"
    Image.fromarray(decode(foreign("png")).pixels).save(photo, exif=exif.tobytes())
    asked = ("run", "--model", "tiny", "--registry", registry, "--input", tmp_path / "in", "--output", tmp_path / "out")
    written = tmp_path / "out" / photo.name
    assert command(*asked)[0] == EXIT_OK
    assert b"Somebody" not in written.read_bytes()
    assert ExifTags.IFD.GPSInfo not in Image.open(io.BytesIO(written.read_bytes())).getexif()
    code, _, err = command(*asked, "--exif", "keep")
    assert code == EXIT_USAGE
    assert "exif: drop -> keep" in err
    assert command(*asked, "--exif", "keep", "--overwrite", "stale")[0] == EXIT_OK
    kept = Image.open(io.BytesIO(written.read_bytes())).getexif()
    assert kept[ExifTags.Base.Artist] == "Somebody Real"
    assert kept.get_ifd(ExifTags.IFD.GPSInfo)[2] == (48.0, 51.0, 29.6)
    assert verify(tmp_path / "out")[:2] == (EXIT_OK, "1 pictures: 1 unaltered\n")
