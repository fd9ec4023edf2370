"""The page of a retraining: what it says, and that other people's strings stay text."""

import dataclasses

from page_reader import Reader

from translate.pages.retraining import Compared, Judged, RetrainingPage, SideBySide, render_retraining_page

JUDGED = Judged(
    challenger="zebra@3", against="zebra@2", promoted=False,
    compared=[Compared("KID", "lower", 0.0412, 0.0836, 0.0424, 0.0051, 0.0526, 0.01, passed=False),
              Compared("edges kept", "higher", 0.81, 0.82, -0.01, 0.002, -0.006, 0.03, passed=True)],
    pictures=[SideBySide("a/1.png", b"\xff\xd8before", b"\xff\xd8old", b"\xff\xd8new", None)],
    size_px=128, source_images=120, target_images=101, judge="efficientnet-lite0",
)
PAGE = RetrainingPage(
    pipeline="horse2zebra", state="kept", words=("zebra@2 stays: KID is worse",), retraining="20261122T030000000Z-ab12",
    finished="2026-11-22 05:27 UTC", models=[JUDGED],
    counts={"a": 1080, "a, held out": 120}, difference={"new": 512, "removed": 3, "changed": 1},
    images_seen=8000, seconds=5400.0, provenance={"data": "s3://sets/zebra/", "since": ""},
)


def read(**changes):
    return Reader(render_retraining_page(dataclasses.replace(PAGE, **changes)))


def flat(page):
    return " ".join(page.text.split())


def pictures(page):
    return [attributes["alt"] for tag, attributes in page.tags if tag == "img"]


def test_headline_data_and_facts():
    text = flat(read())
    for words in ("Not promoted after a training of 8,000 images in 1 h 30 min.", "zebra@2 stays: KID is worse",
                  "512", "Since the last retraining.", "a, held out120 images", "Datas3://sets/zebra/",
                  "retraining 20261122T030000000Z-ab12, finished 2026-11-22 05:27 UTC"):
        assert words in text
    assert "Since" not in flat(read(difference={})), "facts without a value are left out"


def test_every_comparison_has_its_figures_margin_and_verdict():
    text = flat(read())
    assert "On 120 and 101 held-out images at 128 px, judged by efficientnet-lite0" in text
    assert "KID lower is better not passed 0.0412 0.0836 0.0424 ± 0.00510 0.0526 0.0100" in text
    assert "edges kept higher is better passed 0.810 0.820 -0.0100 ± 0.00200 -0.00600 0.0300" in text


def test_pictures_stand_side_by_side():
    assert pictures(read()) == ["Input a/1.png", "a/1.png by the champion", "a/1.png by the challenger"]
    paired = dataclasses.replace(JUDGED.pictures[0], answer_jpeg=b"\xff\xd8answer")
    page = read(models=[dataclasses.replace(JUDGED, pictures=[paired])])
    assert pictures(page)[-1] == "The true answer to a/1.png"
    assert ("div", {"class": "sides of-4"}) in page.tags


def test_a_first_model_stands_beside_doing_nothing():
    alone = dataclasses.replace(JUDGED.pictures[0], champion_jpeg=None)
    first = dataclasses.replace(JUDGED, challenger="zebra@1", against="doing nothing", promoted=True, pictures=[alone])
    page = read(models=[first], state="promoted", words=("zebra@1 serves now",), difference={})
    assert pictures(page) == ["Input a/1.png", "a/1.png by the challenger"]
    text = flat(page)
    assert "Promoted after a training" in text
    assert "VerdictDoing nothingChallengerWorse by" in text
    assert "Since the last retraining" not in text


def test_other_peoples_strings_stay_text():
    evil = "<script>alert(1)</script>\u202e.png"
    page = read(models=[dataclasses.replace(JUDGED, pictures=[dataclasses.replace(JUDGED.pictures[0], key=evil)])],
                words=(evil,), provenance={"data": evil})
    assert [tag for tag, _ in page.tags if tag == "script"] == []
    assert page.text.count("<script>alert(1)</script>\\u202e.png") == 3


def test_the_policy_allows_no_script_at_all():
    policy = next(attributes["content"] for tag, attributes in read().tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "script-src" not in policy
