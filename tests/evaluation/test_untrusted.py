"""Run folders from strangers: nothing that a folder holds is executed, and what is broken is refused in words."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml

import vae_cli
from vae_cli.config.schema.run import GROUPS
from vae_cli.errors import UserError


def copy_of(folder: Path, where: Path) -> Path:
    return Path(shutil.copytree(folder, where / "run"))


def edit(folder: Path, change) -> None:
    """Change the configuration in both places where a run keeps it, as a forger would."""
    file = folder / ".hydra/config.yaml"
    config = yaml.safe_load(file.read_text())
    change(config)
    file.write_text(yaml.safe_dump(config))
    for name in ("best", "last"):
        path = folder / f"checkpoints/{name}.pt"
        state = torch.load(path, weights_only=True)
        change(state["config"])
        torch.save(state, path)


@pytest.mark.parametrize("checkpoint", ["nothing", "../best"])
def test_a_folder_without_the_checkpoint_is_refused(original_bernoulli, tmp_path, checkpoint):
    with pytest.raises(UserError, match="does not exist"):
        vae_cli.load(original_bernoulli, checkpoint)
    with pytest.raises(UserError, match="is no run folder"):
        vae_cli.load(tmp_path)


@pytest.mark.parametrize(
    "target",
    [
        "vae_cli.cli.os.system", "os.system", "builtins.eval", "subprocess.Popen", "vae_cli.runs.files.write_json",
        "vae_cli.runs.checkpoint.save", "torch.optim.Adam.step", "torch.load", "vae_cli.data.download.tempfile._shutil.rmtree",
        "vae_cli.data.mnist._read_idx", "vae_cli.models.latents", "antigravity",
    ],
)  # fmt: skip
def test_a_configuration_that_names_other_code_is_refused_in_every_group(
    original_bernoulli, tmp_path, monkeypatch, target
):
    """Under each group in turn, with arguments that would do harm, in the configuration and in the checkpoint."""
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "marker"
    for group in GROUPS:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        folder = copy_of(original_bernoulli, tmp_path)

        def change(config: dict, group: str = group) -> None:
            harm = {"command": f"touch {marker}", "path": str(marker), "value": "{}"}
            config[group] |= {"_target_": target, **(harm if target.endswith("system") else {})}

        edit(folder, change)
        with pytest.raises(UserError) as refused:
            vae_cli.load(folder, device="cpu")
        assert f"{group}._target_={target}" in str(refused.value) and not marker.exists()
    assert "antigravity" not in sys.modules


def test_vae_eval_refuses_such_a_configuration_too(command, original_bernoulli, tmp_path):
    folder, marker = copy_of(original_bernoulli, tmp_path), tmp_path / "marker"

    def change(config: dict) -> None:
        config["network"] = {"name": "mlp", "_target_": "vae_cli.cli.os.system", "command": f"touch {marker}"}

    edit(folder, change)
    run = command("vae-eval", f"run={folder}", cwd=tmp_path)
    assert run.returncode == 2 and len(run.stderr.splitlines()) == 1
    assert "network._target_=vae_cli.cli.os.system is not part of vae-cli" in run.stderr
    assert not marker.exists() and not (folder / "evaluation").exists()


def test_parts_inside_a_part_are_not_constructed(original_bernoulli, tmp_path):
    """A nested `_target_` is a value of the wrong type."""
    folder, marker = copy_of(original_bernoulli, tmp_path), tmp_path / "marker"

    def change(config: dict) -> None:
        config["network"]["hidden"] = {"_target_": "os.system", "command": f"touch {marker}"}

    edit(folder, change)
    with pytest.raises(UserError):
        vae_cli.load(folder, device="cpu")
    assert not marker.exists()


class Harmful:
    """What pickle would execute on loading."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("how", ["alone", "in the state", "as a tensor"])
def test_a_checkpoint_with_a_pickled_object_is_refused(command, original_bernoulli, tmp_path, how):
    folder, marker = copy_of(original_bernoulli, tmp_path), tmp_path / "marker"
    path = folder / "checkpoints/best.pt"
    state = torch.load(path, weights_only=True)
    if how == "as a tensor":
        state["model"][next(iter(state["model"]))] = Harmful(marker)
    torch.save(Harmful(marker) if how == "alone" else state | {"more": Harmful(marker)}, path)
    with pytest.raises(UserError, match="Python objects, which are not loaded"):
        vae_cli.load(folder, device="cpu")
    run = command("vae-eval", f"run={folder}", cwd=tmp_path)
    assert run.returncode == 2 and len(run.stderr.splitlines()) == 1
    assert not marker.exists()


def test_a_checkpoint_of_another_model_is_refused(original_bernoulli, tmp_path):
    """Of another configuration, and of the same one with other tensors."""
    folder = copy_of(original_bernoulli, tmp_path)
    path = folder / "checkpoints/best.pt"
    state = torch.load(path, weights_only=True)
    name = next(iter(state["model"]))
    torch.save(state | {"model": state["model"] | {name: torch.zeros(3, 3)}}, path)
    with pytest.raises(UserError, match="does not fit its model"):
        vae_cli.load(folder, device="cpu")
    state["config"]["seed"] = 99
    torch.save(state, path)
    with pytest.raises(UserError, match="seed was 99 and is 0"):
        vae_cli.load(folder, device="cpu")


BROKEN = {
    "a number": lambda config, group: config.update({group: 3}),
    "null": lambda config, group: config.update({group: None}),
    "empty": lambda config, group: config.update({group: {}}),
    "without a target": lambda config, group: config[group].pop("_target_"),
    "without a name": lambda config, group: config[group].pop("name"),
    "with a list for a target": lambda config, group: config[group].update({"_target_": ["os", "system"]}),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_configuration_with_a_broken_group_is_a_users_error(original_bernoulli, tmp_path, how):
    """Whatever the group is replaced by."""
    folder, found = tmp_path / "run", {}
    (folder / ".hydra").mkdir(parents=True)
    (folder / "checkpoints").symlink_to(original_bernoulli / "checkpoints")
    saved = (original_bernoulli / ".hydra/config.yaml").read_text()
    for group in GROUPS:
        config = yaml.safe_load(saved)
        BROKEN[how](config, group)
        (folder / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
        try:
            vae_cli.load(folder, device="cpu")
        except Exception as error:
            found[group] = type(error)
    assert found == dict.fromkeys(GROUPS, UserError)


def test_markup_in_a_configuration_is_shown_not_run(command, original_bernoulli, tmp_path):
    folder, script = copy_of(original_bernoulli, tmp_path), "<script>alert(1)</script>"
    edit(folder, lambda config: config.update(name=script))
    arguments = ["nll_samples=10", "pictures=[]"]
    run = command("vae-eval", f"run={folder}", *arguments, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    html = (folder / "evaluation/report.html").read_text()
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3  # in title, heading and configuration
