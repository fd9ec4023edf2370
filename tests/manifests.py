"""What ``deploy/`` and ``docs/`` hold, for tests: documents, and every command in them."""

import re
import shlex
from pathlib import Path

import typer
import yaml

from translate.cli.app import build_app

TOP = Path(__file__).parents[1]
FOLDER = TOP / "deploy"
GUIDES = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]
FENCED = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def documents(name):
    """The YAML documents of a file."""
    return [each for each in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")) if each]


def kubernetes():
    """(file, document) of every Kubernetes manifest."""
    for path in sorted((FOLDER / "kubernetes").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from ((path.name, document) for document in documents(f"kubernetes/{path.name}"))


def pods(document):
    """(path, pod template) of every pod that comes of a document."""
    def walk(path, node):
        if isinstance(node, dict):
            if isinstance(node.get("spec"), dict) and "containers" in node["spec"]:
                yield path, node
            for key, value in node.items():
                yield from walk(f"{path}.{key}", value)
        elif isinstance(node, list):
            for index, value in enumerate(node):
                yield from walk(f"{path}[{index}]", value)
    return list(walk("$", document))


def entrypoint(name):
    """What Ray is asked to run by a RayJob or RayCronJob: a line for a shell."""
    [document] = documents(f"kubernetes/{name}")
    spec = document["spec"]
    return spec.get("jobTemplate", spec)["entrypoint"]


def compose():
    """The services of the Compose file."""
    return documents("compose.yaml")[0]["services"]


def argv(service):
    """What a Compose service runs."""
    return [*service.get("entrypoint", []), *service["command"]]


def unit(name):
    """A systemd unit: {section: {key: [values]}}, with continued lines joined."""
    text = (FOLDER / "systemd" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    sections, section = {}, None
    for line in text.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


def shown(path):
    """Lines of shell that a file shows: the fenced blocks of a README, else the indented comments at the top."""
    text = path.read_text(encoding="utf-8")
    text = "\n".join(FENCED.findall(text)) if path.suffix == ".md" else \
        "\n".join(line[1:] for line in text.splitlines() if line.startswith("#  "))
    return text.replace("\\\n", " ").splitlines()


def jobs():
    """(where, words) of every `ray job submit` that the guides and the files in ``deploy/`` show."""
    for path in [*GUIDES, *sorted(FOLDER.rglob("*"))]:
        for line in shown(path) if path.is_file() else []:
            if found := re.match(r"\s*(?:[A-Z_]+=\S+ )*(ray job submit .*)", line):
                yield path.name, shlex.split(found[1])


def commands():
    """(where, words) of every call of `translate`: in manifests, at the top of them, in READMEs and the runbook."""
    for name, service in compose().items():
        if "translate" in argv(service):
            yield f"compose.yaml {name}", argv(service)
    for name, document in kubernetes():
        if document["kind"] in ("RayJob", "RayCronJob"):
            yield name, shlex.split(entrypoint(name))
    for path in sorted((FOLDER / "systemd").glob("*.service")):
        yield path.name, shlex.split(unit(path.name)["Service"]["ExecStart"][0])
    for path in sorted(FOLDER.rglob("*")):
        for line in shown(path) if path.is_file() else []:
            if found := re.match(r"\s*(?:[A-Z_]+=\S+ )*(translate .*)", line):
                yield path.name, shlex.split(found[1], comments=True)
    for where, words in jobs():
        yield where, words[words.index("--") + 1:]


def verb(words):
    """(command, context, the rest) of a call of `translate`; a verb that there is not is an `AssertionError`."""
    assert words[0] == "translate"
    command, context = typer.main.get_command(build_app()), None
    rest = words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        context = command.make_context("translate", [], parent=context, resilient_parsing=True)
        assert rest[0] in command.commands, f"there is no verb {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, context, rest


def parse(words):
    """Parse a call as the command line does, without running it."""
    command, context, rest = verb(words)
    command.make_context(command.name, list(rest), parent=context)
