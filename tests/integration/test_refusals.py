"""vae-train's help, and its one line for every bad input."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from integration.installed import SUBSET, assert_one_line, vae

from vae_cli.data.mnist import IDX_FILES


def test_help_names_every_group_and_option_and_the_main_keys(tmp_path):
    run = vae("--help", cwd=tmp_path)
    assert run.returncode == 0 and run.stderr == ""
    configs = Path(__file__).parents[2] / "configs"
    for group in (path for path in configs.iterdir() if path.is_dir() and path.name != "hydra"):
        listed = re.search(rf"^  {group.name} +((?:.*\n)(?: {{10,}}.*\n)*)", run.stdout, re.MULTILINE)
        assert listed, group.name
        options = {option.split()[0] for option in listed[1].replace("\n", " ").split(",")}
        assert options == {path.stem for path in group.glob("*.yaml")}
    keys = ("latent.code_size", "network.hidden", "objective.beta", "objective.samples",
            "optimizer.lr", "data.limit", "data.root", "epochs", "batch_size", "seed", "device", "name",
            "resume", "experiment=", "-m ")  # fmt: skip
    for key in keys:
        assert key in run.stdout, key
    assert list(tmp_path.iterdir()) == []


CONFIGURATION_ERRORS = [
    ("latent=bernouli", ["latent=bernouli", "bernoulli, categorical, deterministic, gaussian", "did you mean 'bernoulli'"]),
    ("experiment=nothing", ["experiment=nothing", "allowed are", "bernoulli_squares"]),
    ("latent.code_sise=3", ["'latent.code_sise'", "did you mean 'latent.code_size'"]),
    ("optimiser=adam", ["'optimiser'", "did you mean 'optimizer'"]),
    ("latent.code_size=two", ["latent.code_size=two", "a whole number from 1 to"]),
    ("latent.code_size=0", ["latent.code_size=0", "a whole number from 1 to"]),
    ("latent=bernoulli latent.temperature=0", ["latent.temperature=0", "a number from 0.0001"]),
    ("optimizer.lr=-1", ["optimizer.lr=-1", "a number from 1e-30"]),
    ("epochs=0", ["epochs=0", "a whole number from 1 to"]),
    ("estimator=concrete", ["estimator=concrete", "latent=gaussian", "pathwise, reinforce"]),
    ("data=arrays", ["data.path must be given", "data.path=VALUE"]),
    ("epochs", ["'epochs'", "key=value"]),
    ("--epochs=3", ["--epochs", "key=value"]),
    ("-m --cfg job seed=1,2", ["--cfg", "leave -m out"]),
    ("+epochs=3", ["epochs exists", "without the leading +"]),
    ("~epochs", ["epochs must be given", "epochs=VALUE"]),
    ("~latent", ["latent must be given", "latent=OPTION"]),
    ("seed=1,2", ["seed=1,2", "--multirun"]),
    ("name=../elsewhere", ["name=../elsewhere", "without '..'"]),
    ("resume=nowhere", ["nowhere is no run folder", ".hydra/config.yaml"]),
    ("--config-dir nowhere", ["nowhere", "not found"]),
    ("estimator=pathwise objective=iwae objective.beta=2", ["objective.beta", "objective=elbo has it"]),
    ("latent=bernoulli estimator=disarm", ["objective.samples=1", "a multiple of 2"]),
    ("latent=bernoulli objective=iwae", ["estimator=concrete", "objective=iwae", "disarm"]),
    ("latent=bernoulli estimator=exact latent.code_size=15", ["latent.code_size=15", "14 bits"]),
    ("estimator=disarm", ["estimator=disarm", "latent=gaussian", "pathwise"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"), CONFIGURATION_ERRORS, ids=[a for a, _ in CONFIGURATION_ERRORS]
)
def test_a_configuration_error_is_one_line_and_leaves_no_folder(command, tmp_path, arguments, words):
    """It names the key, the value, what is allowed and, for a typo, the nearest name."""
    run = command("vae-train", *arguments.split(), cwd=tmp_path)
    line = assert_one_line(run)
    assert all(word in line for word in words), line
    assert run.stdout == "" and list(tmp_path.iterdir()) == []


def test_a_folder_that_hydra_takes_for_a_group_is_named(command, original_bernoulli, tmp_path):
    """Hydra reads options from all folders of --config-dir."""
    (tmp_path / "run").symlink_to(original_bernoulli)
    line = assert_one_line(command("vae-eval", "run=run", "--config-dir=.", cwd=tmp_path))
    assert "--config-dir" in line and "'run'" in line


def test_a_traceback_is_there_for_who_asks(tmp_path):
    run = vae("latent.code_sise=3", cwd=tmp_path, HYDRA_FULL_ERROR="1")
    assert run.returncode != 0 and "Traceback" in run.stderr


def test_an_output_folder_that_cannot_be_is_named(tmp_path):
    """A folder below a regular file."""
    (tmp_path / "file").write_text("")
    run = vae("hydra.run.dir=file/below", cwd=tmp_path)
    assert "file/below" in assert_one_line(run, status=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def without_files(folder: Path) -> list[str]:
    return ["data=mnist", "data.root=root"]


def with_a_truncated_file(folder: Path) -> list[str]:
    shutil.copytree(SUBSET / "MNIST", folder / "root/MNIST")
    file = folder / "root/MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    return ["data=mnist", "data.root=root"]


def outside_the_support(folder: Path) -> list[str]:
    np.savez(folder / "images.npz", images=np.linspace(0, 1.5, 160).reshape(20, 2, 4))
    return ["data=arrays", "data.path=images.npz"]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (without_files, ["root/MNIST/raw", *IDX_FILES, "data.root="]),
        (with_a_truncated_file, ["root/MNIST/raw/train-images-idx3-ubyte", "313615 bytes", "313616"]),
        (outside_the_support, ["likelihood=bernoulli", "[0, 1]", "[0, 1.5]", "likelihood=gaussian"]),
    ],
)
def test_what_only_the_data_can_show_is_one_line_too(command, tmp_path, prepare, words):
    """And it leaves no run folder and no half-written data file."""
    arguments = prepare(tmp_path)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    line = assert_one_line(command("vae-train", *arguments, "hydra.run.dir=here", cwd=tmp_path))
    assert all(word in line for word in words), line
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "here").exists()
