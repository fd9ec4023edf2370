import numpy as np
import pytest
import torch
from training_set import picture, png

from translate.config import Data
from translate.errors import DataError
from translate.training.data import TrainingData

UNPAIRED = {"kind": "unpaired", "short_side_px": (32, 48), "crop_px": 32}


def make(data, *, seed=0, **options):
    return TrainingData(data, Data(**(UNPAIRED | options)), seed=seed)


def test_a_batch_depends_on_the_seed_and_the_images_seen_alone(data):
    whole = make(data).batch(0, 8)
    again = [make(data).batch(start, 2) for start in (0, 2, 4, 6)]
    assert torch.equal(whole["a"], torch.cat([part["a"] for part in again]))
    assert torch.equal(whole["b"], torch.cat([part["b"] for part in again]))
    assert not torch.equal(whole["a"], make(data, seed=1).batch(0, 8)["a"])


def test_prepared_ahead_is_the_same_as_asked_for(data):
    source = make(data)
    ahead = source.batches(4, 2)
    for start in (4, 6, 8):
        assert torch.equal(next(ahead)["a"], source.batch(start, 2)["a"])


def test_shapes_and_range(data):
    batch = make(data, channels_b=1).batch(0, 3)
    assert batch["a"].shape == (3, 3, 32, 32)
    assert batch["b"].shape == (3, 1, 32, 32)
    assert -1 <= batch["a"].min() < -0.5
    assert 0.5 < batch["a"].max() <= 1


def test_each_pass_shows_every_image_once(data):
    source = make(data, flip=False, short_side_px=(48, 48), crop_px=48)
    for lap in (0, 1):
        means = {round(float(source.batch(lap * 6 + i, 1)["a"].mean()), 5) for i in range(6)}
        assert len(means) == 6


def test_pairs_share_their_spatial_choices(data):
    batch = make(data, kind="paired", short_side_px=(48, 48)).batch(0, 6)
    assert torch.allclose(batch["b"], -batch["a"], atol=0.02)  # B is the inverse of A, cut at the same place


def test_colour_changes_leave_the_target_alone(data):
    options = {"kind": "paired", "short_side_px": (48, 48), "flip": False}
    plain, changed = make(data, **options).batch(0, 6), make(data, jitter=1.0, **options).batch(0, 6)
    assert torch.equal(plain["b"], changed["b"])
    assert not torch.allclose(plain["a"], changed["a"], atol=0.05)


def test_known_answers_travel_with_their_image(data):
    for i in (0, 3):
        data.put(f"answers/{i}.png", png(255 - picture(i)))
    batch = make(data, answers_a="answers", short_side_px=(48, 48)).batch(0, 6)
    assert sorted(batch["known_a"].tolist()) == [0, 0, 0, 0, 1, 1]
    for image, answer, known in zip(batch["a"], batch["answer_a"], batch["known_a"], strict=True):
        assert torch.allclose(answer, -image * known, atol=0.02)
    assert "answer_b" not in batch


def test_a_missing_half_is_named(data):
    data.delete("trainB/3.png")
    with pytest.raises(DataError, match=r"trainA/3\.png has no partner of the name 3 in trainB"):
        make(data, kind="paired")


def test_an_answer_without_image_is_named(data):
    data.put("answers/99.png", png(picture(99)))
    with pytest.raises(DataError, match="99"):
        make(data, answers_a="answers")


def test_an_empty_folder_is_named(data):
    with pytest.raises(DataError, match="trainC"):
        make(data, b="trainC")


def test_an_unreadable_image_is_named(data):
    data.put("trainA/0.png", b"<html>not found</html>")
    with pytest.raises(DataError, match=r"trainA/0\.png"):
        make(data).batch(0, 6)


def test_the_three_layouts_of_pairs_give_the_same_batches(data):
    folders = make(data, kind="paired", jitter=0.5).batch(0, 8)
    for i in range(6):
        data.put(f"joint/{i}.png", png(np.hstack([picture(i), 255 - picture(i)])))
    data.put("pairs.csv", b"a,b\n" + b"".join(b"trainA/%d.png,trainB/%d.png\n" % (i, i) for i in range(6)))
    for options in ({"layout": "side_by_side", "pairs": "joint"}, {"layout": "manifest", "pairs": "pairs.csv"}):
        batch = make(data, kind="paired", jitter=0.5, **options).batch(0, 8)
        assert torch.equal(batch["a"], folders["a"]), options
        assert torch.equal(batch["b"], folders["b"]), options


def test_samples_of_images_side_by_side_are_their_halves(data):
    data.put("train/0.png", png(np.hstack([picture(0), 255 - picture(0)])))
    data.put("val/0.png", png(np.hstack([picture(1), 255 - picture(1)])))
    samples = make(data, kind="paired", layout="side_by_side", pairs="train", test_pairs="val", left="b").samples(4)
    assert samples["a"][0].shape == (3, 32, 32)
    assert torch.allclose(samples["a"][0], -samples["b"][0], atol=0.02)
    assert samples["b"][0].mean() == pytest.approx(picture(1).mean() / 127.5 - 1, abs=0.02)
