"""One batch through a game: who plays, and how the players come by their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from translate.training.networks import autocast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor, nn

    from translate.objectives.contract import Batch, Objective, Player, Terms


def seat_players(
    objective: Objective, networks: Mapping[str, nn.Module]
) -> tuple[dict[str, nn.Module], dict[Player, dict[str, nn.Module]]]:
    """The networks of all roles with the game's heads, and who of them learns in which player's step.

    Heads learn with the generators. Raises `ConfigError` as `Objective.heads` does.
    """
    heads = objective.heads(networks)
    generators = {name: network for name, network in networks.items() if name in objective.directions}
    judges = {name: network for name, network in networks.items() if name not in objective.directions}
    return {**networks, **heads}, {"generator": generators | heads, "discriminator": judges}


def play(
    objective: Objective,
    networks: Mapping[str, nn.Module],
    players: Mapping[Player, Mapping[str, nn.Module]],
    batch: Batch,
    shown: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
    *,
    device: torch.device,
    precision: str,
) -> Iterator[tuple[Player, Terms]]:
    """One forward pass of the generators, then each player's gradients in the game's order.

    Yields a player and its terms when its gradients are there; its step is to be taken before the next is asked for.
    ``shown`` turns the images that the generators made into those that the discriminators are shown.
    """
    with autocast(device, precision):
        made = objective.translate(networks, batch)
    for player in objective.order:
        for network in players["discriminator"].values():
            network.requires_grad_(player == "discriminator")
        with autocast(device, precision):
            if player == "generator":
                terms = objective.generator_loss(networks, batch, made)
            else:
                terms = objective.discriminator_loss(networks, batch, shown(made))
        for network in players[player].values():
            network.zero_grad(set_to_none=True)
        torch.autograd.backward([term.mean() for term in terms.values()])
        yield player, terms
