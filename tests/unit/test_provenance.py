"""What counts as the same work."""

from __future__ import annotations

from translate.provenance import Work

DIGEST = "sha256:bb735405aa52e7f231dacac62b49d370b7f040a361ab8847a4c76bfd675177b1"
"""Of this work, as it was before there was the choice."""
WORK = Work(model="tiny@1", model_digest="sha256:" + "a" * 64, size="native", format="keep", quality=92, pixels="exact",
            engine="torch-float32", mark="xmp-1")


def test_works_from_before_there_was_a_choice_of_exif_keep_their_digest():
    recorded = Work.model_validate_json(WORK.model_dump_json(exclude={"exif"}))
    assert recorded.digest == WORK.digest == DIGEST
    assert WORK.model_copy(update={"exif": "keep"}).digest != WORK.digest


def test_signed_outputs_are_other_work():
    signed = WORK.model_copy(update={"mark": "xmp-1+c2pa-1"})
    assert (signed.is_signed, WORK.is_signed) == (True, False)
    assert signed.digest != WORK.digest
    assert WORK.differences(signed) == ["mark: xmp-1 -> xmp-1+c2pa-1"]
    assert WORK.differences(WORK.model_copy(update={"exif": "keep"})) == ["exif: drop -> keep"]
