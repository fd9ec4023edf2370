"""`translate models export --json` says what programs can read."""

from __future__ import annotations

import json


def test_an_export_that_is_the_same_to_the_bit_is_still_json(command, tmp_path):
    code, out, err = command("models", "export", "sketch2object", "--to", "torchscript", "--into", tmp_path, "--json")
    assert code == 0, err
    told = json.loads(out, parse_constant=lambda word: f"not JSON: {word}")
    assert told["largest_difference"] == 0.0
    assert told["psnr_db"] is None
