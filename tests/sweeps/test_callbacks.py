"""What is refused before a sweep begins, and the configurations of its launchers."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

from vae_cli.config.diff import flatten
from vae_cli.config.yaml_comments import config_folder


@pytest.mark.parametrize("key", ["fail_fast", "retry_failed"])
def test_the_switches_of_a_sweep_are_true_or_false(command, tmp_path, key):
    done = command("vae-train", "-m", "latent.code_size=2,3", f"{key}=maybe", cwd=tmp_path)
    assert done.returncode == 2 and not (tmp_path / "outputs").exists()
    assert done.stderr == f"vae-train: {key}=maybe is not allowed; allowed is true or false\n"


def test_a_pack_without_members_is_refused(command, tmp_path):
    pack = ["hydra/launcher=packed", "hydra.launcher.max_members=0"]
    done = command("vae-train", "-m", *pack, "seed=1,2", cwd=tmp_path)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert done.stderr == (
        "vae-train: hydra.launcher.max_members=0 is not allowed; allowed is a whole number from 1 to 1_000_000_000, or null\n"
    )


EXTRAS = {
    "hydra/launcher=joblib": "joblib", "hydra/launcher=submitit_slurm": "slurm",
    "hydra/launcher=submitit_local": "slurm", "hydra/launcher=ray": "ray", "hydra/sweeper=optuna": "optuna",
}  # fmt: skip


@pytest.mark.parametrize("option", EXTRAS)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path, option):
    """Also where the extra is installed, because the test hides the plugins from Hydra."""
    program = "import sys; sys.modules['hydra_plugins'] = None; from vae_cli.cli import train; train()"
    words = [sys.executable, "-c", program, "-m", option, "seed=1,2"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert done.stderr == f"vae-train: {option} needs an extra: pip install 'vae-cli[{EXTRAS[option]}]'\n"


LAUNCHERS = {path.stem: path for path in sorted((config_folder() / "hydra/launcher").glob("*.yaml"))}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_our_configuration_of_a_launcher_is_used_instead_of_the_plugins(command, tmp_path, launcher):
    """The plugin has every key of it, and Hydra does not warn of two configurations with one name."""
    ours = yaml.safe_load(LAUNCHERS[launcher].read_text())
    plugin, extra = ours["_target_"].split(".")[1], EXTRAS.get(f"hydra/launcher={launcher}")
    if extra and not (find_spec("hydra_plugins") and find_spec(f"hydra_plugins.{plugin}")):
        pytest.skip(f"{plugin} is not installed: pip install 'vae-cli[{extra}]'")
    show = ["--cfg", "hydra", "-p", "hydra.launcher"]
    done = command("vae-train", f"hydra/launcher={launcher}", *show, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    shown = flatten(yaml.safe_load(done.stdout))
    assert {key: str(shown[key]) for key in flatten(ours)} == {k: str(v) for k, v in flatten(ours).items()}
