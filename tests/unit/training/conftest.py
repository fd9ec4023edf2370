"""Fixtures of the training tests."""

import pytest
from training_set import picture, png

from translate.stores import open_store


@pytest.fixture(autouse=True, scope="module")
def small_networks(one_thread):
    """All of these tests train."""


@pytest.fixture
def data(tmp_path):
    """Folders trainA and trainB of the same six names; B is A with its colours inverted."""
    store = open_store(str(tmp_path / "data"))
    for i in range(6):
        store.put(f"trainA/{i}.png", png(picture(i)))
        store.put(f"trainB/{i}.png", png(255 - picture(i)))
    return store
