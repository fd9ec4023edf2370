"""Measures of a translation, one family per file."""
