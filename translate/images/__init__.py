"""Images at the border: bytes, pixels, tensors, augmentation."""

import os

# OpenCV reads this once, when it is imported. Our own limit is checked on every header before; this is the
# second bolt, for files on whose size two decoders disagree.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**28))
