"""Architectures, translators and their on-disk form."""
