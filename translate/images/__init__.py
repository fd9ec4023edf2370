"""Images at the border: bytes, pixels, tensors, augmentation."""
