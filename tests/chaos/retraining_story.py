"""The life of one model in a bucket, told with real pictures: trained, retrained, refused, and taken back.

    python -m tests.chaos.retraining_story --pictures FOLDER --keep FOLDER
    python -m tests.chaos.retraining_story --pictures FOLDER --keep FOLDER --kills

``--pictures`` has ``train/ink``, ``train/render`` and ``test/ink`` as `translate data get fluent-emoji` makes them.
Data, models, retrainings and outputs lie on a real S3 server. With ``--kills`` every retraining is begun by two
schedulers at once, which are killed again and again; after each kill there has to be a champion that can be opened, and
one promotion at most for each retraining. Ends 1 if anything is not as it has to be; the pages stay in ``--keep``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.chaos.impatient import LEASE_S
from tests.s3_server import ENVIRONMENT, S3Server
from translate.config import Holdout
from translate.errors import EXIT_LOCKED, EXIT_OK
from translate.images import codec
from translate.images.picture import Picture
from translate.registry import ModelRegistry, open_model
from translate.retraining.holdout import is_held_out
from translate.retraining.journal import Done, Journal, place
from translate.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.stores.contract import ObjectStore

NAME = "ink2object"
HOLDOUT = {"share": 0.2}
PIPELINE = {
    "name": NAME,
    "summary": "Ink drawings of things to shaded 3D objects.",
    "domains": {"a": "ink drawing", "b": "object"},
    "run": {"size": 64, "format": "png"},
    "training": {
        "objective": {"name": "pix2pix", "adversarial": "least_squares", "l1_weight": 100.0},
        "generator": {"architecture": "resnet", "width": 24, "downs": 1, "blocks": 3, "sampling": "antialiased"},
        "discriminator": {"architecture": "patchgan", "width": 24, "layers": 2},
        "data": {"kind": "paired", "a": "train/ink", "b": "train/render", "short_side_px": [64, 72], "crop_px": 64,
                 "flip": False},
        "images": 600, "batch": 4, "learning_rate": 5.0e-4, "decay_from": 0.5, "pool": 0, "warmup_images": 100,
        "ema_half_life_images": 200, "sample_every_images": 400, "checkpoint_every_images": 200,
    },
    "retraining": {"new_images": 200, "holdout": HOLDOUT},
}
KILLED_LOOKS = 12
"""Of each retraining; the next one is left to end."""
COMMAND = (sys.executable, "-m", "tests.chaos.impatient")
FIRST, LATER, LAST = 400, 800, 1000
"""Pairs in the bucket at first, after it has grown, and when it was spoiled."""


class Story:
    """A bucket and what has happened in it."""

    def __init__(self, server: S3Server, pictures: Path, keep: Path, *, kills: bool) -> None:
        bucket = server.make_bucket()
        self.at = {name: f"s3://{bucket}/{name}/" for name in ("data", "models", "retraining", "translated")}
        self.pictures, self.keep, self.kills = pictures, keep, kills
        self.data, self.models = open_store(self.at["data"]), ModelRegistry(self.at["models"])
        self.journal = Journal(open_store(self.at["retraining"]))
        self.names = sorted(path.name for path in (pictures / "train" / "ink").glob("*.png"))
        random.Random(0).shuffle(self.names)
        self.pipeline = keep / f"{NAME}.yaml"
        self.pipeline.write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
        self.luck, self.killed, self.images = random.Random(1), 0, 0
        for path in sorted((pictures / "test" / "ink").glob("*.png"))[:24]:
            self.data.put(f"test/ink/{path.name}", path.read_bytes())

    def add(self, first: int, last: int) -> None:
        """Put pairs of real pictures into the bucket."""
        for side in ("ink", "render"):
            for name in self.names[first:last]:
                self.data.put(f"train/{side}/{name}", (self.pictures / "train" / side / name).read_bytes())

    def spoil(self, last: int) -> None:
        """Give each drawing that is trained on the object of another one, upside down and nearly grey."""
        holdout = Holdout.model_validate(HOLDOUT)
        trained = [name for name in self.names[:last] if not is_held_out(name.removesuffix(".png"), holdout)]
        for name, other in zip(trained, trained[1:] + trained[:1], strict=True):
            pixels = codec.decode((self.pictures / "train" / "render" / other).read_bytes()).pixels[::-1] // 6 + 100
            self.data.put(f"train/render/{name}", codec.encode(Picture(pixels.copy(), None, "png"), "png", 0))

    def retrain(self, images: int) -> str:
        """One look of the scheduler, or with kills of two of them, until the retraining has ended: how it did."""
        self.images = images
        began, known, promoted = time.monotonic(), set(self.journal.begun()), self.promotions()
        for attempt in count():
            self._look(kill=self.kills and attempt < KILLED_LOOKS, after_s=self.luck.uniform(3, 14 + 2 * attempt))
            self.check(promoted)
            new = [each for each in self.journal.begun() if each not in known]
            assert len(new) <= 1, "two retrainings for one reason"
            if new and (done := self.journal.read(new[0], Done)):
                break
            assert self.kills, "one look has to do"
        assert done is not None
        page = self.keep / f"{len(known) + 1}-{done.outcome}.html"
        page.write_bytes(self.journal.store.get(place(new[0], "retraining.html")).data)
        print(f"{done.outcome} after {time.monotonic() - began:.0f} s, {self.killed} kills so far", flush=True)
        assert self.promotions() - promoted == (done.outcome == "promoted")
        return done.outcome

    def _look(self, *, kill: bool, after_s: float) -> None:
        rivals = [self._scheduler() for _ in range(1 + self.kills)]
        if kill:
            time.sleep(after_s)
            for rival in rivals:
                self.killed += rival.poll() is None
                rival.kill()
        for rival in rivals:
            out, said = rival.communicate(timeout=1800)
            assert rival.returncode in (EXIT_OK, EXIT_LOCKED, -signal.SIGKILL), said
            for words in json.loads(out.splitlines()[-1])["words"] if out else []:
                print(f"    {words}", flush=True)
        if kill:
            time.sleep(LEASE_S)

    def check(self, before: int) -> None:
        """Between kills: a champion, whole, and one promotion at most."""
        assert self.promotions() - before <= 1, "promoted twice"
        if self.promotions():
            open_model(f"{NAME}@champion", self.at["models"])
        for line in self.models.list():
            assert line.document is not None, f"a half model is listed: {line}"
            open_model(line.document.reference, self.at["models"])

    def promotions(self) -> int:
        return len(self.models.pointers(NAME).moves)

    def serve(self, into: str, *, version: int) -> None:
        """Translate the test drawings, and see which version did it."""
        out = f"{self.at['translated']}{into}/"
        self.translate("run", "--pipeline", str(self.pipeline), "--model", NAME, "--input",
                       f"{self.at['data']}test/ink/", "--output", out)
        store = open_store(out)
        plan = next(info.key for info in store.list("_translate/runs/") if info.key.endswith("plan.json"))
        model = json.loads(store.get(plan).data)["work"]["model"]
        assert model == f"{NAME}@{version}", model
        pictures = [info.key for info in store.list("") if info.key.endswith(".png")]
        assert len(pictures) == 24, pictures
        save(store, pictures, self.keep / into)
        print(f"{model} translated {len(pictures)} drawings", flush=True)

    def translate(self, *arguments: str) -> str:
        """The command; its words. Raises if it does not end with 0."""
        command = [*COMMAND, *arguments, "--registry", self.at["models"]]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def _scheduler(self) -> subprocess.Popen[str]:
        command = [*COMMAND, "schedule", "--once", "--json", "--pipeline", str(self.pipeline),
                   "--data", self.at["data"], "--output", self.at["retraining"], "--registry", self.at["models"],
                   "--set", f"train.images={self.images}"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def save(store: ObjectStore, keys: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for key in keys:
        (folder / key.rsplit("/", 1)[-1]).write_bytes(store.get(key).data)


def chapters(story: Story) -> Iterator[str]:
    story.add(0, FIRST)
    yield f"{FIRST} pairs, no model: the first one has to beat doing nothing"
    assert story.retrain(4000) == "promoted"
    story.serve("first", version=1)
    story.add(FIRST, LATER)
    yield f"the bucket has grown to {LATER} pairs"
    assert story.retrain(6000) == "promoted"
    story.serve("second", version=2)
    story.add(LATER, LAST)
    story.spoil(LAST)
    yield f"{LAST} pairs, and each that is trained on is spoiled"
    assert story.retrain(1600) == "kept"
    story.serve("third", version=2)
    yield "and back"
    story.translate("models", "rollback", NAME, "--why", "the first was nicer")
    story.serve("fourth", version=1)
    story.check(story.promotions())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--keep", type=Path, required=True, metavar="FOLDER", help="for pages and translated drawings")
    parser.add_argument("--kills", action="store_true")
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    with S3Server() as server:
        os.environ |= {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.endpoint_url}
        for chapter in chapters(Story(server, asked.pictures, asked.keep, kills=asked.kills)):
            print(f"# {chapter}", flush=True)


if __name__ == "__main__":
    main()
