"""How measures are shown."""

from __future__ import annotations

BETTER = {
    "layer_distance": "lower", "l1": "lower", "psnr_db": "higher", "ssim": "higher",
    "edge_agreement": "higher keeps more", "distance_to_source": "lower keeps more", "checkerboard_db": "near 0",
    "droplets_percent": "near 0", "luma_correlation": "above 0", "variety": "near 1",
}
"""Which way is better, by measure; distances of sets (KID, FID) are not among them: lower."""


def figure(value: float, spread: float | None) -> str:
    """E.g. ``0.0312 ± 0.0021``."""
    return f"{value:.4f}" if spread is None else f"{value:.4f} ± {spread:.4f}"
