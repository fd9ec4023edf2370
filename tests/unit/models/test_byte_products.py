"""Convolutions made of products of bytes are float32's to some 1e-4, for every geometry and size of number."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from translate.engines.torch import has_bfloat16
from translate.models import byte_products
from translate.models.byte_products import Geometry, convolve, pays, split_weight

PLAIN = Geometry((1, 1), (1, 1), (1, 1))
here = pytest.mark.skipif(not has_bfloat16("cpu"), reason="needs a processor with AMX")


def layer(x_shape, w_shape, seed=0):
    random = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(x_shape, generator=random), torch.randn(w_shape, generator=random)
    return x.to(memory_format=torch.channels_last), weight, torch.randn(w_shape[0], generator=random)


def difference(x, weight, bias, at):
    """From float64, as a share of it."""
    wanted = F.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), *at)
    found = convolve(x, split_weight(weight, at, x.shape), bias, at)
    assert found.dtype == torch.float32
    return float((found - wanted).norm() / wanted.norm())


@here
def test_they_are_used_here():
    assert byte_products._available()


pair_of = st.tuples(*[st.integers(1, 2)] * 2)


@here
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 70), st.integers(1, 40), st.integers(1, 4), pair_of,
       st.tuples(*[st.integers(0, 2)] * 2), pair_of, st.booleans(), st.integers(0, 2**16))
def test_every_geometry(images, inputs, outputs, kernel, stride, padding, dilation, biased, seed):
    x, weight, bias = layer((images, inputs, 11, 9), (outputs, inputs, kernel, kernel), seed)
    assert difference(x, weight, bias if biased else None, Geometry(stride, padding, dilation)) < 1e-3


@here
@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1.0, 1e6, 1e15])
def test_numbers_of_every_size(factor):
    x, weight, _ = layer((2, 64, 12, 12), (32, 64, 3, 3))
    assert difference(x * factor, weight / factor, None, PLAIN) < 3e-4


@here
@pytest.mark.parametrize("offset", [-30, 0, 30])
def test_where_all_have_one_sign(offset):
    x, weight, bias = layer((2, 64, 12, 12), (32, 64, 3, 3))
    assert difference(x + offset, weight, bias, PLAIN) < 3e-4


@here
def test_the_channels_of_a_weight_may_differ_in_size():
    x, weight, _ = layer((2, 64, 12, 12), (32, 64, 3, 3))
    weight *= torch.logspace(-8, 4, 32)[:, None, None, None]
    wanted = F.conv2d(x.double(), weight.double(), None, *PLAIN)
    found = convolve(x, split_weight(weight, PLAIN, x.shape), None, PLAIN)
    away, size = (torch.linalg.vector_norm(each, dim=(0, 2, 3)) for each in (found - wanted, wanted))
    assert (away / size).max() < 3e-4


@here
def test_zeros():
    x, weight, bias = layer((1, 64, 8, 8), (4, 64, 3, 3))
    split = split_weight(weight, PLAIN, x.shape)
    assert torch.equal(convolve(torch.zeros_like(x), split, bias, PLAIN), bias[:, None, None].expand(1, 4, 8, 8))
    assert convolve(torch.full_like(x, 1e-37), split, None, PLAIN).abs().max() < 1e-30
    assert not convolve(x, split_weight(torch.zeros_like(weight), PLAIN, x.shape), None, PLAIN).any()


@here
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_seen(value):
    x, weight, _ = layer((1, 64, 8, 8), (4, 64, 3, 3))
    broken = x.clone()
    broken[0, 3, 4, 5] = value
    assert not torch.isfinite(convolve(broken, split_weight(weight, PLAIN, x.shape), None, PLAIN)).any()
    weight[1, 2, 0, 0] = value
    assert not torch.isfinite(convolve(x, split_weight(weight, PLAIN, x.shape), None, PLAIN)[0, 1]).any()


def test_it_pays_for_wide_layers_of_many_pixels():
    available = has_bfloat16("cpu")
    x, weight, _ = layer((4, 128, 34, 34), (128, 128, 3, 3))
    assert pays(x, weight, PLAIN) == available
    assert not pays(x[:1], weight, PLAIN)  # the weight would be split for few pixels
    assert not pays(x[:, :32], weight[:, :32], PLAIN)
    assert not pays(x, weight[:, :, :1, :1], PLAIN)
    too_deep = torch.empty(1, 1, 1, 1).expand(16, 7400, 3, 3), torch.empty(1, 1, 1, 1).expand(1, 7400, 70, 70)
    assert not pays(too_deep[1], too_deep[0], PLAIN)  # the sums would not fit
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert not pays(torch.empty(4, 128, 34, 34), weight, PLAIN)


def test_a_torch_without_these_products_is_no_error(monkeypatch):
    monkeypatch.setattr(byte_products, "split_weight", lambda *_: torch.ops.onednn.no_such_product)
    assert not byte_products._available.__wrapped__()


@here
def test_wrong_results_are_not_used(monkeypatch):
    right = byte_products.convolve
    monkeypatch.setattr(byte_products, "convolve", lambda *args: right(*args) * 1.01)
    assert not byte_products._available.__wrapped__()
