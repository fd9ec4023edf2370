"""The program as a library: what `translate` itself hands out by name."""
