"""The README files: their links, their width, and the commands, options and presets that they name."""

import re
import shlex
from pathlib import Path

import hydra
import pytest

from vae_cli.config.compose import accept

ROOT = Path(__file__).parents[1]
FOLDERS = (".", "configs", "configs/*", "outputs", "vae_cli/*", "tests/*")
READMES = sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/README.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
CODE = re.compile(r"^(?: {4}.*|```(?s:.*?)^```)$", re.MULTILINE)


def anchors(readme: Path) -> set[str]:
    """What GitHub makes of each heading: lower case, hyphens for spaces, no other punctuation."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", readme.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets(readme: Path) -> list[str]:
    return [a or b for a, b in LINK.findall(CODE.sub("", readme.read_text()))]


def broken_links(readme: Path) -> list[str]:
    broken = []
    for target in targets(readme):
        name, _, anchor = target.partition("#")
        file = readme.parent / name if name else readme
        if not re.match(r"https?:", target) and (
            not file.exists() or (anchor and anchor not in anchors(file))
        ):
            broken.append(target)
    return broken


def too_wide(text: str) -> list[str]:
    """Lines above 120 characters that could be wrapped: no rows of a table, no pictures, no long links."""
    return [
        line
        for line in text.splitlines()
        if len(line) > 120 and not line.startswith(("|", "<img", "![")) and "](http" not in line
    ]


def commands() -> list[tuple[str, ...]]:
    """What the code blocks call, without its comments; a sweep's first member stands for the sweep."""
    found = set()
    for readme in READMES:
        block = "\n".join(re.findall(r"^ {4}(.*)$", readme.read_text(), re.MULTILINE)).replace("\\\n", " ")
        for line in block.splitlines():
            if line.startswith("vae-") and "…" not in line and "resume=" not in line and "mine" not in line:
                program, *words = shlex.split(line, comments=True)
                found.add((program, *(first_value(word) for word in words if is_key(word))))
    return sorted(found)


def is_key(word: str) -> bool:
    """Not a flag or a folder, nor what only Hydra's launchers and sweepers read."""
    return "=" in word and not re.match(r"-|hydra[/.]|experiment=search|.*interval\(", word)


def first_value(word: str) -> str:
    key, _, value = word.partition("=")
    return word if value.startswith("[") else f"{key}={value.split(',')[0]}"


@pytest.mark.usefixtures("composed_by_hydra")
@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_commands_are_accepted(command):
    """Their keys exist, and the values of vae-train pass its checks."""
    program, *overrides = command
    config = hydra.compose(
        {"vae-train": "config", "vae-eval": "eval", "vae-compare": "compare"}[program], overrides
    )
    if program == "vae-train":
        accept(config)


def test_every_room_that_needs_one_has_a_readme():
    found = {str(path.parent.relative_to(ROOT)) for path in READMES}
    assert found >= {
        ".", "configs", "configs/experiment", "configs/hydra", "outputs", "vae_cli/engine", "vae_cli/evaluation",
        "vae_cli/comparison", "tests/benchmarks", "tests/data",
    }  # fmt: skip


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_links_lead_somewhere_and_lines_are_wrapped(readme):
    assert broken_links(readme) == []
    assert too_wide(readme.read_text()) == []


def test_a_broken_link_and_a_wide_line_are_found(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text('# A b, c!\n[x](#a-b-c) [y](#d) [z](no.md) <img src="no.png">\n\n    [code](no.md)\n')
    assert broken_links(readme) == ["#d", "no.md", "no.png"]
    assert too_wide("a" * 121 + "\n| " + "b" * 121) == ["a" * 121]


def test_every_readme_is_linked_and_the_first_is_short():
    """From README.md, or from one that it links."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        readme = waiting.pop().resolve()
        if readme not in reached:
            reached.add(readme)
            waiting += [readme.parent / t.partition("#")[0] for t in targets(readme) if "README.md" in t]
    assert reached == {path.resolve() for path in READMES}
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_the_table_of_groups_has_every_group_and_only_options_that_exist():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = {group: set(re.findall(r"`(\w+)`", options)) for group, options in rows}
    for folder in ROOT.glob("configs/*/"):
        if folder.name != "hydra":
            assert named[folder.name] <= {file.stem for file in folder.glob("*.yaml")}


def test_presets_that_a_readme_names_exist_and_all_have_a_row():
    presets = {file.stem for file in ROOT.glob("configs/experiment/*.yaml")}
    for readme in READMES:
        assert set(re.findall(r"\bexperiment=([a-z]\w+)", readme.read_text())) <= presets
    table = (ROOT / "configs/experiment/README.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == presets
    assert (
        table.count("<!-- make reproduce: begin -->\n") == table.count("<!-- make reproduce: end -->\n") == 1
    )
