"""The training loop: one function, read from top to bottom. It alone calls backward, step and save."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from translate.config import canonical_json, digest
from translate.errors import ConfigError, TrainingError
from translate.images.codec import encode
from translate.models.contract import build, parse_config
from translate.objectives.contract import build_objective
from translate.progress import Progress, duration, silent
from translate.training import schedules
from translate.training.data import TrainingData
from translate.training.pool import HistoryPool
from translate.training.sheet import sample_sheet
from translate.training.state import State, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from translate.config import Training
    from translate.images.picture import Picture
    from translate.models.contract import ArchitectureConfig
    from translate.objectives.contract import Objective
    from translate.progress import Listener
    from translate.stores.contract import ObjectStore

STATUS_SECONDS = 20.0


@dataclass(frozen=True)
class Trained:
    """The outcome: averaged generators of every direction with what made them."""

    generators: Mapping[str, nn.Module]
    directions: Mapping[str, tuple[str, str]]
    architecture: str
    configs: Mapping[str, ArchitectureConfig]
    seen: int
    seconds: float
    config_digest: str
    precision: str
    data: str
    """What was trained on, in words."""
    sheets: Mapping[str, Picture]
    """By role: inputs above, translations below."""


def train(  # noqa: C901 - the loop is one function, so that it can be read from top to bottom
    training: Training,
    data: ObjectStore,
    output: ObjectStore,
    *,
    minutes: float | None = None,
    resume: bool = True,
    on_progress: Listener = silent,
) -> Trained:
    """Train until ``training.images`` are seen, or ``minutes`` have passed in all; goes on from the last checkpoint.

    Writes to ``output``: ``config.json``, ``status.jsonl``, ``samples/<images>.png``, ``checkpoints/``. With
    ``minutes`` the learning rate falls with the larger of both shares, so that it ends low either way.
    Raises `ConfigError`, `DataError`, `TrainingError`.
    """
    # What is played, by whom, on what.
    torch.manual_seed(training.seed)
    objective = build_objective(training.objective, "training.objective")
    networks, architecture, configs = _networks(training, objective)
    generators = {name: network for name, network in networks.items() if name in configs}
    heads = objective.heads(networks)
    players = {"generator": generators | heads,
               "discriminator": {name: network for name, network in networks.items() if name not in configs}}
    networks |= heads
    images = TrainingData(data, training.data, seed=training.seed)
    precision = _precision(training.precision)
    state = State(
        networks=networks,
        averages={name: copy.deepcopy(network) for name, network in generators.items()},
        optimizers={player: torch.optim.Adam([p for network in group.values() for p in network.parameters()],
                                             lr=training.learning_rate, betas=training.betas, fused=True)
                    for player, group in players.items()},
        pools={f"fake_{target}": HistoryPool(training.pool) for _, target in objective.directions.values()},
        random=torch.Generator().manual_seed(training.seed),
    )
    values = training.model_dump(mode="json")
    config_digest = digest({k: v for k, v in values.items() if not k.endswith("_every_images") and k != "images"})
    if resume:
        load_checkpoint(output, state, config_digest)
    output.put("config.json", canonical_json(values).encode(), content_type="application/json")
    shown = images.samples(4)

    # The night.
    started, seconds_before, seen_before, spoken = time.monotonic(), state.seconds, state.seen, 0.0
    batches = images.batches(state.seen, training.batch)
    while state.seen < training.images and not (minutes and state.seconds >= minutes * 60):
        # Rate: a share of the way in images, or in minutes if that is further.
        way = state.seen if not minutes else max(state.seen, int(state.seconds / (minutes * 60) * training.images))
        rate = schedules.learning_rate(way, training.images, base=training.learning_rate,
                                       warmup_images=training.warmup_images, decay_from=training.decay_from)
        for optimizer in state.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate

        # One forward pass of the generators, then each player's step in the game's order.
        batch = {name: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
                 for name, tensor in next(batches).items()}
        batch["way"] = torch.tensor(min(1.0, way / training.images))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            made = objective.translate(networks, batch)
        losses: dict[str, float] = {}
        for player in objective.order:
            for network in players["discriminator"].values():
                network.requires_grad_(player == "discriminator")
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                if player == "generator":
                    terms = objective.generator_loss(networks, batch, made)
                else:
                    old = {name: state.pools[name].exchange(image.detach(), state.random)
                           for name, image in made.items() if name in state.pools}
                    terms = objective.discriminator_loss(networks, batch, old)
            state.optimizers[player].zero_grad(set_to_none=True)
            torch.autograd.backward([term.mean() for term in terms.values()])
            _check_finite(players[player], terms, state.seen)
            state.optimizers[player].step()
            losses |= {name: float(term.detach().mean()) for name, term in terms.items()}

        # The average that will be published.
        state.seen += training.batch
        state.seconds = seconds_before + time.monotonic() - started
        decay = schedules.ema_decay(training.batch, training.ema_half_life_images, state.seen)
        for name, average in state.averages.items():
            for kept, now in zip(average.state_dict().values(), networks[name].state_dict().values(), strict=True):
                kept.lerp_(now, 1 - decay) if kept.is_floating_point() else kept.copy_(now)

        # Status, picture, checkpoint.
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
            lines = "".join(json.dumps(line) + "\n" for line in state.history)
            output.put("status.jsonl", lines.encode(), content_type="application/jsonl")
        if done or _due(state.seen, training.batch, training.sample_every_images):
            sheet = encode(sample_sheet(state.averages, objective.directions, shown), "png", 100)
            output.put(f"samples/{state.seen:010d}.png", sheet, content_type="image/png")
        if done or _due(state.seen, training.batch, training.checkpoint_every_images):
            save_checkpoint(output, state, config_digest)

    sheets = {role: sample_sheet(state.averages, {role: way}, shown) for role, way in objective.directions.items()}
    return Trained(state.averages, objective.directions, architecture, configs, state.seen, state.seconds,
                   config_digest, precision, images.describe(), sheets)


def _networks(
    training: Training, objective: Objective
) -> tuple[dict[str, nn.Module], str, dict[str, ArchitectureConfig]]:
    """Every network of the game, fully built; the architecture and configurations of the generators."""
    networks: dict[str, nn.Module] = {}
    configs: dict[str, ArchitectureConfig] = {}
    architecture = ""
    for name, role in objective.roles(training.data.channels_a, training.data.channels_b).items():
        values = dict(training.generator if role.kind == "generator" else training.discriminator)
        given = {"in_channels", "out_channels"} & values.keys()
        if given:
            raise ConfigError(f"training.{role.kind}: {', '.join(sorted(given))} follow from data.channels_a and "
                              "channels_b and the objective; leave them out")
        values["in_channels"] = role.in_channels
        if role.kind == "generator":
            values["out_channels"] = role.out_channels
        found, config = parse_config(role.kind, values, f"training.{role.kind}")
        networks[name] = build(role.kind, found, config).to(memory_format=torch.channels_last)
        if role.kind == "generator":
            architecture, configs[name] = found, config
            if training.data.crop_px % config.multiple:
                raise ConfigError(f"training.data.crop_px {training.data.crop_px} must be a multiple of "
                                  f"{config.multiple} for {found}")
    return networks, architecture, configs


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "bfloat16" if torch.cpu._is_amx_tile_supported() else "float32"  # noqa: SLF001 - no public question exists


def _check_finite(networks: Mapping[str, nn.Module], terms: Mapping[str, Tensor], seen: int) -> None:
    """Never a step on a non-finite gradient."""
    gradients = [p.grad for network in networks.values() for p in network.parameters() if p.grad is not None]
    norms = torch._foreach_norm(gradients)  # noqa: SLF001 - the public clip_grad_norm_ uses it, one call for all
    if not bool(torch.isfinite(torch.stack(norms)).all()):
        bad = [name for name, term in terms.items() if not bool(torch.isfinite(term).all())]
        raise TrainingError(f"after {seen} images a gradient is not finite (terms that are not: "
                            f"{', '.join(bad) or 'none, so it arose on the way back'}); the last checkpoint is whole. "
                            "Lower training.learning_rate or set training.precision to float32")


def _due(seen: int, batch: int, every: int) -> bool:
    return seen // every > (seen - batch) // every
