"""Checkpoints of other projects: the imported network equals one that was written from their layout."""

import io
from collections import OrderedDict

import pytest
import torch
from reference_networks import PatchReference, ResnetReference, UnetReference, trained_like

from translate.errors import ModelError, UsageError
from translate.models.foreign import read_foreign

RESNETS = [
    *({"norm": norm, "blocks": 6} for norm in ("instance", "affine", "batch", "none")),
    *({"norm": norm, "blocks": 9, "dropout": True} for norm in ("instance", "affine", "batch", "none")),
    *({"norm": norm, "blocks": 6, "antialiased": True} for norm in ("instance", "affine", "batch", "none")),
    {"norm": "batch", "blocks": 9, "antialiased": True, "dropout": True},
    {"norm": "instance", "blocks": 9, "channels": (1, 1)},
    {"norm": "instance", "blocks": 6, "channels": (1, 3)},
    {"norm": "batch", "blocks": 6, "channels": (3, 1), "antialiased": True},
    {"norm": "instance", "blocks": 3, "width": 10},
    {"norm": "instance", "blocks": 9, "downs": 4, "width": 4},  # pix2pixHD
    {"norm": "affine", "blocks": 2, "downs": 3, "antialiased": True, "dropout": True},
    {"norm": "none", "blocks": 1, "downs": 1},
]
UNETS = [
    *({"norm": norm, "levels": 7} for norm in ("instance", "affine", "batch", "none")),
    *({"norm": norm, "levels": 8} for norm in ("instance", "batch")),
    {"norm": "batch", "levels": 7, "channels": (1, 3)},
    {"norm": "batch", "levels": 7, "channels": (3, 1), "dropout": True},
]


def saved(state, *, zipped=True):
    data = io.BytesIO()
    torch.save(state, data, _use_new_zipfile_serialization=zipped)
    return data.getvalue()


def some_input(channels, side):
    return torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def assert_equal_outputs(reference, translator, side):
    x = some_input(translator.in_channels, side)
    with torch.no_grad():
        expected = reference(x)
    assert expected.std() > 0.05, "the reference says nothing: its output is flat"
    assert (translator(x) - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("options", RESNETS, ids=str)
def test_resnets_equal_the_reference(options):
    reference = trained_like(ResnetReference(**{"width": 8, **options}))
    translator = read_foreign(saved(reference.state_dict()), "latest_net_G.pth")
    config = translator.facts.config
    assert translator.facts.architecture == "resnet"
    assert (config["blocks"], config["dropout"]) == (options["blocks"], options.get("dropout", False))
    assert (config["sampling"] == "antialiased") == options.get("antialiased", False)
    assert config["downs"] == options.get("downs", 2)
    assert_equal_outputs(reference, translator, -(-40 // translator.multiple) * translator.multiple)


@pytest.mark.parametrize("options", UNETS, ids=str)
def test_unets_equal_the_reference(options):
    reference = trained_like(UnetReference(**{"width": 4, **options}))
    translator = read_foreign(saved(reference.state_dict()), "latest_net_G.pth")
    assert (translator.facts.architecture, translator.facts.config["levels"]) == ("unet", options["levels"])
    assert_equal_outputs(reference, translator, 2 ** options["levels"])


@pytest.mark.parametrize(("options", "count", "keys"), [
    ({}, 11_378_179, 48),
    pytest.param({"blocks": 6}, 7_837_699, None, marks=pytest.mark.slow),
    ({"antialiased": True}, 11_378_179, 52),
    pytest.param({"downs": 4}, 182_443_267, 56, marks=pytest.mark.slow),
], ids=str)
def test_resnets_of_full_size(options, count, keys):
    reference = trained_like(ResnetReference(**options))
    state = reference.state_dict()
    assert keys is None or len(state) == keys
    translator = read_foreign(saved(state), "latest_net_G.pth")
    assert sum(parameter.numel() for parameter in translator.network.parameters()) == count
    assert_equal_outputs(reference, translator, 64)


@pytest.mark.parametrize(("options", "count", "keys"), [
    ({"norm": "batch"}, 54_413_955, 82),
    pytest.param({"norm": "instance"}, 54_409_603, 32, marks=pytest.mark.slow),
    pytest.param({"levels": 7}, 41_828_995, None, marks=pytest.mark.slow),
], ids=str)
def test_unets_of_full_size(options, count, keys):
    reference = trained_like(UnetReference(**options))
    state = reference.state_dict()
    assert keys is None or len(state) == keys
    translator = read_foreign(saved(state), "latest_net_G.pth")
    assert sum(parameter.numel() for parameter in translator.network.parameters()) == count
    assert_equal_outputs(reference, translator, translator.multiple)


def test_prefixes_metadata_and_old_statistics_are_put_aside():
    reference = trained_like(ResnetReference(width=8, blocks=6))
    old = OrderedDict(reference.state_dict())
    for name, module in reference.named_modules():
        if isinstance(module, torch.nn.InstanceNorm2d):  # what torch before 0.4 wrote
            old[f"{name}.running_mean"] = torch.randn(module.num_features)
            old[f"{name}.running_var"] = torch.rand(module.num_features)
            old[f"{name}.num_batches_tracked"] = torch.tensor(7)
    wrapped = OrderedDict((f"module._orig_mod.{key}", value) for key, value in old.items())
    wrapped["_metadata"] = OrderedDict(version=1)
    assert_equal_outputs(reference, read_foreign(saved(wrapped), "x.pth"), 40)


def test_old_statistics_of_a_unet_are_put_aside():
    reference = trained_like(UnetReference(width=4, levels=7, norm="instance"))
    old = OrderedDict(reference.state_dict())
    for name, module in reference.named_modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            old[f"{name}.running_mean"] = torch.randn(module.num_features)
            old[f"{name}.running_var"] = torch.rand(module.num_features)
    assert_equal_outputs(reference, read_foreign(saved(old), "x.pth"), 128)


def test_batch_norm_from_before_batches_were_counted():
    reference = trained_like(ResnetReference(width=8, blocks=6, norm="batch"))
    old = {key: value for key, value in reference.state_dict().items() if "num_batches" not in key}
    assert_equal_outputs(reference, read_foreign(saved(old), "x.pth"), 40)


def test_files_of_the_old_format_are_read():
    reference = trained_like(ResnetReference(width=8, blocks=6))
    data = io.BytesIO()
    torch.save(reference.state_dict(), data, _use_new_zipfile_serialization=False)
    assert_equal_outputs(reference, read_foreign(data.getvalue(), "x.pth"), 40)


def test_half_precision_files_are_read():
    reference = trained_like(ResnetReference(width=8, blocks=6)).half().float()
    half = {key: value.half() for key, value in reference.state_dict().items()}
    assert_equal_outputs(reference, read_foreign(saved(half), "x.pth"), 40)


@pytest.mark.parametrize(("reference", "side"), [
    (UnetReference(width=4, levels=7, norm="batch", dropout=True), 128),
    (UnetReference(width=4, levels=8, norm="batch", dropout=True), 256),
    (ResnetReference(width=8, blocks=6, norm="batch", dropout=True), 64),
], ids=["unet_128", "unet_256", "resnet"])
def test_compat_is_the_reference_in_train_mode(reference, side):
    trained_like(reference)
    is_unet = isinstance(reference, UnetReference)
    translator = read_foreign(saved(reference.state_dict()), "latest_net_G.pth", dropout=is_unet)
    x = some_input(3, side)
    exact = translator(x)
    ours = translator.compat(x, seed=3)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(3)
        expected = reference.train()(x)
    assert (ours - expected).abs().max() <= 1e-5
    assert torch.equal(ours, translator.compat(x, seed=3))
    assert (ours - translator.compat(x, seed=4)).abs().max() > 1e-3, "dropout is not on"
    assert (ours - exact).abs().max() > 1e-3, "batch norm does not use the image's own statistics"
    assert torch.equal(exact, translator(x)), "compat changed the network"


class Bomb:
    def __reduce__(self):
        return (print, ("boom",))


@pytest.mark.parametrize(("data", "message"), [
    (b"", "not a torch file"),
    (b"<html>404</html>", "not a torch file"),
    (saved({"weight": torch.zeros(1)})[:200], "damaged torch file"),
    (saved(Bomb()), "unsafe file refused.*print"),
    (saved(torch.nn.Conv2d(1, 1, 1)), r"unsafe file refused.*torch\.nn"),
    (saved([torch.zeros(1)]), "holds a list"),
    (saved({}), "no tensors under any key"),
    (saved({"state_dict": {"a": torch.zeros(1)}, "epoch": 3}), "no tensors under state_dict, epoch"),
    (saved({"conv.weight": torch.zeros(1)}), "unknown architecture.*conv.weight"),
    (saved(PatchReference(width=8).state_dict()), "is a discriminator"),
    (saved({"net.0.weight": torch.zeros(8, 3, 1, 1)}), "is a discriminator"),
    (saved({"scale0_layer0.0.weight": torch.zeros(8, 3, 4, 4)}), "is a discriminator"),
    (saved({"mlp_0.0.weight": torch.zeros(8, 3)}), "PatchNCE"),
    (saved({"model.1.weight": torch.zeros(8, 3, 7, 7), "model1_1.1.bias": torch.zeros(8)}), "local enhancer"),
], ids=range(14))
def test_what_is_no_generator_is_refused(data, message, capsys):
    with pytest.raises(ModelError, match=message):
        read_foreign(data, "some.pth")
    assert "boom" not in capsys.readouterr().out, "code in the file was run"


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_broken_old_file_is_a_model_error():
    """Torch's reader of files from before 1.6 raises whatever its parser runs into."""
    data = saved({"conv.weight": torch.zeros(9)}, zipped=False)
    for end in range(3, len(data), 5):
        with pytest.raises(ModelError, match=r"some\.pth"):
            read_foreign(data[:end], "some.pth")
    for at in range(20, 220, 3):
        with pytest.raises(ModelError, match=r"some\.pth"):
            read_foreign(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :], "some.pth")


def changed(network, change):
    state = dict(network.state_dict())
    change(state)
    return saved(state)


@pytest.mark.parametrize(("network", "change", "message"), [
    (ResnetReference(width=8, blocks=6), lambda s: s.pop("model.4.bias"), "model.4.bias is missing"),
    (ResnetReference(width=8, blocks=6), lambda s: s.pop("model.23.weight"), "model.23.weight is missing"),
    (ResnetReference(width=8, blocks=6), lambda s: s.update({"model.40.weight": torch.zeros(1)}),
     "model.40.weight is not known"),
    (ResnetReference(width=8, blocks=6), lambda s: s.update({"model.7.weight": torch.zeros(9, 9, 3, 3)}),
     r"model.7.weight is \[9, 9, 3, 3\], expected \[32, 16, 3, 3\]"),
    (ResnetReference(width=8, blocks=6, antialiased=True), lambda s: s["model.7.filt"].add_(0.1),
     "model.7.filt is not CUT's blur"),
    (ResnetReference(width=8, blocks=6, norm="batch"), lambda s: s.pop("model.5.running_var"),
     "model.5.running_var is missing"),
    (UnetReference(width=4, levels=7), lambda s: s.pop("model.model.1.model.5.weight"),
     "model.model.1.model.5.weight is missing"),
    (UnetReference(width=4, levels=7), lambda s: s.update({"model.model.9.weight": torch.zeros(1)}),
     "model.model.9.weight is not known"),
], ids=range(8))
def test_what_does_not_fit_names_the_keys(network, change, message):
    with pytest.raises(ModelError, match=message):
        read_foreign(changed(network, change), "some.pth")


def test_dropout_of_a_resnet_is_not_a_matter_of_opinion():
    with pytest.raises(UsageError, match="leave --dropout out"):
        read_foreign(saved(ResnetReference(width=8, blocks=6).state_dict()), "x.pth", dropout=True)


@pytest.mark.parametrize(("source", "name"), [
    ("zebra.pth", "zebra"), ("checkpoints/Horse 2 Zebra/latest_net_G_A.pth", "horse-2-zebra-latest_net_g_a"),
    ("s3://bucket/maps/200_net_G.pth", "maps-200_net_g"), ("---.pth", "imported"),
])
def test_the_name_comes_from_the_file(source, name):
    translator = read_foreign(saved(ResnetReference(width=8, blocks=6).state_dict()), source)
    assert translator.facts.name == name
