"""The signer: none, one that works, one that is about to expire or has, and ones that can't work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from certificates import make_identity

from translate.doctor.signer import signer


@pytest.fixture
def configure(monkeypatch, tmp_path):
    """Set this machine's signer to somebody whose certificate is valid for so long from now."""

    def save(valid: timedelta) -> None:
        for name, value in make_identity(valid=valid).save(tmp_path).items():
            monkeypatch.setenv(name, value)

    for name in ("CERTIFICATES", "KEY", "ALGORITHM", "TIMESTAMP_URL"):
        monkeypatch.delenv(f"TRANSLATE_C2PA_{name}", raising=False)
    return save


def test_none_is_fine(configure):  # noqa: ARG001 - unsets the variables
    found = signer()
    assert (found.level, found.found.startswith("none")) == ("ok", True)


@pytest.mark.parametrize(("days", "level", "words"), [
    (90, "ok", "signs as CN=studio,O=Test, until "), (2, "warning", "expires soon"), (-0.5, "problem", "expired on "),
])
def test_a_certificate_lasts_its_time(configure, days, level, words):
    configure(timedelta(days=days))
    found = signer()
    assert (found.level, words in found.found) == (level, True), found
    assert bool(found.do) == (level != "ok")


def test_what_cannot_sign(configure, monkeypatch, tmp_path):
    configure(timedelta(days=2))
    (tmp_path / "key.pem").write_text("hush")
    assert (found := signer()).level == "problem"
    assert "TRANSLATE_C2PA_KEY" in found.found
    assert "hush" not in found.found
    (tmp_path / "chain.pem").write_text("no certificate")
    assert "holds no certificate" in signer().found
    (tmp_path / "chain.pem").unlink()
    assert "can't be read" in signer().found
    monkeypatch.delenv("TRANSLATE_C2PA_KEY")
    found = signer()
    assert (found.level, "TRANSLATE_C2PA_KEY is not set" in found.found) == ("problem", True)
    assert "unset" in found.do
