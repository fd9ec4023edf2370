"""Public sets made ready for training, one file each."""
