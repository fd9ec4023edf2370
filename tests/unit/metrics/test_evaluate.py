"""The evaluation with the real judge, on small drawings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from translate.config import Data, Domains
from translate.datasets.evaluation_set import held_out, in_folders, in_pairs
from translate.errors import DataError, ModelError, UnknownNameError, UsageError
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.metrics.contract import gated, measures
from translate.metrics.evaluate import Evaluator, _spread_out
from translate.models import resnet, unet
from translate.models.translator import ModelFacts, Translator
from translate.progress import silent
from translate.stores import open_store

COUNT = 5
KID, FID = "kid-efficientnet-lite0", "fid-efficientnet-lite0"


def evaluator(store, *, source, target, pairs, **options):
    return Evaluator(store, in_folders(store, source, target, paired=pairs), **options)


def evaluate(translator, store, *, report=silent, **options):
    return evaluator(store, **options).evaluate(translator, report)


def drawing(index, *, shaded):
    """A disc or a box in one of a few colours, flat or shaded."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    radius = 14 + 3 * index
    inside = (np.hypot(rows, columns) < radius) if index % 2 else (np.maximum(abs(rows), abs(columns)) < radius)
    colour = np.array([(230, 60, 50), (40, 90, 220), (250, 200, 40), (60, 170, 80), (150, 60, 190)][index])
    light = np.clip(1.1 - np.hypot(rows + 14, columns + 14) / 70, 0.4, 1.1) if shaded else np.ones((64, 64))
    pixels = np.full((64, 64, 3), 255.0)
    pixels[inside] = np.clip(light[inside][:, None] * colour, 0, 255)
    return pixels.astype(np.uint8)


def filled(name, order):
    store = open_store(f"memory://evaluate-{name}")
    for index in range(COUNT):
        for folder, shaded in (("flat", False), ("solid", True), ("solid again", True)):
            png = encode(Picture(drawing(index, shaded=shaded), None, "png"), "png", 100)
            store.put(f"{folder}/{order[index]}.png", png)
    return store


@pytest.fixture(scope="module")
def store():
    return filled("straight", range(COUNT))


def translator(*, identity=False, broken=False):
    """Untrained; ``identity``: a head of zeros whose output is added to the input."""
    config = resnet.Config(width=4, blocks=1, residual_output=identity)
    torch.manual_seed(0)
    network = resnet.Network(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if identity or broken:
                parameter.fill_(math.nan if broken else 0.0)
    domains = Domains(a="flat drawing", b="solid drawing")
    return Translator(network, ModelFacts(name="tested", architecture="resnet", config=config.model_dump(),
                                          domains=domains))


def test_a_translator_that_does_nothing_scores_what_doing_nothing_scores(store):
    found = evaluate(translator(identity=True), store, source="flat", target="solid", pairs=True, size_px=64)
    assert found.output.means.keys() == found.nothing.means.keys()
    assert found.output.means == pytest.approx(found.nothing.means, abs=1e-4)
    assert found.output.distances[KID].value == pytest.approx(found.nothing.distances[KID].value, abs=1e-5)
    assert found.nothing.means["distance_to_source"] == 0
    assert found.nothing.means["luma_correlation"] == pytest.approx(1)
    assert (found.nothing.means["variety"], found.nothing.means["droplets_percent"]) == (1, 0)
    flat, solid = (np.stack([drawing(i, shaded=s) for i in range(COUNT)]) / 255.0 for s in (False, True))
    assert found.nothing.means["l1"] == pytest.approx(abs(flat - solid).mean(), abs=1e-6)
    psnr = -10 * np.log10(((flat - solid) ** 2).mean(axis=(1, 2, 3)))
    assert found.nothing.means["psnr_db"] == pytest.approx(psnr.mean(), abs=1e-3)


def test_the_mean_colour_of_the_answers_is_a_figure_to_beat(store):
    found = evaluate(translator(), store, source="flat", target="solid", pairs=True, size_px=64)
    solid = np.stack([drawing(i, shaded=True) for i in range(COUNT)]) / 255.0
    assert found.mean_colour.means["l1"] == pytest.approx(abs(solid - solid.mean(axis=(0, 1, 2))).mean(), abs=1e-6)
    assert found.mean_colour.means.keys() == {"layer_distance", "l1", "psnr_db", "ssim", "sharpness_ratio",
                                              "chroma_ratio"}
    assert 0 < found.mean_colour.means["sharpness_ratio"] < found.nothing.means["sharpness_ratio"]
    assert KID in found.mean_colour.distances
    unpaired = evaluate(translator(), store, source="flat", target="solid", pairs=False, size_px=64)
    assert unpaired.mean_colour is None


def test_the_answer_itself_is_perfect(store):
    found = evaluate(translator(identity=True), store, source="solid", target="solid again", pairs=True, size_px=64)
    means = found.nothing.means
    assert (means["l1"], means["layer_distance"]) == (0, 0)
    assert means["psnr_db"] == math.inf
    assert means["ssim"] == pytest.approx(1)


def test_untrained_is_worse_and_order_and_names_do_not_matter(store):
    found = evaluate(translator(), store, source="flat", target="solid", pairs=True, size_px=64)
    assert found.output.distances[KID].value > found.nothing.distances[KID].value
    assert found.output.means["layer_distance"] > found.nothing.means["layer_distance"]
    other = evaluate(translator(), filled("mixed", [3, 0, 4, 1, 2]), source="flat", target="solid", pairs=True,
                     size_px=64)
    assert other.output.distances == found.output.distances
    assert other.floor == found.floor
    assert other.output.means == pytest.approx(found.output.means, rel=1e-12)


def test_unpaired_with_other_real_images(store):
    seen = []
    found = evaluate(translator(), store, source="flat", target="solid", pairs=False, size_px=64, real="flat",
                     report=seen.append)
    assert set(found.output.means) == {each.name for each in measures()
                                       if each.against != "answer" and each.name not in ("kid", "fid")}
    assert found.real == pytest.approx({KID: found.nothing.distances[KID].value} | {
        name: found.nothing.means[name] for name in ("sharpness_ratio", "chroma_ratio")})
    assert (seen[-1].done, seen[-1].total) == (3 * COUNT, 3 * COUNT)


def test_mistakes_are_named(store):
    with pytest.raises(ModelError, match=r"not finite for flat/0\.png"):
        evaluate(translator(broken=True), store, source="flat", target="solid", pairs=True, size_px=64)
    lonely = filled("lonely", range(COUNT))
    lonely.delete("solid/2.png")
    with pytest.raises(DataError, match=r"flat/2\.png has no partner of the name 2 in solid"):
        evaluate(translator(), lonely, source="flat", target="solid", pairs=True, size_px=64)
    for index in (0, 1):
        lonely.delete(f"solid/{index}.png")
    with pytest.raises(DataError, match="solid holds 2 images; an evaluation needs at least 4: add"):
        evaluate(translator(), lonely, source="flat", target="solid", pairs=False, size_px=64)


def test_every_figure_is_independent_of_order(store):
    every = {"chosen": ("kid", "fid", "paired", "content", "artefacts"), "source": "flat", "target": "solid",
             "pairs": True, "size_px": 64}
    found = evaluate(translator(), store, **every)
    other = evaluate(translator(), filled("turned", [4, 2, 0, 3, 1]), **every)
    assert set(found.output.distances) == {KID, FID} == set(found.floor)
    assert other.output.distances == found.output.distances
    assert (other.nothing.distances, other.floor) == (found.nothing.distances, found.floor)
    assert other.output.means == pytest.approx(found.output.means, rel=1e-12)
    assert "strongly biased here: 5 images against 5, for 1280 features" in found.remarks[0]
    assert found.output.distances[FID].value > found.nothing.distances[FID].value


class Counting:
    """A store that counts reads."""

    def __init__(self, store):
        self.url = store.url
        self.list = store.list
        self.reads = 0
        self._get = store.get

    def get(self, key):
        self.reads += 1
        return self._get(key)


@pytest.mark.parametrize("pairs", [True, False])
def test_a_second_evaluation_reads_nothing_and_equals_a_first(store, pairs):
    counting, seen = Counting(store), []
    options = {"source": "flat", "target": "solid", "pairs": pairs, "size_px": 64}
    scoring = evaluator(counting, **options)
    scoring.evaluate(translator(identity=True))
    assert counting.reads == 2 * COUNT
    assert scoring.evaluate(translator(), seen.append) == evaluate(translator(), store, **options)
    assert counting.reads == 2 * COUNT
    assert (seen[-1].done, seen[-1].total) == (COUNT, COUNT)


def test_what_finds_no_room_is_read_again(store, monkeypatch):
    options = {"source": "flat", "target": "solid", "pairs": True, "size_px": 64}
    expected = evaluate(translator(), store, **options)
    monkeypatch.setattr("translate.metrics.evaluate.KEPT_BYTES", 1_500_000)
    counting = Counting(store)
    scoring = evaluator(counting, **options)
    assert scoring.evaluate(translator()) == expected
    first = counting.reads
    assert 2 * COUNT < first <= 4 * COUNT  # answers without room are read twice more for their mean colour
    assert scoring.evaluate(translator()) == expected
    assert 0 < counting.reads - first < 2 * COUNT


@pytest.mark.parametrize("pairs", [True, False])
def test_a_limit_takes_images_spread_evenly_over_the_names(store, pairs):
    few = open_store(f"memory://evaluate-few-{pairs}")
    for folder in ("flat", "solid"):
        for index in (0, 1, 2, 3):
            few.put(f"{folder}/{index}.png", store.get(f"{folder}/{index}.png").data)
    options = {"source": "flat", "target": "solid", "pairs": pairs, "size_px": 64}
    limited = evaluate(translator(), store, limit=4, **options)
    assert (limited.source_images, limited.target_images) == (4, 4)
    assert limited == replace(evaluate(translator(), few, **options), data=limited.data)
    assert list(_spread_out({str(n): "" for n in range(9)}, 4)) == ["0", "2", "4", "6"]
    with pytest.raises(UsageError, match="a limit of 3 images is too low; an evaluation needs at least 4"):
        evaluate(translator(), store, limit=3, **options)


def test_who_trains_does_not_notice(store):
    trained = translator()
    trained.network.train()
    still = next(module for module in trained.network.modules() if isinstance(module, torch.nn.ReLU)).eval()
    modes = [module.training for module in trained.network.modules()]
    state = torch.get_rng_state()
    evaluate(trained, store, source="flat", target="solid", pairs=True, size_px=64)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in trained.network.modules()] == modes
    assert not still.training


def test_a_network_in_train_mode_is_scored_in_evaluation_mode(store):
    config = unet.Config(width=4, levels=6, dropout=True)
    torch.manual_seed(0)
    facts = ModelFacts(name="tested", architecture="unet", config=config.model_dump(), domains=Domains(a="a", b="b"))
    dropping = Translator(unet.Network(config), facts)
    dropping.network.train()
    options = {"source": "flat", "target": "solid", "pairs": False, "size_px": 64}
    scoring = evaluator(store, **options)
    assert scoring.evaluate(dropping) == scoring.evaluate(dropping)
    assert all(module.training for module in dropping.network.modules())


def test_only_what_was_chosen_is_measured(store):
    options = {"source": "flat", "target": "solid", "size_px": 64}
    found = evaluate(translator(), store, pairs=True, chosen=["paired"], judge="mobilenet-v2", **options)
    assert (found.output.distances, found.floor) == ({}, {})
    assert set(found.output.means) == {"layer_distance", "l1", "psnr_db", "ssim"}
    assert found.judge == "mobilenet-v2"
    assert set(evaluate(translator(), store, pairs=False, chosen=["fid"], judge="mobilenet-v2", **options)
               .output.distances) == {"fid-mobilenet-v2"}
    with pytest.raises(UnknownNameError, match=r"unknown metric 'fidd'; known: .*Did you mean 'fid'"):
        evaluator(store, pairs=True, chosen=["kid", "fidd"], **options)
    with pytest.raises(UsageError, match="'paired' compares with answers; add --paired"):
        evaluator(store, pairs=False, chosen=["paired"], **options)


def test_halves_are_the_same_images_for_every_translator(store):
    """So what doing nothing scores on them, a translator that does nothing scores on each one of them."""
    options = {"source": "flat", "target": "solid", "pairs": True, "size_px": 64}
    found = evaluate(translator(identity=True), store, halves=6, **options)
    output, nothing = found.output.halves, found.nothing.halves
    assert output.keys() == nothing.keys() == {KID if each.name == "kid" else each.name for each in gated()}
    for name, values in nothing.items():
        assert len(values) == 6
        assert output[name] == pytest.approx(values, abs=1e-3)
    assert len(set(nothing["l1"])) > 1, "they are different halves"
    assert min(nothing["l1"]) < found.nothing.means["l1"] < max(nothing["l1"])
    assert evaluate(translator(identity=True), store, **options).output.halves == {}


@pytest.fixture(scope="module")
def every_layout(store):
    """The same pairs in two folders, side by side in one file with the answer left, and in a manifest."""
    flat, solid = ([drawing(index, shaded=shaded) for index in range(COUNT)] for shaded in (False, True))
    for index in range(COUNT):
        beside = np.concatenate([solid[index], flat[index]], axis=1)
        store.put(f"beside/{index}.png", encode(Picture(beside, None, "png"), "png", 100))
    rows = [f"solid/{index}.png,flat/{index}.png" for index in range(COUNT)]
    store.put("pairs.csv", "\n".join(["b,a", *rows]).encode())
    return store


def test_the_layout_of_pairs_changes_no_figure(every_layout):
    sizes = {"kind": "paired", "short_side_px": (64, 64), "crop_px": 64}
    expected = evaluate(translator(), every_layout, source="flat", target="solid", pairs=True, size_px=64)
    for images in (
        in_pairs(every_layout, "side_by_side", "beside", "right"),
        in_pairs(every_layout, "manifest", "pairs.csv", "a"),
        held_out(every_layout, Data(**sizes, test_a="flat", test_b="solid"), "a"),
        held_out(every_layout, Data(**sizes, layout="side_by_side", pairs="none", test_pairs="beside", left="b"), "a"),
        held_out(every_layout, Data(**sizes, layout="manifest", pairs="none", test_pairs="pairs.csv"), "a"),
    ):
        found = Evaluator(every_layout, images, size_px=64).evaluate(translator())
        assert found.paired
        assert (found.source, found.target) == (images.source, images.target)
        assert (found.output, found.nothing, found.mean_colour, found.floor) == (
            expected.output, expected.nothing, expected.mean_colour, expected.floor)
        assert found.images_digest == expected.images_digest or "csv" in found.source, "the names there are the pairs'"


def test_the_other_half_is_another_source(every_layout):
    turned = Evaluator(every_layout, in_pairs(every_layout, "side_by_side", "beside", "left"), size_px=64)
    expected = evaluate(translator(), every_layout, source="solid", target="flat", pairs=True, size_px=64)
    assert turned.evaluate(translator()).output == expected.output
