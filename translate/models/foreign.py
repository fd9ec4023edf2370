"""Generators of other projects: ``.pth`` files of pytorch-CycleGAN-and-pix2pix, of CUT and of pix2pixHD.

The architecture shows in the keys and shapes; what does not fit exactly is an error that names the keys. A
file is only ever read as plain tensors: one that holds code is refused.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import struct
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from translate.config import Domains
from translate.errors import ModelError, UsageError
from translate.models.bundle import assemble
from translate.models.contract import build, parse_config
from translate.models.resnet import BlurDown, BlurUp
from translate.models.translator import ModelFacts, Translator

if TYPE_CHECKING:
    from collections.abc import Mapping

State = dict[str, Tensor]
SUFFIXES = (".pth", ".pt")
_PREFIXES = ("module.", "_orig_mod.")
_RUNNING = ("running_mean", "running_var", "num_batches_tracked")
_MAGIC = (b"PK\x03\x04", b"\x80\x02")
"""A zip archive, or the bare pickles that torch wrote before 1.6."""
_DAMAGED = (RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, AssertionError, struct.error)
"""What torch raises where a file breaks off or holds nonsense; the bare pickles above all."""


def read_foreign(data: bytes, source: str, *, name: str | None = None, dropout: bool = False) -> Translator:
    """Make a translator of the bytes of a ``.pth`` file; ``source`` names it in errors and in the provenance.

    ``name`` of the model: by default made from the file's name. ``dropout``: whether a U-Net was trained with
    dropout, which its keys do not show (it matters to `Translator.compat` only); a ResNet's keys do.
    Raises `ModelError` if the file is no torch file, holds code, or is not a generator that is known.
    """
    state = _plain_state(_load(data, source), source)
    architecture, config, modules = _recognise(state, source, dropout=dropout)
    facts = ModelFacts(
        name=name or _name_from(source),
        architecture=architecture,
        config=config,
        domains=Domains(a="input", b="output"),
        digest="sha256:" + hashlib.sha256(data).hexdigest(),
        provenance={"imported_from": PurePosixPath(source).name, "digest": hashlib.sha256(data).hexdigest()},
    )
    return assemble(facts, _renamed(state, facts, modules, source), source)


def _load(data: bytes, source: str) -> object:
    if not data.startswith(_MAGIC):
        raise ModelError(f"{source} is not a torch file; expected a .pth written by torch.save")
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)|global ([\w.]+)", str(error))
        what = f" ({found[1] or found[2]})" if found else ""
        raise ModelError(f"unsafe file refused: {source} holds more than tensors{what}, and reading it could "
                         "run code; save its state_dict() alone and import that") from error
    except _DAMAGED as error:
        reason = str(error).partition(". ")[0].partition("\n")[0] or type(error).__name__
        raise ModelError(f"{source} is a damaged torch file ({reason}); copy it again") from error


def _plain_state(loaded: object, source: str) -> State:
    """The state dict without the prefixes of wrappers."""
    if not isinstance(loaded, dict):
        raise ModelError(f"{source} holds a {type(loaded).__name__}; expected a generator's state_dict()")
    values = {str(key): value for key, value in loaded.items() if key != "_metadata"}
    others = [key for key, value in values.items() if not isinstance(value, Tensor)]
    if others or not values:
        raise ModelError(f"{source} is not a state_dict(): no tensors under {_some(others) or 'any key'}; "
                         "save the generator's state_dict() alone and import that")
    return {_without_prefix(key): value for key, value in values.items()}


def _without_prefix(key: str) -> str:
    while key.startswith(_PREFIXES):
        key = key.partition(".")[2]
    return key


def _recognise(state: State, source: str, *, dropout: bool) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Architecture, config, and the map from our modules' names to theirs."""
    if _is_convolution(state, "model.model.0", 4):
        return _unet(state, dropout=dropout)
    if any(key.startswith("model1_1.") for key in state):
        raise ModelError(f"{source} is pix2pixHD's local enhancer; only its global generator (trained with "
                         "--netG global) can be imported")
    if "model.1.weight" in state and any(re.match(r"model\.\d+\.conv_block\.", key) for key in state):
        if dropout:
            raise UsageError(f"{source} is a ResNet, whose keys show if it has dropout; leave --dropout out")
        return _resnet(state)
    if _is_convolution(state, "model.0", 4) or _is_convolution(state, "net.0", 1) or any(
            re.match(r"(scale\d+_)?layer\d+\.", key) for key in state):
        raise ModelError(f"{source} is a discriminator, not a generator; import the generator's file, which "
                         "is named like latest_net_G.pth or latest_net_G_A.pth")
    if any(key.startswith("mlp_") for key in state):
        raise ModelError(f"{source} holds CUT's PatchNCE heads (..._net_F.pth), not a generator; import "
                         "..._net_G.pth")
    raise ModelError(f"{source} is of an unknown architecture: its keys are {_some(list(state))}; known are "
                     "the ResNet and U-Net generators of pytorch-CycleGAN-and-pix2pix and CUT, and pix2pixHD's "
                     "global generator")


def _resnet(state: State) -> tuple[str, dict[str, Any], dict[str, str]]:
    numbers = {int(match[1]) for key in state if (match := re.match(r"model\.(\d+)\.conv_block\.", key))}
    blocks = len(numbers)
    downs = sum(_is_convolution(state, f"model.{number}", 3) for number in range(2, min(numbers)))
    antialiased = any(key.endswith(".filt") for key in state)
    dropout = any(re.fullmatch(r"model\.\d+\.conv_block\.6\.weight", key) and value.dim() == 4
                  for key, value in state.items())
    normed = _norm(state, "model.1", "model.2")
    has_norm = normed["norm"] != "none"
    # Theirs count every layer in one row; ours, per part, skip padding and absent norms.
    skip = 1 if antialiased else 0
    modules = {"stem.0": "model.1", "stem.1": "model.2"}
    step = 2 + has_norm + skip
    for level in range(downs):
        at = 4 + level * (3 + skip)
        modules |= {f"down.{level * step}": f"model.{at}", f"down.{level * step + 1}": f"model.{at + 1}"}
        if antialiased:
            modules[f"down.{(level + 1) * step - 1}"] = f"model.{at + 3}"
    at = 4 + downs * (3 + skip)
    second = 2 + has_norm + dropout
    for block in range(blocks):
        theirs = f"model.{at + block}.conv_block"
        ours = f"blocks.{block}.layers"
        modules |= {f"{ours}.0": f"{theirs}.1", f"{ours}.1": f"{theirs}.2"}
        modules |= {f"{ours}.{second + i}": f"{theirs}.{5 + dropout + i}" for i in range(2)}
    at += blocks
    for level in range(downs):
        conv = at + skip + level * (3 + skip)
        ours_at = level * step + skip
        modules |= {f"up.{ours_at}": f"model.{conv}", f"up.{ours_at + 1}": f"model.{conv + 1}"}
        if antialiased:
            modules[f"up.{ours_at - 1}"] = f"model.{conv - 1}"
    head = at + downs * (3 + skip) + 1
    modules["head"] = f"model.{head}"
    stem = state["model.1.weight"]
    return "resnet", {
        "in_channels": stem.shape[1], "out_channels": _channels(state, f"model.{head}.weight", 0),
        "width": stem.shape[0], "downs": downs, "blocks": blocks, "sampling": "antialiased" if antialiased else "plain",
        "dropout": dropout, **normed,
    }, modules


def _unet(state: State, *, dropout: bool) -> tuple[str, dict[str, Any], dict[str, str]]:
    modules = {"down.0.0": "model.model.0", "up.0.0": "model.model.3"}
    inside, level = "model.model.1.model", 1
    while any(key.startswith(f"{inside}.3.model.") for key in state):  # there is a level further in
        modules |= {f"down.{level}.1": f"{inside}.1", f"down.{level}.2": f"{inside}.2",
                    f"up.{level}.0": f"{inside}.5", f"up.{level}.1": f"{inside}.6"}
        inside, level = f"{inside}.3.model", level + 1
    modules |= {f"down.{level}.1": f"{inside}.1",
                f"up.{level}.0": f"{inside}.3", f"up.{level}.1": f"{inside}.4"}
    outer = state["model.model.0.weight"]
    return "unet", {
        "in_channels": outer.shape[1], "out_channels": _channels(state, "model.model.3.weight", 1),
        "width": outer.shape[0], "levels": level + 1, "dropout": dropout,
        **_norm(state, "model.model.0", f"{inside}.4"),
    }, modules


def _norm(state: State, convolution: str, norm: str) -> dict[str, Any]:
    """Which norm follows ``convolution``: the keys of both tell."""
    if f"{norm}.weight" in state:
        batch = f"{norm}.running_mean" in state
        return {"norm": "batch", "affine": False} if batch else {"norm": "instance", "affine": True}
    return {"norm": "instance" if f"{convolution}.bias" in state else "none", "affine": False}


def _renamed(state: State, facts: ModelFacts, modules: Mapping[str, str], source: str) -> State:
    """The tensors under our names; every key of the file must be used or known to be superfluous."""
    name, config = parse_config("generator", {"architecture": facts.architecture, **facts.config}, source)
    with torch.device("meta"):
        network = build("generator", name, config)
    renamed: State = {}
    used: set[str] = set()
    problems: list[str] = []
    for ours, wanted in network.state_dict().items():
        module, _, leaf = ours.rpartition(".")
        theirs = f"{modules[module]}.{leaf}"
        if leaf == "num_batches_tracked":  # files from before torch 0.4 lack it; inference needs none
            renamed[ours] = state.get(theirs, torch.zeros(wanted.shape, dtype=wanted.dtype))
        elif theirs not in state:
            problems.append(f"{theirs} is missing")
        elif state[theirs].shape != wanted.shape:
            problems.append(f"{theirs} is {list(state[theirs].shape)}, expected {list(wanted.shape)}")
        else:
            renamed[ours] = state[theirs]
        used.add(theirs)
    used |= _superfluous(state, network, modules, problems)
    problems += [f"{key} is not known" for key in state if key not in used]
    if problems:
        raise ModelError(f"{source} looks like a {facts.architecture} generator ({_brief(facts)}), but: "
                         f"{_some(problems)}")
    return renamed


def _superfluous(
    state: State, network: torch.nn.Module, modules: Mapping[str, str], problems: list[str]
) -> set[str]:
    """Keys that carry nothing: fixed blur filters, and running statistics of instance norms in old files."""
    keys: set[str] = set()
    for ours, module in network.named_modules():
        theirs = modules.get(ours, "")
        if isinstance(module, torch.nn.InstanceNorm2d):
            keys |= {f"{theirs}.{leaf}" for leaf in _RUNNING}
        filt = f"{theirs}.filt"
        if isinstance(module, BlurDown | BlurUp) and filt in state:
            keys.add(filt)
            row = torch.tensor([1.0, 2.0, 1.0] if isinstance(module, BlurDown) else [1.0, 3.0, 3.0, 1.0])
            kernel, given = torch.outer(row, row) / 16, state[filt].float()
            if given.shape[1:] != (1, *kernel.shape) or not torch.allclose(given, kernel, atol=1e-6):
                problems.append(f"{filt} is not CUT's blur")
    return keys


def _is_convolution(state: State, module: str, kernel: int) -> bool:
    weight = state.get(f"{module}.weight")
    return weight is not None and weight.dim() == 4 and weight.shape[-1] == kernel


def _channels(state: State, key: str, axis: int) -> int:
    if key not in state or state[key].dim() != 4:
        raise ModelError(f"the generator has no last convolution: {key} is missing")
    return state[key].shape[axis]


def _name_from(source: str) -> str:
    """A model name from a path; the many files called ``latest_net_G.pth`` take their folder's name too."""
    path = PurePosixPath(source.replace("\\", "/"))
    stem = f"{path.parent.name}-{path.stem}" if re.match(r"(latest|\d+)_net_", path.stem) else path.stem
    return re.sub(r"[^a-z0-9_-]+", "-", stem.lower()).strip("-_") or "imported"


def _brief(facts: ModelFacts) -> str:
    return ", ".join(f"{key} {value}" for key, value in facts.config.items())


def _some(words: list[str], most: int = 8) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
