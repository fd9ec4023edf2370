"""The house rules that a machine can hold: import direction, outside borders, docstrings, READMEs."""

import ast
import graphlib
from pathlib import Path

import pytest

from translate.config import load_pipeline, pipeline_names

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("translate/**/*.py"), *ROOT.glob("pipelines/**/*.py")])

ORDER = [
    "errors", "lookup", "progress", "shipped", "yaml_text", "config", "provenance", "images", "stores", "models",
    "datasets", "engines", "translation", "objectives", "registry", "records", "metrics", "pages", "training", "batch",
    "inspection", "library", "retraining", "doctor", "cli",
]
"""Rooms of ``translate/``: each may import what stands before it, and itself."""
STRANGERS = [("batch", "training"), ("training", "batch")]
"""Never, in spite of the order."""

BORDERS = {
    "boto3": ("translate/stores/_s3_client.py",),
    "botocore": ("translate/stores/_s3_client.py", "translate/stores/s3.py"),
    "cv2": ("translate/images/",), "PIL": ("translate/images/",),
    "albumentations": ("translate/images/augment.py",), "pyarrow": ("translate/datasets/_manifest.py",),
    "openvino": ("translate/engines/openvino.py",), "nncf": ("translate/engines/calibration.py",),
    "onnx": ("translate/engines/export.py",),
    "c2pa": ("translate/images/credentials.py",), "pillow_heif": ("translate/images/formats/heic.py",),
    "simplejpeg": ("translate/images/formats/jpeg.py",),
    "ray": ("pipelines/",), "pipelines": ("pipelines/",),
    "prometheus_client": ("translate/cli/_prometheus.py",),
    "typer": ("translate/cli/",), "rich": ("translate/cli/",), "jinja2": ("translate/pages/",),
    "tensorboard": ("translate/training/events.py",),
    "ruamel": ("translate/yaml_text.py",), "yaml": (),
    "cronsim": ("translate/config.py", "translate/retraining/due.py"),
}
"""Outside package -> the only places that may import it."""

ROOMS_WITH_README = [
    *(f"translate/{room}" for room in ORDER if room != "shipped" and (ROOT / "translate" / room).is_dir()),
    "pipelines", "configs", "deploy",
]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


TREES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def imports():
    """(file, line, dotted module) of every import, wherever in the file."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from ((name, node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}:{node.lineno}: relative import; name the room"
                yield name, node.lineno, node.module
                if node.module == "translate":
                    yield from ((name, node.lineno, f"translate.{alias.name}") for alias in node.names)


def room_of(module):
    """``translate.stores.s3`` -> ``stores``; None for ``translate`` itself, its version and the outside."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "translate" and parts[1] in ORDER else None


def room_of_file(name):
    """The same of a file's name."""
    return room_of(name.removesuffix(".py").replace("/", "."))


def test_every_room_has_its_place():
    folder = ROOT / "translate"
    rooms = [path.stem for path in folder.glob("[a-z]*.py")]
    rooms += [path.parent.name for path in folder.glob("*/__init__.py")]
    assert "errors" in rooms, "the sources were not found"
    assert "stores" in rooms, "the sources were not found"
    assert set(rooms) <= set(ORDER), "a new room: give it a place in ORDER and a README"


def test_imports_point_one_way():
    wrong = []
    for name, line, module in imports():
        here, there = room_of_file(name), room_of(module)
        if here is None or there is None or here == there:
            continue
        if ORDER.index(there) > ORDER.index(here) or (here, there) in STRANGERS:
            wrong.append(f"{name}:{line} imports {module}")
    assert wrong == []


def test_rooms_have_no_cycles():
    """Whatever `ORDER` says, and imports for types alone count too."""
    rooms: dict[str, set[str]] = {}
    for name, _, module in imports():
        here = "pipelines" if name.startswith("pipelines/") else room_of_file(name)
        there = "pipelines" if module.startswith("pipelines") else room_of(module)
        if here and there and here != there:
            rooms.setdefault(here, set()).add(there)
    assert len(rooms) > 20, "the imports were not found"
    graphlib.TopologicalSorter(rooms).prepare()  # raises CycleError, which names the rooms


def test_the_outside_comes_in_through_one_room():
    wrong = []
    for name, line, module in imports():
        allowed = BORDERS.get(module.split(".")[0])
        if allowed is not None and not name.startswith(allowed):
            wrong.append(f"{name}:{line} imports {module}; only {', '.join(allowed)} may")
    assert wrong == []


def test_nobody_prints():
    assert [f"{name}:{node.lineno}" for name, tree in TREES.items() for node in ast.walk(tree)
            if isinstance(node, ast.Name) and node.id == "print"] == []


def test_everything_public_says_what_it_is():
    silent = [name for name, tree in TREES.items() if not ast.get_docstring(tree)]
    for name, tree in TREES.items():
        methods = [item for top in tree.body if isinstance(top, ast.ClassDef) for item in top.body]
        for node in [*tree.body, *methods]:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list):
                continue  # the function that they are of says it
            if public and not ast.get_docstring(node):
                silent.append(f"{name}:{node.lineno} {node.name}")
    assert silent == []


@pytest.mark.parametrize("room", ROOMS_WITH_README)
def test_every_room_has_a_readme(room):
    readme = ROOT / room / "README.md"
    assert readme.is_file(), f"{room} has no README.md"
    assert readme.read_text(encoding="utf-8").startswith("# ")


def test_pipelines_are_shipped():
    assert {"monet2photo", "photo2monet", "sketch2object"} <= set(pipeline_names())


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "configs").glob("*.yaml")))
def test_every_shipped_pipeline_loads(name):
    from translate import lookup
    from translate.models.contract import parse_config

    pipeline = load_pipeline(name)
    assert pipeline.name == name
    if pipeline.training is not None:
        for role in ("generator", "discriminator"):
            parse_config(role, getattr(pipeline.training, role), f"{name}.yaml: {role}")
        lookup.load("translate.objectives", pipeline.training.objective["name"], "objective")
