"""vae-eval's help, and its one line for bad input."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from evaluation.outcome import QUICK, assert_done, assert_one_line, assert_refused, figures

from vae_cli.config.schema.commands import EvalConfig
from vae_cli.config.schema.keys import command_keys

VAE_EVAL = str(Path(sys.executable).with_name("vae-eval"))


def test_help_names_every_key_and_picture_without_waiting_for_torch(tmp_path):
    run = subprocess.run(
        [sys.executable, "-X", "importtime", VAE_EVAL, "--help"], cwd=tmp_path, capture_output=True, text=True
    )  # fmt: skip
    assert run.returncode == 0 and len(run.stdout.splitlines()) < 60
    for name in command_keys(EvalConfig):
        assert name in run.stdout, name
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "vae_cli.config.help" in imported and not {"hydra", "torch"} & imported
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_evaluation_survives_a_refused_one(command, evaluated):
    folder = evaluated("gaussian").folder
    assert_refused(command, folder, "anomaly=nothing", words=("'nothing'",))
    assert (folder / "evaluation/summary.json").exists()


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("exact=true", ("exact=true", "1,048,576 codes", "20 bits", "latent=gaussian of 2 units")),
        ("pictures=[bits]", ("pictures=bits", "latent=bernoulli")),
        ("pictures=[anomaly]", ("pictures=anomaly", "anomaly=DATA")),
        ("anomaly=nothing", ("'nothing'", "allowed are", "rectangles")),
        ("anomaly=fashion_mnits", ("did you mean 'fashion_mnist'",)),
        ("anomaly=digit_4", ("anomaly=digit_4", "was trained on that class", "data.exclude_classes=[4]")),
        ("anomaly=nowhere.npz", ("anomaly=nowhere.npz", "does not exist")),
        ("interpolate=[[0,100000]]", ("interpolate", "100000", "0 to 99")),
        ("interpolate=[[0,1,2]]", ("interpolate=[[0, 1, 2]]", "a list of 2 values")),
        ("nll_samples=0", ("nll_samples=0", "a whole number from 1 to")),
        ("nll_samples=many", ("nll_samples=many", "a whole number from 1 to")),
        ("samples=-1", ("samples=-1", "a whole number from 0 to")),
        ("probe_image=10", ("'probe_image'", "did you mean 'probe_images'")),
        ("pictures=[plain]", ("pictures=[plain]", "allowed is", "did you mean 'plane'")),
        ("pictures=plane", ("pictures=plane", "a list of")),
        ("checkpoint=first", ("checkpoint=first", "best, last")),
        ("device=cuda", ("device=cuda", "no CUDA", "auto, cpu")),
        ("device=tpu", ("device=tpu", "auto, cpu, cuda")),
        ("--samples=5", ("--samples", "key=value", "did you mean 'samples'")),
        ("data.root=nowhere", ("nowhere/MNIST/raw", "data.root=")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_key_or_value_is_one_line(command, original_gaussian, argument, words):
    assert_refused(command, original_gaussian, argument, words=words)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("probe=true", ("probe=true", "labelled data")),
        ("pictures=[class_samples]", ("pictures=class_samples", "labelled data")),
        ("pictures=[plane]", ("pictures=plane", "latent=gaussian with latent.code_size=2")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pictures_that_rectangles_and_bits_cannot_give_are_refused_in_one_line(
    command, original_bernoulli, argument, words
):
    assert_refused(command, original_bernoulli, argument, words=words)


@pytest.mark.parametrize(
    "argument", ["samples=5", "anomaly=rectangles", "exact=true", "pictures=[likelihood]"]
)
def test_what_needs_a_likelihood_is_refused_for_a_plain_auto_encoder(
    command, original_deterministic, argument
):
    asked = argument.strip("]").replace("[", "")
    assert_refused(command, original_deterministic, argument, words=(asked, "needs", "latent=deterministic"))


def test_more_than_twenty_bits_are_not_enumerated(command, trained):
    """exact=true is refused, and exact=auto leaves them out."""
    folder = trained("many", "latent=bernoulli", "latent.code_size=21", "data.train_size=50",
                     "data.validation_size=20", "data.test_size=20")  # fmt: skip
    words = ("exact=true", "at most 1,048,576 codes", "latent=bernoulli of 21 bits")
    assert_refused(command, folder, "exact=true", words=words)
    assert_refused(command, folder, "pictures=[all_codes]", words=("at most 8 units",))
    assert_done(command("vae-eval", f"run={folder}", *QUICK, cwd=folder.parent))
    assert "nll" in figures(folder) and "nll_exact" not in figures(folder)


def test_a_folder_that_is_no_run_is_one_line(command, tmp_path):
    for arguments, words in (
        ([], ("run must be given", "run=VALUE")),
        (["run=nowhere"], ("nowhere is no run folder", ".hydra/config.yaml")),
        (["run=."], ("is no run folder",)),
        (["run=null"], ("run=null", "a text")),
    ):
        line = assert_one_line(command("vae-eval", *arguments, cwd=tmp_path))
        assert all(word in line for word in words), line
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_whole_checkpoint_is_one_line(command, original_bernoulli, tmp_path):
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    best = folder / "checkpoints/best.pt"
    whole = best.read_bytes()
    best.write_bytes(whole[: len(whole) // 2])
    assert_refused(command, folder, words=("best.pt", "truncated"))
    best.write_bytes(b"")
    assert_refused(command, folder, words=("best.pt", "truncated"))
    shutil.rmtree(folder / "checkpoints")
    assert_refused(command, folder, words=("best.pt", "no checkpoint"))


@pytest.mark.parametrize(
    "argument",
    [
        "data=null",
        "data.seed=3",
        "data=mnist",
    ],
)
def test_what_only_vae_train_has_is_not_suggested(command, original_bernoulli, tmp_path, argument):
    key = argument.partition("=")[0]
    line = assert_one_line(command("vae-eval", f"run={original_bernoulli}", argument, cwd=tmp_path))
    assert f"did you mean {key!r}" not in line


def test_each_failed_member_of_several_is_named_in_one_line(command, tmp_path):
    """And those after it are evaluated. What Hydra writes of a sweep does not stay."""
    here, temporary, before = tmp_path / "here", tmp_path / "temporary", tmp_path / "before.py"
    here.mkdir(), temporary.mkdir()
    before.write_text("import tempfile\n\ndef install(folder):\n    tempfile.tempdir = folder\n")
    arguments = ["-m", "run=else where,no=where", "samples=1"]
    done = command("vae-eval", *arguments, cwd=here, before=(before, [str(temporary)]))
    first, second = done.stderr.splitlines()
    assert done.returncode == 2 and "Traceback" not in done.stdout
    assert first.startswith('vae-eval run="else where": else where is no run folder')
    assert second.startswith('vae-eval run="no=where": no=where is no run folder')
    assert list(here.iterdir()) == [] and list(temporary.iterdir()) == []
