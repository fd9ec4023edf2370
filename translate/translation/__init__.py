"""The core: the one way from a picture to its translation."""
