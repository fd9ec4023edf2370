"""The discriminator that looks at several sizes."""

import torch

from translate.models.multiscale import Config, Network, halved


def test_halving_is_a_mean_of_what_exists():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    # corner: (0 + 1 + 4 + 5) / 4; top edge: (1 + 2 + 3 + 5 + 6 + 7) / 6; inside: the mean of 5..15 around 10
    assert halved(x).flatten().tolist() == [2.5, 4.0, 8.5, 10.0]
    assert halved(torch.ones(1, 1, 5, 7)).unique().tolist() == [1.0]


def test_scales_see_ever_smaller_copies_padded_by_two():
    network = Network(Config(width=4)).eval()
    x = torch.rand(1, 3, 64, 64)
    scores = network(x)
    # 64 -> 33 -> 17 -> 9 by stride 2, then 10 and 11 by stride 1
    assert [score.shape[2] for score in scores] == [11, 7, 5]
    for scale, score in zip(network.scales, scores, strict=True):
        assert torch.equal(scale(x)[0], score)
        x = halved(x)
