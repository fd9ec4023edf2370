"""Small generators with weights as strong as trained ones, so that engines differ by something."""

import torch

from translate.config import Domains
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator


def translator(options, digest=""):
    """A translator of the network with these options (architecture, width ...), called ``m``."""
    name, config = parse_config("generator", options, "test")
    torch.manual_seed(1)
    built = build("generator", name, config)
    for parameter in built.parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, a=1)
    facts = ModelFacts(
        name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"), digest=digest
    )
    return Translator(built, facts)
