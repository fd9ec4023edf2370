"""Mean and variance of what is seen in parts."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from translate.models.moments import merge, moments


class NoFloat64(TorchDispatchMode):
    """Raises where a float64 would be made off the CPU, as Apple's GPUs do."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64 and leaf.device.type != "cpu":
                raise TypeError(f"{func} makes a float64 on {leaf.device}")
        return out


def test_parts_together_are_the_whole():
    x = torch.rand(1, 3, 40, 30)
    count, mean, squares = merge(moments(part) for part in x.split((7, 13, 20), 2))
    assert count == 40 * 30
    assert torch.allclose(mean, x.double().mean((0, 2, 3)), atol=1e-7)
    assert torch.allclose(squares / count, x.double().var((0, 2, 3), correction=0), atol=1e-7)


def test_a_device_needs_no_float64():
    """Where there is no such device, tensors without memory stand in for it."""
    with FakeTensorMode():
        part = torch.empty(1, 4, 16, 16, device="cuda")
        with NoFloat64():
            found = moments(part)
    assert all(each.dtype == torch.float64 and each.device.type == "cpu" for each in found)
