"""The page of a training: what it says, and that other people's strings stay text."""

import base64
import dataclasses

import pytest
from page_reader import Reader

from translate.pages.training import (
    SHOWN_EVALUATIONS,
    SHOWN_EVENTS,
    Event,
    Scored,
    Sheet,
    TrainingPage,
    family,
    render_training_page,
    spread,
)


def status(lines):
    return [{"images": 100 * n, "seconds": 20.0 * n, "rate": 2e-4, "images_per_s": 5.0, "G_ab": 0.5, "cycle_a": 2.0 / n,
             "D_b": 0.25} for n in range(1, lines + 1)]


def scored(images, kid, *, best):
    return Scored(images, images / 5, {"G_ab": {"kid": kid, "layer_distance": 1.25}, "G_ba": {"kid": 2 * kid}}, best)


PAGE = TrainingPage(
    state="running", reason="", written="2026-11-22 05:27 UTC", seen=1234, seconds=250.0,
    minutes=None, images_per_s=5.0,
    config={"images": 10_000, "seed": 7, "betas": [0.5, 0.999], "data": {"a": "trainA"}},
    status=status(12), sheets=[Sheet(1000, b"\xff\xd8one", 640, 320), Sheet(1200, b"\xff\xd8two", 640, 320)],
    sheets_made=2,
    evaluations=[scored(500, 0.3, best=True), scored(1000, 0.0957, best=True), scored(1200, 0.21, best=False)],
    events=[Event(700, "recovered", "a gradient is not finite")],
    provenance={"data": "s3://sets/monet/", "precision": "bfloat16", "versions": "translate 0.1.0, torch 2.14.1"},
)


def read(**changes):
    return Reader(render_training_page(dataclasses.replace(PAGE, **changes)))


def flat(page):
    return " ".join(page.text.split())


def test_headline_and_facts():
    text = flat(read())
    assert "Running after 1,234 images of 10,000 and 4 min 10 s; 29 min 13 s left." in text
    for words in ("s3://sets/monet/", "bfloat16", "torch 2.14.1", "2026-11-22 05:27 UTC", "seed: 7",
                  "betas: [0.5, 0.999]", "data: a: trainA", "after 700 images recovered a gradient is not finite"):
        assert words in text


def test_time_ends_a_training_with_minutes():
    page = read(minutes=5.0)
    assert "and 4 min 10 s of 5 min 0 s; 50 s left." in flat(page)
    [bar] = [attrs for tag, attrs in page.tags if tag == "rect"]
    assert float(bar["width"]) == pytest.approx(100 * 250 / 300, abs=0.01)


@pytest.mark.parametrize(("state", "reason"), [("finished", ""), ("stopped", "a gradient is not finite")])
def test_an_ended_training_has_no_time_left(state, reason):
    page = read(state=state, reason=reason)
    assert state.capitalize() in page.text
    assert " left" not in page.text
    assert reason in page.text
    assert ("p", {"class": "reason"}) in page.tags if reason else ("p", {"class": "reason"}) not in page.tags


def charts(page):
    """Title -> label of the plot."""
    labels = [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg" and "over images seen" in
              attrs.get("aria-label", "")]
    return {label.split(" over images seen")[0]: label for label in labels}


def test_terms_of_one_scale_share_a_chart():
    found = charts(read())
    assert list(found) == ["KID", "Layer distance to the answers", "Adversarial", "Cycle", "Learning rate"]
    assert found["Adversarial"].endswith("G_ab ends at 0.500; D_b ends at 0.250")
    assert found["Learning rate"].endswith("rate ends at 2.0e-04")


@pytest.mark.parametrize(("term", "expected"), [
    ("G_ab", "adversarial"), ("D_a", "adversarial"), ("cycle_b", "cycle"), ("gradient_penalty_ab", "gradient_penalty"),
    ("l1", "l1"), ("perceptual", "perceptual"), ("answer_a", "answer"), ("something_new", "something_new"),
])
def test_family(term, expected):
    assert family(term) == expected


def test_the_last_best_is_the_chosen_one():
    page = read()
    assert "images at its best1,000" in page.text
    rows = [attrs for tag, attrs in page.tags if tag == "tr" and attrs.get("class") == "chosen"]
    assert len(rows) == 2, "one for each direction"
    assert "1,000 3 min 20 s 0.0957 1.25 chosen" in flat(page)
    assert "1,000 3 min 20 s 0.191 chosen" in flat(page)


def test_of_many_evaluations_the_chosen_one_stays():
    many = [scored(10 * n, 0.5, best=n == 7) for n in range(1, 500)]
    page = read(evaluations=many)
    rows = [attrs for tag, attrs in page.tags if tag == "tr"]
    assert len([row for row in rows if row.get("class") == "chosen"]) == 2
    assert len(rows) <= 2 * (SHOWN_EVALUATIONS + 2) + 2


def test_sheets_are_inside_and_the_newest_is_shown():
    images = [attrs for tag, attrs in read().tags if tag == "img"]
    assert [image["alt"] for image in images] == ["After 1,000 images", "After 1,200 images"]
    assert ["hidden" in image for image in images] == [True, False]
    assert base64.b64decode(images[1]["src"].removeprefix("data:image/jpeg;base64,")) == b"\xff\xd8two"
    assert "2 of 40 sheets" in flat(read(sheets_made=40))


def test_one_sheet_needs_no_slider():
    page = read(sheets=PAGE.sheets[:1])
    assert "input" not in [tag for tag, _ in page.tags]
    assert "After 1,000 images" in page.text


def test_nothing_outside_is_named_and_the_policy_forbids_it():
    tags = read().tags
    for tag, attrs in tags:
        for name in ("src", "href", "action", "srcset", "xlink:href"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on") or name == "style"], (tag, attrs)
    [policy] = [attrs["content"] for _, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy


def test_hostile_strings_stay_text():
    evil = "\"><script>alert(1)</script>'\u202egpj.\n\x1b[31m\udc80"
    page = read(
        reason=evil, written=evil, provenance=dict.fromkeys([evil, "b", "c"], evil),
        events=[Event(700, evil, evil)],
        evaluations=[Scored(700, 1.0, {evil: {evil: 1.0}}, best=True)],
        status=[{**line, evil: 1.0} for line in PAGE.status],
        config={evil: evil, "list": [evil], "map": {evil: evil}},
    )
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "\"><script>alert(1)</script>'\\u202egpj.\\n\\x1b[31m\\udc80" in page.text
    assert "\u202e" not in page.text


@pytest.mark.parametrize(("lines", "last"), [(1, "2.00"), (3, "0.667"), (3000, "6.8e-04")])
def test_few_and_many_points(lines, last):
    page = render_training_page(dataclasses.replace(PAGE, status=status(lines), seen=100 * lines))
    assert len(page) < 60_000
    read_back = Reader(page)
    assert charts(read_back)["Cycle"].endswith(f"cycle_a ends at {last}")
    drawn = [attrs["d"] for tag, attrs in read_back.tags if tag == "path"]
    assert len(drawn) >= 6
    assert not [path for path in drawn if "nan" in path or "inf" in path]


def test_a_training_that_has_only_begun():
    page = read(seen=0, seconds=0.0, images_per_s=None, config={}, status=[], sheets=[], sheets_made=0, evaluations=[],
                events=[])
    assert "Running after 0 images and 0 s." in flat(page)
    assert not charts(page)
    for heading in ("What it makes", "How good it is", "Losses", "What happened", "Configuration"):
        assert heading not in page.text


def test_of_many_events_the_last_are_shown():
    events = [Event(n, "warning", f"number {n}.") for n in range(SHOWN_EVENTS + 50)]
    text = flat(read(events=events))
    assert "number 49." not in text
    assert "number 50." in text
    assert "50 earlier ones" in text


@pytest.mark.parametrize(("count", "kept"), [(1, [9]), (2, [0, 9]), (4, [0, 3, 6, 9]), (12, list(range(10)))])
def test_spread(count, kept):
    assert spread(range(10), count) == kept
