"""The training loop: one function, read from top to bottom. It alone steps and saves."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from translate.config import canonical_json, digest
from translate.errors import TrainingError
from translate.images.codec import encode
from translate.objectives.contract import build_objective
from translate.progress import Progress, duration, silent
from translate.stores.patience import PatientStore
from translate.training import schedules
from translate.training.allocator import keep_freed_memory
from translate.training.data import TrainingData
from translate.training.events import write_events
from translate.training.group import Alone, Group, part_of_batch
from translate.training.memory import check_memory
from translate.training.networks import build_networks, device_of, precision_of
from translate.training.page import write_page
from translate.training.pool import HistoryPool
from translate.training.selection import Selection
from translate.training.sheet import sample_sheet, translate_samples
from translate.training.state import State, forget, load_checkpoint, save_checkpoint
from translate.training.step import play, seat_players
from translate.training.watch import warnings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from translate.config import Training
    from translate.images.picture import Picture
    from translate.metrics.evaluate import Evaluation
    from translate.models.contract import ArchitectureConfig
    from translate.progress import Listener
    from translate.stores.contract import ObjectStore
    from translate.training.networks import Device
    from translate.training.roles import Beginning

STATUS_SECONDS = 20.0
ALONE = Alone()
MOST_RECOVERIES = 4
"""Times that a training goes back to its last checkpoint, at half the rate each time, before it gives up."""


@dataclass(frozen=True)
class Trained:
    """The outcome: averaged generators of every direction with what made them; the best snapshot if one was sought."""

    generators: Mapping[str, nn.Module]
    networks: Mapping[str, nn.Module]
    """Every role of the game, not averaged: what a later training begins from."""
    directions: Mapping[str, tuple[str, str]]
    architecture: str
    configs: Mapping[str, ArchitectureConfig]
    seen: int
    """Images that had been seen when these weights were taken."""
    seconds: float
    """Of the whole training."""
    chosen_by: str
    """Why these weights, in words."""
    parent: str | None
    """The model that the training began from."""
    parent_digest: str | None
    """Of its weights."""
    config_digest: str
    precision: str
    data: str
    """What was trained on, in words."""
    data_digest: str
    """Of its listing, see `translate.datasets.layout.digest_of_set`."""
    evaluations: Mapping[str, Evaluation]
    """By role: what these generators score on held-out images; empty if the pipeline asks for none."""
    sheets: Mapping[str, Picture]
    """By role: inputs above, translations below."""


def train(  # noqa: C901 - the loop is one function, so that it can be read from top to bottom
    training: Training,
    data: ObjectStore,
    output: ObjectStore,
    *,
    begin: Beginning | None = None,
    minutes: float | None = None,
    resume: bool = True,
    device: Device = "auto",
    on_progress: Listener = silent,
    group: Group = ALONE,
    pipeline: str = "",
) -> Trained:
    """Train until ``training.images`` are seen, or ``minutes`` have passed in all; resumes from the last checkpoint.

    Without a checkpoint it starts from the weights of ``begin``, else from random ones. Writes to ``output``:
    ``config.json``, ``status.jsonl``, ``evaluations.jsonl``, ``events.jsonl``, ``samples/<images>.png``,
    ``training.html``, ``checkpoints/``. With ``minutes`` the learning rate falls with the larger of both shares, so
    that it ends low either way. A ``device`` other than the processor gives the same only about. In a ``group`` every
    worker calls this alike and steps on the mean of all their gradients; the first one speaks and writes. The page
    names the ``pipeline``. The process keeps memory that is freed from here on.
    Raises `ConfigError`, `DataError`, `ModelError`, `TrainingError`, `UsageError`.
    """
    # A night outlasts a store's bad minutes.
    data, output = PatientStore(data, known=False), PatientStore(output, known=False)

    # What is played, by whom, on what.
    part = part_of_batch(training.batch, group)
    place = device_of(device)
    keep_freed_memory()
    cache_bytes = check_memory(training, group.size, here=group.here, device=place).cache
    torch.manual_seed(training.seed)  # the same numbers for every worker
    objective = build_objective(training.objective, "training.objective")
    networks, architecture, configs = build_networks(training, objective)
    generators = {name: network for name, network in networks.items() if name in configs}
    networks, players = seat_players(objective, networks)
    if begin is not None:
        begin.load_into(networks)
    for network in networks.values():
        network.to(place)
    images = TrainingData(data, training.data, seed=training.seed, cache_bytes=cache_bytes)
    data_digest = images.digest() if group.rank == 0 else ""
    selection = Selection(training, data, objective.directions, architecture, configs)
    precision = precision_of(training.precision, place)
    state = State(
        networks=networks,
        averages={name: copy.deepcopy(network) for name, network in generators.items()},
        optimizers={player: torch.optim.Adam([p for network in own.values() for p in network.parameters()],
                                             lr=training.learning_rate, betas=training.betas, fused=True)
                    for player, own in players.items()},
        pools={f"fake_{target}": HistoryPool(training.pool) for _, target in objective.directions.values()},
        random=torch.Generator().manual_seed(training.seed),
    )
    values = training.model_dump(mode="json")
    config_digest = _digest(values, begin)
    if not resume and group.rank == 0:
        forget(output)
    found = resume and load_checkpoint(output, state, config_digest)
    if group.rank == 0:
        output.put("config.json", canonical_json(values).encode(), content_type="application/json")
        if not found:  # something to go back to, from the first step on
            save_checkpoint(output, state, config_digest)
    shown = images.samples(4)

    def from_history(made: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every worker keeps the whole history, which is the same with any number of them."""
        return {name: state.pools[name].exchange(group.gather(image.detach()), state.random)[part]
                for name, image in made.items() if name in state.pools}

    # The night.
    started, seconds_before, seen_before, spoken = time.monotonic(), state.seconds, state.seen, 0.0
    batches = images.batches(state.seen, training.batch, part)
    while state.seen < training.images and not (minutes and state.seconds >= minutes * 60):
        # Rate: a share of the way in images, or in minutes if that is further.
        way = state.seen if not minutes else max(state.seen, int(state.seconds / (minutes * 60) * training.images))
        base = training.learning_rate / 2**state.recoveries
        rate = schedules.learning_rate(way, training.images, base=base,
                                       warmup_images=training.warmup_images, decay_from=training.decay_from)
        for optimizer in state.optimizers.values():
            for settings in optimizer.param_groups:
                settings["lr"] = rate

        # One forward pass of the generators, then each player's step in the game's order.
        batch = {name: tensor.to(place, memory_format=torch.channels_last) if tensor.ndim == 4 else tensor.to(place)
                 for name, tensor in next(batches).items()}
        batch["way"] = torch.tensor(min(1.0, way / training.images))
        losses: dict[str, float] = {}
        trouble = ""
        for player, terms in play(objective, networks, players, batch, from_history, device=place, precision=precision):
            gradients = [p.grad for network in players[player].values() for p in network.parameters()
                         if p.grad is not None]
            means = torch.stack([term.detach().float().mean() for term in terms.values()])
            group.average([*gradients, means])
            player_losses = dict(zip(terms, means.tolist(), strict=True))
            trouble = _not_finite(gradients, player_losses)
            if trouble:
                break
            state.optimizers[player].step()
            losses |= player_losses

        # Never a step on a gradient that is not finite: back to the last good state, at half the rate.
        if trouble:
            trouble += f"; images: {', '.join(images.names(state.seen, training.batch))}"
            _go_back(output, state, config_digest, trouble, group, pipeline)
            batches.close()
            batches = images.batches(state.seen, training.batch, part)
            continue

        # The average that will be published.
        state.seen += training.batch
        state.seconds = group.agree(seconds_before + time.monotonic() - started)
        decay = schedules.ema_decay(training.batch, training.ema_half_life_images, state.seen)
        for name, average in state.averages.items():
            for kept, now in zip(average.state_dict().values(), networks[name].state_dict().values(), strict=True):
                kept.lerp_(now, 1 - decay) if kept.is_floating_point() else kept.copy_(now)

        # Status, picture, evaluation, checkpoint: the first worker's.
        if group.rank > 0:
            continue
        done = state.seen >= training.images or bool(minutes and state.seconds >= minutes * 60)
        note = f"loss {sum(losses.values()):.2f}"
        if minutes:  # how many images that will be is not known: the total is the time
            note += f", {duration(max(0.0, minutes * 60 - state.seconds))} of training left"
        on_progress(Progress(state.seen, None if minutes else training.images, "images", note))
        if done or state.seconds - spoken >= STATUS_SECONDS:
            spoken = state.seconds
            speed = (state.seen - seen_before) / max(state.seconds - seconds_before, 1e-9)
            state.history.append({"images": state.seen, "seconds": round(state.seconds, 1), "rate": rate,
                                  "images_per_s": round(speed, 2)} | {k: round(v, 4) for k, v in losses.items()})
            _put_lines(output, "status.jsonl", state.history)
        if done or _due(state.seen, training.batch, training.sample_every_images):
            translated = translate_samples(state.averages, objective.directions, shown)
            sheet = encode(sample_sheet(translated), "png", 100)
            output.put(f"samples/{state.seen:010d}.png", sheet, content_type="image/png")
            for warning in warnings_of(translated):
                state.events.append({"images": state.seen, "event": "warning", "message": warning})
        if training.evaluation and (done or _due(state.seen, training.batch, training.evaluation.every_images)):
            selection.consider(state)
        if done or _due(state.seen, training.batch, training.sample_every_images):
            _put_lines(output, "evaluations.jsonl", state.evaluations)
            _put_lines(output, "events.jsonl", state.events)
            write_events(output, seen=state.seen)
            write_page(output, state="finished" if done else "running", seen=state.seen, seconds=state.seconds,
                       minutes=minutes, data_url=data.url, data_summary=images.describe(), precision=precision,
                       config_digest=config_digest, pipeline=pipeline)
        if done or _due(state.seen, training.batch, training.checkpoint_every_images):
            save_checkpoint(output, state, config_digest)

    # The outcome: the best snapshot if one was sought, else the last.
    chosen_by, seen = "the last snapshot", state.seen
    if training.evaluation and state.best is not None:  # a checkpoint may hold one from before it was left out
        chosen_by, seen = selection.words(state), state.best.seen
        for kept, now in ((state.best.networks, state.networks), (state.best.averages, state.averages)):
            for name, network in now.items():
                network.load_state_dict(kept[name])
    translated = translate_samples(state.averages, objective.directions, shown)
    sheets = {role: sample_sheet({role: rows}) for role, rows in translated.items()}
    evaluations = selection.evaluate(state.averages) if group.rank == 0 else {}
    parent, parent_digest = (None, None) if begin is None else (begin.reference, begin.digest)
    return Trained(state.averages, state.networks, objective.directions, architecture, configs, seen, state.seconds,
                   chosen_by, parent, parent_digest, config_digest, precision, images.describe(), data_digest,
                   evaluations, sheets)


def _digest(values: Mapping[str, Any], begin: Beginning | None) -> str:
    """Digest of everything that decides the weights; not of how long the training lasts or what is looked at."""
    looks = {"images", "evaluation", "sample_every_images", "checkpoint_every_images"}
    decisive = {key: value for key, value in values.items() if key not in looks}
    return digest(decisive | ({} if begin is None else {"begin": begin.digest}))


def _not_finite(gradients: Sequence[Tensor], losses: Mapping[str, float]) -> str:
    """What is not finite, in words; empty if all gradients are."""
    norms = torch._foreach_norm(list(gradients))  # noqa: SLF001 - clip_grad_norm_ uses it too, one call for all
    if bool(torch.isfinite(torch.stack(norms)).all()):
        return ""
    bad = [name for name, loss in losses.items() if not math.isfinite(loss)]
    return f"a gradient is not finite (terms that are not: {', '.join(bad) or 'none, so it arose on the way back'})"


def _go_back(
    output: ObjectStore, state: State, config_digest: str, trouble: str, group: Group, pipeline: str
) -> None:
    """To the last checkpoint, at half the rate from there on; raises `TrainingError` after too often."""
    at, recoveries, seconds = state.seen, state.recoveries + 1, state.seconds
    message = f"after {at} images {trouble}"
    events = [*state.events, {"images": at, "event": "recovered", "message": message}]
    if recoveries > MOST_RECOVERIES:
        if group.rank == 0:
            _put_lines(output, "events.jsonl", [*events[:-1], {**events[-1], "event": "gave up"}])
            write_page(output, state="stopped", seen=at, seconds=seconds, pipeline=pipeline, reason=message,
                       config_digest=config_digest)
        raise TrainingError(f"{message}. The training went back {MOST_RECOVERIES} times, at half the rate each time, "
                            "and gives up; the last checkpoint is whole. Lower training.learning_rate, or set "
                            "training.precision to float32, and look at these images")
    load_checkpoint(output, state, config_digest)
    state.recoveries, state.events, state.seconds = recoveries, events, seconds
    if group.rank == 0:
        _put_lines(output, "events.jsonl", events)


def _put_lines(output: ObjectStore, key: str, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    output.put(key, text.encode(), content_type="application/jsonl")


def _due(seen: int, batch: int, every: int) -> bool:
    return seen // every > (seen - batch) // every
