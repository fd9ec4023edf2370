"""Content Credentials: signed pictures say who signed, altered ones that they were; no secret is told."""

from __future__ import annotations

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import c2pa
import numpy as np
import pytest
from certificates import make_identity
from PIL import Image

from translate.errors import ItemError, UsageError
from translate.images import credentials
from translate.images.codec import decode, encode
from translate.images.credentials import Signer, open_signer, read_credentials, signing_is_asked_for
from translate.images.formats import WRITTEN
from translate.images.mark import SOURCE_TYPE, Mark, read_mark, to_xmp
from translate.images.picture import Picture

MARK = Mark("monet2photo@1", *("sha256:" + digit * 64 for digit in "abc"))
STUDIO = make_identity()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing of the machine that tests."""
    for name in ("CERTIFICATES", "KEY", "ALGORITHM", "TIMESTAMP_URL", "TRUST_ANCHORS"):
        monkeypatch.delenv(f"TRANSLATE_C2PA_{name}", raising=False)


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """The environment of a machine that signs; gives its folder."""
    for name, value in STUDIO.save(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture(scope="module")
def signer():
    return Signer(STUDIO.chain, STUDIO.key)


def marked(format_: str, *, alpha: bool = False) -> bytes:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (40, 64, 3), dtype=np.uint8)
    cover = rng.integers(0, 255, (40, 64), dtype=np.uint8) if alpha else None
    return encode(Picture(pixels, cover, "png"), format_, 90, to_xmp(MARK))


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("format_", WRITTEN)
def test_a_signature_moves_no_pixel_and_keeps_the_mark(signer, format_, alpha):
    data = marked(format_, alpha=alpha)
    signed, again = signer.sign(data, MARK), signer.sign(data, MARK)
    found = read_credentials(signed)
    assert found is not None
    assert (found.mark, found.altered, found.fault, found.trusted) == (MARK, False, "", False)
    assert found.signed_by == "CN=studio, O=Test, who is not on a trust list"
    assert found.program.startswith("translate ")
    assert read_mark(signed) == read_mark(again) == MARK
    before, after = decode(data), decode(signed)
    assert np.array_equal(before.pixels, after.pixels)
    assert alpha == (before.alpha is not None) or format_ == "jpeg"
    assert before.alpha is None or np.array_equal(before.alpha, after.alpha)
    assert signed != again, "a salt is part of it: the promise of equal bytes ends here"
    assert len(signed) - len(data) < 6000
    assert read_credentials(data) is None


def test_what_is_signed_is_what_the_standard_says(signer):
    signed = signer.sign(marked("png"), MARK)
    manifest = json.loads(c2pa.Reader("image/png", io.BytesIO(signed)).json())
    (made,) = (m for m in manifest["manifests"].values())
    (action,) = next(a["data"]["actions"] for a in made["assertions"] if a["label"].startswith("c2pa.actions"))
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == SOURCE_TYPE
    (source,) = made["ingredients"]
    assert (source["relationship"], source["instance_id"]) == ("inputTo", MARK.source_digest)
    assert "thumbnail" not in json.dumps(made)
    assert "when" not in action


@pytest.mark.parametrize("format_", WRITTEN)
def test_a_change_of_what_is_shown_or_said_is_seen(signer, format_):
    signed = signer.sign(marked(format_), MARK)
    shown = decode(signed).pixels
    faults = 0
    rng = np.random.default_rng(7)
    places = [len(signed) // 2, signed.index(b"x-translate.mark") + 60, signed.index(b"c2pa.signature") + 80]
    for at in [*places, *rng.integers(0, len(signed), 60)]:
        data = bytearray(signed)
        data[at] ^= 1
        try:
            found = read_credentials(bytes(data))
            if found is not None and not found.fault:  # the signature's own padding, which says nothing
                assert found.mark == read_mark(bytes(data)) == MARK
                assert np.array_equal(decode(bytes(data)).pixels, shown), f"byte {at} of {len(signed)}"
                continue
        except ItemError:
            continue  # no image any more
        assert found is None or found.altered
        faults += found is not None
    assert faults > 10
    assert read_credentials(signed).fault == ""


def test_words_of_what_was_altered(signer):
    signed = signer.sign(marked("png"), MARK)
    pixels = bytearray(signed)
    pixels[-40] ^= 1
    assert read_credentials(bytes(pixels)).fault == "the picture was changed after it was signed"
    words = signed.replace(b"monet2photo@1", b"monet2photo@2", 2)
    found = read_credentials(words)
    assert found.altered
    assert "what it says of itself was changed after it was signed" in found.fault
    torn = signed.replace(b"jumb", b"jumX", 1) + b"jumb"
    assert read_credentials(torn) is None or read_credentials(torn).altered


def test_trust_is_the_readers(signer, configured, monkeypatch):
    signed = signer.sign(marked("jpeg"), MARK)
    anchors = configured / "anchors.pem"
    monkeypatch.setenv(credentials.TRUST_ANCHORS, str(anchors))
    anchors.write_bytes(make_identity().root + STUDIO.root)
    found = read_credentials(signed)
    assert (found.trusted, found.signed_by) == (True, "CN=studio, O=Test")
    anchors.write_bytes(make_identity().root)
    assert not read_credentials(signed).trusted
    anchors.write_text("hello")
    with pytest.raises(UsageError, match="holds no certificate"):
        read_credentials(signed)


def test_a_certificate_that_has_expired():
    identity = make_identity("brief", timedelta(seconds=4))
    signed = Signer(identity.chain, identity.key).sign(marked("png"), MARK)
    assert read_credentials(signed).fault == ""
    time.sleep(5)
    found = read_credentials(signed)
    assert not found.altered
    assert "certificate has expired" in found.fault


def test_pictures_that_others_signed():
    identity = make_identity("some\u202ebody\x07")
    info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=identity.chain, private_key=identity.key, ta_url=None)
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}]}
    statement = {"claim_generator_info": [{"name": "Photo\x1b[31mShop", "version": "9"}],
                 "assertions": [{"label": "c2pa.actions.v2", "data": actions}]}
    out = io.BytesIO()
    with c2pa.Builder(statement, context=c2pa.Context(None, c2pa.Signer.from_info(info))) as builder:
        builder.sign("image/jpeg", io.BytesIO(marked("jpeg")), out)
    found = read_credentials(out.getvalue())
    assert (found.mark, found.fault) == (None, "")
    assert found.program == "Photo\ufffd[31mShop 9"
    assert found.signer.isprintable()
    assert found.signer.startswith("CN=some\ufffdbody\ufffd")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_pictures_without(kind):
    out = io.BytesIO()
    Image.new("L" if kind in ("GIF", "BMP") else "RGB", (8, 8), 90).save(out, kind)
    assert read_credentials(out.getvalue()) is None
    found = read_credentials(out.getvalue() + b"jumb c2pa")
    assert found is None or not found.mark


def test_threads_share_a_signer(signer):
    data = marked("png")
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda _: read_credentials(signer.sign(data, MARK)), range(32))
        assert {(each.mark, each.fault) for each in found} == {(MARK, "")}


@pytest.mark.usefixtures("configured")
def test_the_environment_names_the_signer():
    assert signing_is_asked_for()
    signed = open_signer().sign(marked("webp"), MARK)
    assert read_credentials(signed).signer == "CN=studio, O=Test"


def test_without_it_nothing_is_signed(monkeypatch):
    assert not signing_is_asked_for()
    monkeypatch.setenv(credentials.KEY, "")
    assert not signing_is_asked_for()


def message(**changes: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setenv(f"TRANSLATE_C2PA_{name}", value)
        with pytest.raises(UsageError) as caught:
            open_signer()
    return str(caught.value)


def test_mistakes_are_told_and_no_secret_is(configured):
    key = STUDIO.key.decode()
    (configured / "other.pem").write_bytes(make_identity().key)
    (configured / "text.pem").write_text("hello")
    (configured / "torn.pem").write_text(key[:80])
    found = {
        "unset": message(KEY=""),
        "missing": message(KEY=str(configured / "none.pem")),
        "the key itself": message(KEY=key),
        "no key": message(KEY=str(configured / "text.pem")),
        "torn": message(KEY=str(configured / "torn.pem")),
        "another's key": message(KEY=str(configured / "other.pem")),
        "no certificate": message(CERTIFICATES=str(configured / "text.pem")),
        "algorithm": message(ALGORITHM="rot13"),
        "another algorithm": message(ALGORITHM="ed25519"),
        "nobody there": message(TIMESTAMP_URL="http://127.0.0.1:9/"),
    }
    assert "TRANSLATE_C2PA_KEY is not set" in found["unset"]
    assert "No such file" in found["missing"]
    assert "time stamp of http://127.0.0.1:9/" in found["nobody there"]
    for case, words in found.items():
        assert "TRANSLATE_C2PA_" in words, case
        assert not any(line in words for line in key.splitlines()), case
        assert len(words) < 600, case


@pytest.mark.usefixtures("configured")
def test_without_the_extra(monkeypatch, signer):
    signed = signer.sign(marked("png"), MARK)
    monkeypatch.setattr(credentials.importlib.util, "find_spec", lambda _name: None)
    assert "translate-images[provenance]" in message()
    found = read_credentials(signed)
    assert not found.altered
    assert "translate-images[provenance]" in found.fault
    assert read_credentials(marked("png")) is None
