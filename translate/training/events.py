"""TensorBoard: what a training's output holds, as an event file for those who live there.

Status lines and evaluations are written whole, under one name that does not change, so that a resume replaces what an
end that was lost had left. A TensorBoard that watches the folder takes the new file in (with ``--load_fast=false`` it
has to be started again).

Written wherever the package ``tensorboard`` is installed, and nowhere else: who installs it wants the files, they are
small, and an option would only say the same a second time. The page (`translate.training.page`) needs no package.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from translate.training.record import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.stores.contract import ObjectStore

EVENTS_KEY = "tensorboard/events.out.tfevents.0000000000.translate"
"""TensorBoard knows the files by ``tfevents`` in their names."""


def write_events(output: ObjectStore, *, seen: int) -> None:
    """Write the event file of a training that has seen ``seen`` images; nothing where TensorBoard is missing.

    A step is an image seen, and the time of an event is the seconds of training before it (so TensorBoard's *relative*
    axis is right, its *wall* axis begins in 1970). Tags: ``loss/<term>``, ``learning_rate``, ``images_per_s``,
    ``<direction>/<score>``. Values are float32.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ModuleNotFoundError:
        return
    file = io.BytesIO()
    writer = RecordWriter(file)
    writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
    for images, seconds, values in _scalars(output, seen):
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        writer.write(Event(wall_time=seconds, step=images, summary=summary).SerializeToString())
    output.put(EVENTS_KEY, file.getvalue())


def _scalars(output: ObjectStore, seen: int) -> Iterator[tuple[int, float, dict[str, float]]]:
    """(images seen, seconds of training, value by tag), status lines first."""
    names = {"rate": "learning_rate", "images_per_s": "images_per_s"}
    for line in read_lines(output, "status.jsonl", up_to=seen):
        images, seconds = int(line.pop("images")), float(line.pop("seconds"))
        yield images, seconds, {names.get(key, f"loss/{key}"): value for key, value in line.items()}
    for line in read_lines(output, "evaluations.jsonl", up_to=seen):
        values = {f"{direction}/{name}": value for direction, scores in line["scores"].items()
                  for name, value in scores.items()}
        yield int(line["images"]), float(line["seconds"]), values
