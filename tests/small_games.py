"""Every game, adversarial term and regulariser in a small size, to be trained: name -> (objective, discriminator)."""

CUT = {"name": "cut"}
FASTCUT = {"name": "cut", "nce_weight": 10.0, "nce_identity_weight": 0.0, "flip_equivariance": True}
PIX2PIX_HD = {"name": "pix2pix", "adversarial": "least_squares", "l1_weight": 0.0, "feature_matching_weight": 10.0,
              "perceptual_weight": 10.0}
ALL_CHANGES = ["colour", "translation", "cutout"]
PATCHES = {"architecture": "patchgan", "width": 8, "layers": 2}
GAMES = {
    **{f"cyclegan-{kind}": ({"name": "cyclegan", "adversarial": kind}, PATCHES)
       for kind in ("vanilla", "least_squares", "hinge", "wgan_gp")},
    "cyclegan-spectral": ({"name": "cyclegan", "adversarial": "hinge"}, PATCHES | {"spectral": True}),
    "cyclegan-r1-ramp": (
        {"name": "cyclegan", "adversarial": "vanilla", "r1_weight": 10.0, "identity_until": 0.5}, PATCHES),
    "cyclegan-diffaugment-perceptual": (
        {"name": "cyclegan", "augment": ALL_CHANGES, "perceptual_weight": 1.0}, PATCHES),
    "pix2pix": ({"name": "pix2pix"}, PATCHES),
    "pix2pix-wgan_gp-multiscale": ({"name": "pix2pix", "adversarial": "wgan_gp"},
                                   PATCHES | {"architecture": "multiscale", "scales": 2}),
    "pix2pix-hd": (PIX2PIX_HD, PATCHES | {"architecture": "multiscale", "scales": 2}),
    "cut": (CUT, PATCHES),
    "fastcut": (FASTCUT | {"augment": ALL_CHANGES, "r1_weight": 1.0}, PATCHES | {"sampling": "antialiased"}),
}
