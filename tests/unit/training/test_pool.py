import torch

from translate.training.pool import HistoryPool


def numbered(first, count):
    return torch.arange(first, first + count, dtype=torch.float32).reshape(count, 1, 1, 1)


def test_without_a_history_the_new_images_are_shown():
    new = numbered(0, 3)
    assert HistoryPool(0).exchange(new, torch.Generator()) is new


def test_it_fills_first_and_then_swaps_about_half():
    pool, random = HistoryPool(10), torch.Generator().manual_seed(0)
    first = numbered(0, 10)
    assert torch.equal(pool.exchange(first, random), first)
    shown = torch.cat([pool.exchange(numbered(100 + 10 * i, 10), random) for i in range(20)])
    old = sum(1 for i, image in enumerate(shown) if int(image) != 100 + i)
    assert 60 < old < 140
    assert len(pool.images) == 10


def test_nothing_appears_from_nowhere():
    pool, random = HistoryPool(5), torch.Generator().manual_seed(1)
    put_in, shown = [], []
    for i in range(50):
        new = numbered(2 * i, 2)
        put_in += new.flatten().tolist()
        shown += pool.exchange(new, random).flatten().tolist()
    assert sorted(shown + [float(image) for image in pool.images]) == sorted(put_in + put_in[:5])  # kept and shown
