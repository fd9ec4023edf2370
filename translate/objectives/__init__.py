"""Training games, one file each."""
