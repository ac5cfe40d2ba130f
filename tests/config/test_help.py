"""--help and the tables of configs/README.md are made from the comments in the YAML files."""

import shutil
from pathlib import Path

import pytest

from vae_cli.config import help
from vae_cli.config.tables import with_tables
from vae_cli.config.yaml_comments import Key, config_folder, groups, read
from vae_cli.errors import UserError

CONFIGS = config_folder()
COMMANDS = ("config", "eval", "compare")
OPTIONS = [(group, option) for group, options in groups(CONFIGS).items() for option in options]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_of_a_command_has_a_comment(command):
    assert [key.key for key in read(CONFIGS / f"{command}.yaml").keys if not key.comment] == []


@pytest.mark.parametrize(("group", "option"), [pytest.param(g, o, id=f"{g}={o.name}") for g, o in OPTIONS])
def test_every_option_has_a_title_and_each_of_its_keys_a_comment(group, option):
    assert option.title
    if group != "experiment":  # a preset sets keys whose comments are elsewhere
        assert [key.key for key in option.keys if not key.comment] == []


def test_the_tables_of_the_readme_are_current():
    """`make docs` writes them."""
    readme = (CONFIGS / "README.md").read_text(encoding="utf-8")
    assert with_tables(readme, CONFIGS) == readme


def test_a_changed_comment_changes_help_and_tables(tmp_path):
    configs = shutil.copytree(CONFIGS, tmp_path / "configs")
    file, readme = configs / "latent" / "gaussian.yaml", (CONFIGS / "README.md").read_text(encoding="utf-8")
    file.write_text(file.read_text().replace("number of units", "how many | units"))
    assert "how many | units" in help.text(configs, "config", ["latent=gaussian"])
    assert r"| `latent.code_size` | `20` | how many \| units |" in with_tables(readme, configs)


def test_a_comment_goes_on_in_the_lines_below_its_key(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("# A title.\nname: mine\n_target_: a.b\nwidth: 3   # pixels\n           # of the image\n")
    assert read(file)[:3] == ("mine", "A title.", [Key("width", "3", "pixels of the image")])


def test_an_option_has_the_keys_and_comments_of_the_option_that_it_builds_on():
    of = {(group, option.name): option for group, option in OPTIONS}
    keys = {key.key: key for key in of["data", "squares"].keys}
    assert keys["rectangle_height"].value == "[9, 9]"
    assert keys["rectangle_height"].comment == "smallest and largest height of a rectangle, pixels"
    assert keys["seed"] == Key("seed", "0", "seed of the images; each split has its own random stream")


def test_help_shows_the_keys_of_the_options_that_are_chosen():
    default, chosen = (help.text(CONFIGS, "config", words) for words in ([], ["latent=bernoulli"]))
    assert "\n  latent.temperature" in chosen and "\n  latent.temperature" not in default
    assert "gaussian (default)" in default and "\n  estimator.decay" in help.text(
        CONFIGS, "config", ["estimator=reinforce"]
    )
    assert all(len(line) <= 120 for line in f"{default}\n{chosen}".splitlines())


def test_help_names_the_options_where_there_is_not_the_chosen_one():
    with pytest.raises(
        UserError, match=r"no latent=bernouli; allowed are bernoulli, .*did you mean 'bernoulli'"
    ):
        help.text(CONFIGS, "config", ["latent=bernouli"])
    for words in (
        ["latent=mine", "--config-dir", "folder"],
        ["latent=mine", "-cd=folder"],
        ["latent=gaussian,bernoulli"],
    ):
        help.text(CONFIGS, "config", words)


def test_a_readme_without_markers_is_refused():
    with pytest.raises(ValueError):
        with_tables("# Configuration\n", Path("nowhere"))
