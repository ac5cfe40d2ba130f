"""The rooms: how many depend on each other, what crosses between them, and how large a file and a function may be. Their
order is import-linter's (`make lint`)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

PACKAGE = Path(__file__).parents[1] / "vae_cli"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
ENTRANCES = {"", "__main__"}  # vae_cli/__init__.py and __main__.py are no rooms
OF_NAMED_TUPLES = {"_fields", "_replace", "_asdict", "_make"}  # public, in spite of their names
MOST_ARROWS, MOST_LINES, MOST_LINES_OF_A_FUNCTION = 60, 200, 40


def room(module: str) -> str:
    """`vae_cli.runs.folder` → `runs`; a module beside the rooms, `vae_cli.build`, is one of its own."""
    return [*module.split("."), ""][1]


def test_few_rooms_import_each_other():
    graph = grimp.build_graph("vae_cli")
    arrows = {
        (room(importer), room(imported))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if room(importer) != room(imported) and room(importer) not in ENTRANCES
    }
    assert {"training", "config"} <= {importer for importer, _ in arrows}
    assert len(arrows) <= MOST_ARROWS, sorted(arrows)


@pytest.mark.parametrize("folder", ROOMS, ids=lambda path: path.name)
def test_the_docstring_of_a_room_is_all_that_its_init_holds(folder):
    """What it is for, what it may import, where to begin."""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    assert len(tree.body) == 1
    text = ast.get_docstring(tree) or ""
    assert re.search(r"\bimports?\b", text) and (
        begin := re.search(r"Begin\s+with\s+`([\w/]+\.py)`", text)
    ), text
    assert (folder / begin[1]).exists()


def names_from_other_rooms(file: Path) -> Iterator[str]:
    """What a file imports from another room, and the attributes of modules that it reaches through such a name."""
    here = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
    modules = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vae_cli"):
            for alias in node.names:
                if room(f"{node.module}.{alias.name}") != room(here):
                    yield alias.name
                    modules.add(alias.asname or alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield node.attr


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_private_name_crosses_between_rooms(file):
    crossing = [
        name for name in names_from_other_rooms(file) if name.startswith("_") and not name.endswith("__")
    ]
    assert crossing == []


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_are_short(file):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_LINES_OF_A_FUNCTION, node.name
