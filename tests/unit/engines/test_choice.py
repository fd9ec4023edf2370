"""Which engine is taken, what is remembered of it, and that one too far from float32 is not."""

import copy
import importlib.util
import json
import math
import pwd
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from engine_networks import translator

from translate.engines import choice, openvino
from translate.engines.agreement import agreement_db, psnr_db
from translate.engines.findings import KEPT, Findings
from translate.engines.opening import open_engine
from translate.engines.torch import engine_name
from translate.errors import UsageError
from translate.images.codec import decode
from translate.models.translator import Translator

PIXELS = decode((Path(__file__).parents[2] / "golden" / "input.png").read_bytes()).pixels
SMALL = {"architecture": "resnet", "width": 8, "blocks": 1}
needs_bfloat16 = pytest.mark.skipif(engine_name("cpu") != "torch-bfloat16", reason="needs bfloat16 in hardware")


class Images:
    """Gives the picture, and counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return [PIXELS]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "translate-images" / "engines.json"


def sensitive(digest=""):
    """Whose output is black or white by the last bits of what comes before."""
    it = translator(SMALL, digest)
    it.network.head.weight.mul_(1000)
    return it


def test_few_images_go_to_torch_and_their_source_is_not_asked():
    images, samples = Images(), Images()
    chosen = choice.choose(translator(SMALL), "cpu", choice.FEW_IMAGES - 1, images, samples)
    assert (chosen.engine.name, chosen.why) == (engine_name("cpu"), "")
    assert images.asked == 0


def test_many_that_take_no_time_go_to_torch_as_well(monkeypatch):
    monkeypatch.setattr(choice, "WORTH_S", 3600.0)
    chosen = choice.choose(translator(SMALL), "cpu", 1000, Images(), Images())
    assert (chosen.engine.name, chosen.why) == (engine_name("cpu"), "")


def test_the_fastest_is_taken_and_said_and_remembered(monkeypatch, cache):
    assert importlib.util.find_spec("openvino")
    monkeypatch.setattr(choice, "WORTH_S", 0.0)
    it = translator(SMALL, digest="sha256:one")
    chosen = choice.choose(it, "cpu", 1000, Images(), Images())
    assert chosen.why.startswith(f"engine {chosen.engine.name}, the fastest here for this model (")
    (numbers,) = json.loads(cache.read_text()).values()
    times = {key.split()[1]: number for key, number in numbers.items() if key.startswith("ms ")}
    assert set(times) == {engine_name("cpu"), choice._other()}
    assert chosen.engine.name == min(times, key=times.get)
    slow = {key: 1e6 if key.startswith(f"ms {chosen.engine.name} ") else number for key, number in numbers.items()}
    cache.write_text(json.dumps(dict.fromkeys(json.loads(cache.read_text()), slow)))
    again = choice.choose(it, "cpu", 1000, Images(), Images())
    assert again.engine.name != chosen.engine.name, "measured again, though it was remembered"


def test_another_that_this_machine_has_not_the_cores_for_is_left_out(monkeypatch):
    monkeypatch.setattr(choice, "WORTH_S", 0.0)
    monkeypatch.setattr(openvino, "THREADS", 10_000)
    chosen = choice.choose(translator(SMALL), "cpu", 1000, Images(), Images())
    assert chosen.engine.name == engine_name("cpu")
    assert "needs 10000 threads for each of 1 images at once" in chosen.why


@needs_bfloat16
def test_auto_falls_back_from_one_that_disagrees():
    chosen = choice.choose(sensitive(), "cpu", 1, Images(), Images())
    assert chosen.engine.name == "torch-float32"
    assert "torch-bfloat16 is refused: its pictures are" in chosen.why
    assert "40 dB is the least for bfloat16" in chosen.why


@needs_bfloat16
def test_one_that_was_asked_for_and_disagrees_is_refused():
    with pytest.raises(UsageError, match=r"engine openvino-bfloat16 is refused for this model.*take another, such as"):
        choice.open_checked("openvino-bfloat16", sensitive(), Images())


def test_agreement_is_measured_once():
    images = Images()
    it = translator(SMALL, digest="sha256:two")
    for _ in range(2):
        assert choice.open_checked("openvino-float32", it, images).name == "openvino-float32"
    assert images.asked == 1


def test_float32_agrees_with_itself():
    it = translator(SMALL)
    assert agreement_db(open_engine("torch-float32", it), it, [PIXELS]) > 70


def test_agreement_is_with_the_processor_also_where_the_engine_has_the_model_on_another_device():
    it = translator(SMALL)
    engine = open_engine("openvino-float32", it)
    engine.translator = Translator(copy.deepcopy(it.network).to("meta"), it.facts)  # in the place of a GPU
    assert agreement_db(engine, it, [PIXELS]) > 60


def test_psnr_by_hand():
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(black, black) == math.inf
    assert psnr_db(black, black + 255) == 0.0
    assert psnr_db(black, black + 1) == pytest.approx(48.13, abs=0.01)


def test_findings_survive_damage_and_stay_few(cache):
    Findings(translator(SMALL, digest="sha256:a")).note("ms", "x", 3.0)
    assert Findings(translator(SMALL, digest="sha256:a")).get("ms", "x") == 3.0
    assert Findings(translator(SMALL, digest="sha256:b")).get("ms", "x") is None
    cache.write_text(json.dumps({str(number): {} for number in range(KEPT + 5)}))
    Findings(translator(SMALL, digest="sha256:a")).note("ms", "x", 4.0)
    assert len(json.loads(cache.read_text())) == KEPT
    assert Findings(translator(SMALL, digest="sha256:a")).get("ms", "x") == 4.0
    cache.write_text("{half")
    assert Findings(translator(SMALL, digest="sha256:a")).get("ms", "x") is None


def test_findings_noted_by_several_at_once_leave_a_whole_file(cache):
    def note(number):
        findings = Findings(translator(SMALL, digest=f"sha256:{number}"))
        for times in range(40):
            findings.note("ms", "x", float(times))
            assert json.loads(cache.read_text())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(note, range(4)))
    assert list(cache.parent.iterdir()) == [cache]


def test_findings_of_a_user_without_a_home_are_not_kept(monkeypatch):
    def unknown(_uid):
        raise KeyError

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    findings = Findings(translator(SMALL, digest="sha256:a"))
    findings.note("ms", "x", 3.0)
    assert findings.get("ms", "x") == 3.0


def test_findings_of_a_model_without_a_digest_are_not_kept(cache):
    findings = Findings(translator(SMALL))
    findings.note("ms", "x", 3.0)
    assert findings.get("ms", "x") == 3.0
    assert not cache.exists()
