"""Anomalies: a class that was left out, another data set, the images of a file."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from conftest import MNIST, SUBSET
from evaluation.outcome import QUICK, assert_done, assert_refused, figures


def test_a_class_that_was_left_out_is_an_anomaly(command, trained):
    """The test images have no 4; the fours of the whole test split are the anomalies."""
    folder = trained("without", *MNIST, "data.exclude_classes=[4]", "latent.code_size=2", "batch_size=20")
    run = command(
        "vae-eval", f"run={folder}", "anomaly=digit_4", "nll_samples=10", "probe=false", "pictures=[anomaly]",
        cwd=folder.parent,
    )  # fmt: skip
    console = assert_done(run)
    labels = np.frombuffer((SUBSET / "MNIST/raw/t10k-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
    fours = int((labels == 4).sum())
    found = figures(folder)
    assert fours and found["nll"]["n"] == 100 - fours and found["anomaly_nll"]["n"] == fours
    assert found["auroc"]["n"] == 100 and 0 <= found["auroc"]["value"] <= 1
    assert found["auroc"]["standard_error"] > 0 and "digit_4" in found["auroc"]["meaning"]
    assert "auroc" in console and (folder / "evaluation/anomaly.png").exists()


def test_another_data_set_is_made_at_the_runs_size(command, original_gaussian, original_bernoulli, tmp_path):
    """Rectangles at 28 × 28 for a run on digits, squares at 24 × 24 for one on rectangles."""
    for original, anomaly, limit in (
        (original_gaussian, "rectangles", 30),
        (original_bernoulli, "squares", 20),
    ):
        folder = Path(shutil.copytree(original, tmp_path / anomaly))
        arguments = [*QUICK, f"anomaly={anomaly}", f"test_images={limit}"]
        assert_done(command("vae-eval", f"run={folder}", *arguments, cwd=tmp_path))
        auroc = figures(folder)["auroc"]
        assert auroc["n"] == 2 * limit and 0 <= auroc["value"] <= 1 and anomaly in auroc["meaning"]


@pytest.mark.parametrize("name", ["noise.npy", "noise.npz"])
def test_images_of_a_file_are_anomalies(command, original_gaussian, tmp_path, name):
    """A model of digits finds noise improbable."""
    folder = Path(shutil.copytree(original_gaussian, tmp_path / "run"))
    noise = np.random.default_rng(0).random((40, 28, 28)) > 0.5
    if name.endswith("npy"):
        np.save(tmp_path / name, noise)
    else:
        np.savez(tmp_path / name, images=noise)
    run = command("vae-eval", "run=run", *QUICK, f"anomaly={name}", "test_images=30", cwd=tmp_path)
    assert_done(run)
    assert figures(folder)["auroc"]["value"] > 0.95


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wide.npz", ("anomaly=wide.npz", "[0, 1]", "1.5")),
        ("small.npz", ("anomaly=small.npz", "1×14×14", "1×28×28")),
        ("objects.npy", ("objects.npy", "Python objects")),
        ("(", ("data set '('", "rectangles")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_do_not_fit_the_model_are_one_line(command, original_gaussian, tmp_path, name, words):
    """Values outside [0, 1], images of another size, objects in the file."""
    np.savez(tmp_path / "wide.npz", images=np.linspace(0, 1.5, 20 * 784).reshape(20, 28, 28))
    np.savez(tmp_path / "small.npz", images=np.zeros((20, 14, 14)))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    folder = Path(shutil.copytree(original_gaussian, tmp_path / "run"))
    assert_refused(command, folder, f"anomaly={name}", words=words)


def test_a_data_set_of_another_size_is_one_line(command, original_bernoulli, tmp_path):
    """MNIST for images of 24 × 24; it has more training images than the 10,000 of data.validation_size."""
    raw = tmp_path / "root/MNIST/raw"
    raw.mkdir(parents=True)
    for split, n in (("train", 10_010), ("t10k", 10)):
        images = struct.pack(">4I", 2051, n, 28, 28) + bytes(n * 784)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, n) + bytes(n))
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    words = ("anomaly=mnist", "1×28×28", "1×24×24")
    assert_refused(command, folder, "anomaly=mnist", f"data.root={tmp_path}/root", words=words)
