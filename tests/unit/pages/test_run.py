"""The page of a run: what it says, and that other people's strings stay text."""

import base64
import dataclasses
import hashlib
import re

from page_reader import Reader

from translate.pages.run import SHOWN_FAILURES, Failure, RunPage, Sample, render_run_page

PAGE = RunPage(
    pipeline="monet2photo", model="monet2photo@1", run="2026-11-22T0210-7f3a", started="2026-11-22T02:10:11Z",
    finished="2026-11-22T02:10:31Z", seconds=20.0, input_url="s3://in/", output_url="s3://out/",
    engine="torch-bfloat16", executor="local", work={"format": "keep", "quality": 92},
    ok=1482, failed=1, skipped=3, not_images=4, codes={"input.empty": 1},
    failures=[Failure("a/b.jpg", "input.empty", "0 bytes")],
    samples=[Sample("a/c.jpg", b"\xff\xd8before", b"\xff\xd8after", 640, 480)],
)


def read(**changes):
    return Reader(render_run_page(dataclasses.replace(PAGE, **changes)))


def test_totals_failures_and_facts_are_there():
    text = read().text
    for words in ("1,482", "input.empty", "0 bytes", "a/b.jpg", "monet2photo@1", "torch-bfloat16", "s3://out/",
                  "20 s"):
        assert words in text


def test_work_is_told_once_and_in_words():
    work = {"model": "monet2photo@1", "model_digest": "sha256:5c0d", "engine": "torch-bfloat16", "size": 320}
    text = read(work=work).text
    assert "Model digest" in text
    assert "sha256:5c0d" in text
    assert text.count("monet2photo@1") == 1


def test_same_page_same_bytes():
    assert render_run_page(PAGE) == render_run_page(PAGE)


def test_images_are_inside():
    images = [attrs for tag, attrs in read().tags if tag == "img"]
    assert [image["class"] for image in images] == ["after", "before"]
    assert base64.b64decode(images[1]["src"].removeprefix("data:image/jpeg;base64,")) == b"\xff\xd8before"


def test_nothing_outside_is_named_and_the_policy_forbids_it():
    tags = read().tags
    for tag, attrs in tags:
        for name in ("src", "href", "action", "srcset"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on") or name == "style"], (tag, attrs)
    [policy] = [attrs["content"] for _, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy


def test_policy_names_exactly_our_style_and_script():
    html = render_run_page(PAGE).decode()
    for element in ("style", "script"):
        body = re.search(f"<{element}>(.*?)</{element}>", html, re.DOTALL).group(1)
        name = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{name}'" in html


def test_hostile_strings_stay_text():
    evil = "\"><script>alert(1)</script>'\u202egpj.\n\x1b[31m\udc80.jpg"
    calm = [tag for tag, _ in read().tags]
    page = read(
        pipeline=evil, model=evil, run=evil, input_url=evil, output_url=evil,
        work={evil: evil, "quality": 92}, codes={evil: 1},
        failures=[Failure(evil, evil, evil)], samples=[dataclasses.replace(PAGE.samples[0], key=evil)],
    )
    assert [tag for tag, _ in page.tags] == calm
    assert "\"><script>alert(1)</script>'\\u202egpj.\\n\\x1b[31m\\udc80.jpg" in page.text
    assert "\u202e" not in page.text


def test_long_failure_lists_are_cut_with_a_count():
    failures = [Failure(f"{n}.jpg", "input.empty", "0 bytes") for n in range(1000)]
    page = read(failed=12_345, failures=failures, codes={"input.empty": 12_345})
    assert f"{SHOWN_FAILURES - 1}.jpg" in page.text
    assert f"{SHOWN_FAILURES}.jpg" not in page.text
    assert "12,145 more failed" in page.text


def test_codes_come_by_number():
    text = read(failed=6, codes={"input.a": 1, "input.c": 4, "input.b": 1}).text
    assert text.index("input.c") < text.index("input.a") < text.index("input.b")


def test_empty_run():
    page = read(ok=0, failed=0, skipped=0, not_images=0, failures=[], codes={}, samples=[], seconds=0.0)
    assert "svg" not in [tag for tag, _ in page.tags]
    assert "What failed" not in page.text
    assert "Before and after" not in page.text


def test_bar_adds_up():
    widths = [float(attrs["width"]) for tag, attrs in read(ok=1, failed=1, skipped=1).tags if tag == "rect"]
    assert len(widths) == 3
    assert abs(sum(widths) - 100) < 0.01
