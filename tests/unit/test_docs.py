"""README and guides show commands that there are, with options that they have, and links that lead somewhere."""

import re
import shlex

import pytest
from manifests import FOLDER, GUIDES, TOP, parse, shown, verb

from translate import errors

SPAN = re.compile(r"(?<!`)`(translate [^`]+)`(?!`)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)?(?:#([^)\s]+))?\)")
ROOMS = [path for folder in ("translate", "pipelines", "configs", "tests")
         for path in sorted((TOP / folder).rglob("*.md")) if "shipped" not in path.parts]
PAGES = [*GUIDES, *ROOMS, *sorted(FOLDER.glob("*.md"))]


def name_of(path):
    return path.relative_to(TOP).as_posix()


def calls(path):
    """Every call of `translate` in the shell lines of a page, up to a pipe, a redirection or the next command."""
    for line in shown(path):
        for part in re.split(r"&&|[|>;]", line.split(" #")[0].replace(".venv/bin/", "")):
            if part.strip().startswith("translate "):
                yield shlex.split(part)


def headings(path):
    """The names under which a page's headings are linked."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_commands_and_links_are_found():
    assert len([words for path in GUIDES for words in calls(path)]) > 30
    assert {"README.md", "docs/running.md", "docs/training.md", "docs/production.md"} <= set(map(name_of, GUIDES))


def test_the_readme_stays_short():
    assert len((TOP / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_a_line_for_the_shell_is_a_whole_command(path):
    for words in calls(path):
        parse(words)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_command_in_the_text_has_these_options(path):
    text = path.read_text(encoding="utf-8").replace("\n", " ")
    for span in SPAN.findall(text):
        command, _, rest = verb(re.split(r" \\?[|>&]", span)[0].split())
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        asked = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert asked <= {*known, "--help"}, span


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    for target, heading in LINK.findall(path.read_text(encoding="utf-8")):
        page = path.parent / target if target else path
        assert page.exists(), target
        if heading:
            assert heading in headings(page), f"{target}#{heading}"


def test_every_exit_code_stands_on_one_page():
    text = (TOP / "docs/production.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    told = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for code in row.split(", ")}
    assert told == {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
