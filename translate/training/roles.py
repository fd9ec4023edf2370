"""Every role's weights beside a published model, so that a later training can begin from the whole game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from translate.errors import ConfigError, ModelError
from translate.registry import open_beside, open_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from translate.models.bundle import Dtype

ROLES_FILE = "roles.safetensors"


def pack_roles(networks: Mapping[str, nn.Module], dtype: Dtype) -> bytes:
    """All networks of a game in one safetensors file: ``<role>/<key>``, floats in ``dtype``."""
    wanted = torch.float16 if dtype == "float16" else torch.float32
    return save_tensors({
        f"{role}/{key}": (tensor.to(wanted) if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for role, network in networks.items() for key, tensor in network.state_dict().items()
    })


@dataclass(frozen=True)
class Beginning:
    """The weights that a training starts from."""

    reference: str
    """``name@version``, or the path of a file."""
    digest: str
    """Of the model that was named."""
    roles: Mapping[str, Mapping[str, Tensor]]
    """By role, then by key."""

    def load_into(self, networks: Mapping[str, nn.Module]) -> None:
        """Copy the weights into the networks of the same role; other roles keep their random ones.

        Raises `ConfigError` if a role has no network in this game, or if one's tensors do not fit it.
        """
        unknown = sorted(self.roles.keys() - networks.keys())
        if unknown:
            raise ConfigError(f"{self.reference} has weights for {', '.join(unknown)}, this game's roles are "
                              f"{', '.join(sorted(networks))}; begin from a model of the same game")
        for role, tensors in sorted(self.roles.items()):
            own = networks[role].state_dict()
            wrong = sorted(own.keys() ^ tensors.keys())
            wrong += [key for key in own if key in tensors and own[key].shape != tensors[key].shape]
            if wrong:
                raise ConfigError(f"{self.reference} does not fit this pipeline's {role}: {', '.join(wrong[:5])} "
                                  f"({len(wrong)} in all) differ; take its architecture, width and norm as they were")
            networks[role].load_state_dict({key: tensor.to(own[key].dtype) for key, tensor in tensors.items()})


def read_beginning(
    reference: str, registry_url: str | None, first_role: str, *, generator_alone: bool = False
) -> Beginning:
    """The weights of a model with those of its whole game, or of a single generator, e.g. a ``.pth`` file.

    A generator alone (all that there is, or ``generator_alone``) takes the role that its provenance names, else
    ``first_role``. Raises as `open_model` does, and `ModelError` for a damaged file of roles.
    """
    translator = open_model(reference, registry_url)
    facts = translator.facts
    # A published one by its version: a pointer may move meanwhile.
    beside = facts.reference if reference.partition("@")[0] == facts.name else reference
    data = None if generator_alone else open_beside(beside, ROLES_FILE, registry_url)
    if data is None:
        role = str(facts.provenance.get("role", first_role))
        return Beginning(facts.reference, facts.digest, {role: translator.network.state_dict()})
    try:
        packed = load_tensors(data)
    except SafetensorError as error:
        raise ModelError(f"{ROLES_FILE} of {reference} is not a safetensors file: {error}") from error
    roles: dict[str, dict[str, Tensor]] = {}
    for name, tensor in packed.items():
        role, _, key = name.partition("/")
        roles.setdefault(role, {})[key] = tensor
    return Beginning(facts.reference, facts.digest, roles)
