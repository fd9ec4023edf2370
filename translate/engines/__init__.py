"""Ways to run a generator, one file each."""
