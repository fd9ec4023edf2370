"""The options of `evaluate` and `models compare` that say which images a model is scored on."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from translate.cli._options import bounds
from translate.library.places import LEAST_SIZE_PX

Layout = Annotated[
    Literal["folders", "side_by_side", "manifest"],
    typer.Option(metavar="NAME", help="How the images lie: folders (--source, --target); side_by_side, pairs in the "
                                      "files of the folder --pairs; manifest, in the rows of the file --pairs."),
]
Pairs = Annotated[
    str | None, typer.Option(metavar="PLACE", help="Folder or manifest of pairs, with --layout side_by_side, manifest.")
]
Source = Annotated[
    str | None,
    typer.Option(metavar="PLACE", help="Test images to translate: a folder (default: testA); with --pairs left (the "
                                       "default) or right, or the column a (the default) or b."),
]
Target = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Test images of the target domain; default: testB.")
]
Paired = Annotated[
    bool, typer.Option("--paired", help="Two folders: target images are the answers to source images of the same name.")
]
HeldOutOf = Annotated[
    str | None,
    typer.Option("--pipeline", metavar="NAME", help="Instead of all of these: the held-out images that this "
                                                    "pipeline's training.data names, at its crop size."),
]
WorkingSize = Annotated[
    int | None,
    typer.Option("--size", callback=bounds(LEAST_SIZE_PX), metavar="N",
                 help="Working size in pixels: centre squares of this side; default: the pipeline's crop, or 128."),
]
