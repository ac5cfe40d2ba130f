"""The names of a sweep's members."""

import re

import pytest
import yaml
from config.composed import CONFIGS

from vae_cli.config.resolvers import member_name
from vae_cli.config.schema.keys import call_keys

OVERRIDES = [
    "latent.code_size=2",
    "latent.code_size=20",
    "network.hidden=[400]",
    "network.hidden=[4,00]",
    "network.hidden=(400)",
    "data.path=/a/b",
    "data.path=a/b",
    "data.path='a b'",
    "name=日本" * 40,
    "name=日木" * 40,
    ",".join(f"key_number_{i}=value" for i in range(40)),
    ",".join(f"key_number_{i}=value" for i in range(41)),
    "name=../../up",
    "",
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda v: v[:24] or "none")
def test_a_members_name_is_one_safe_short_folder(overrides, tmp_path):
    name = member_name(overrides)
    assert re.fullmatch(r"[\w.,=+-]+", name, re.ASCII) and name not in (".", "..") and len(name) <= 160
    (tmp_path / name).mkdir()
    assert name == member_name(overrides)


def test_members_with_different_overrides_have_different_names():
    assert len({member_name(overrides) for overrides in OVERRIDES}) == len(OVERRIDES)


def test_a_safe_name_is_the_overrides_with_the_last_part_of_each_key():
    """But for a key whose last part an earlier key has, too, and one that is nobody's."""
    assert member_name("latent.code_size=2,latent=bernoulli,seed=1") == "code_size=2,latent=bernoulli,seed=1"
    assert member_name("latent.temperature=0.5") == "temperature=0.5"
    for overrides in ("estimator.temperature=1", "data.name=x", "data.mine=3", "lr.x=latent.code_size"):
        assert member_name(overrides) == overrides


def test_the_experiment_that_names_a_sweep_does_not_name_its_members():
    """Another one does: a sweep over experiments has a member for each."""
    assert member_name("experiment=sizes,latent.code_size=2", "sizes") == "code_size=2"
    assert member_name("experiment=sizes", "sizes") == "defaults"
    assert member_name("experiment=others,seed=2", "sizes") == "experiment=others,seed=2"


def test_what_is_said_of_one_call_names_no_member():
    """`resume` cannot be said of a sweep."""
    job = yaml.safe_load((CONFIGS / "config.yaml").read_text())["hydra"]["job"]
    excluded = job["config"]["override_dirname"]["exclude_keys"]
    assert sorted(excluded) == sorted({"name", *call_keys()} - {"resume"})


def test_a_new_key_takes_no_short_name_away():
    """A sweep that is called again would otherwise train its members again, in folders of other names."""
    overrides = "optimizer.lr=1,network.hidden=2,optimizer.alpha=0.5,latent.temperature=1,schedule.decay=0.1"
    assert member_name(overrides).startswith("lr=1,hidden=2,alpha=0.5,")
