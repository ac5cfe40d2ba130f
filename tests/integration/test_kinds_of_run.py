"""Kinds of run: a user's own option, a plain auto-encoder, a sweep, a loss that diverges."""

import re
import sys

import yaml
from integration.installed import SUBSET, TINY, TWO_EPOCHS, assert_one_line, metrics, summary, vae

from vae_cli.runs.checkpoint import load


def test_python_m_vae_cli_with_a_users_own_option(tmp_path):
    """`python -m vae_cli` is vae-train; --config-dir adds options; here Bernoulli codes, and data.limit."""
    (tmp_path / "mine/optimizer").mkdir(parents=True)
    (tmp_path / "mine/optimizer/fast.yaml").write_text("defaults: [adam]\nname: fast\nlr: 0.0123\n")
    run = vae(
        "--config-dir", "mine", "optimizer=fast", "latent=bernoulli", *TWO_EPOCHS, "data.limit=150", "name=my/runs",
        cwd=tmp_path, command=[sys.executable, "-m", "vae_cli"],
    )  # fmt: skip
    assert run.returncode == 0 and run.stderr == ""
    (folder,) = (tmp_path / "outputs/my/runs").iterdir()
    assert "150/50/50 images" in run.stdout and "bernoulli, 25 units, estimator concrete" in run.stdout
    train = [line for line in metrics(folder) if "learning_rate" in line]
    assert {line["learning_rate"] for line in train} == {0.0123}
    assert {line["temperature"] for line in train} == {1.0}
    # what was optimized, and beside it the bound with hard samples: two numbers, both logged
    assert all(abs(line["loss"] + line["elbo"]) > 1e-6 for line in train)
    assert summary(folder)["status"] == "finished" and summary(folder)["test"]["nll"] > 0


def test_a_plain_auto_encoder_of_grey_digits(command, tmp_path):
    """No likelihood, so no nll and no gap; grey pixels under likelihood=bernoulli bring exactly one warning."""
    run = command(
        "vae-train", "latent=deterministic", "data=mnist", f"data.root={SUBSET}", "data.validation_size=100", *TINY, "epochs=1",
        "hydra.run.dir=here", cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0 and run.stderr == ""
    assert run.stdout.count("cross-entropy") == 1
    assert "300/100/100 images of 1×28×28" in run.stdout
    found = summary(tmp_path / "here")
    assert found["status"] == "finished" and found["test"]["rate"] == 0 and "nll" not in found["test"]
    assert found["data"]["entropy"] is None and found["data"]["gap"] is None
    assert found["test"]["elbo"] == -found["test"]["distortion"]


def test_a_sweep_leaves_a_folder_each_and_again_trains_nothing(command, tmp_path):
    sweep = ["-m", "latent.code_size=2,3", "name=sizes", *TWO_EPOCHS]
    first = command("vae-train", *sweep, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    folders = sorted(path.parent for path in (tmp_path / "outputs/sizes").glob("*/summary.json"))
    assert len(folders) == 2
    for size, folder in zip((2, 3), folders, strict=True):
        assert f",code_size={size}," in folder.name
        assert yaml.safe_load((folder / ".hydra/config.yaml").read_text())["latent"]["code_size"] == size
        assert summary(folder)["status"] == "finished"
    keep = ("metrics.jsonl", "summary.json", "last.pt", "best.pt", "samples.png")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.name in keep}
    assert len(before) == 10
    again = command("vae-train", *sweep, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.count(", before  [") == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.name in keep} == before
    assert len(list(tmp_path.rglob("events.out.*"))) == 2


def test_a_loss_that_diverges_stops_the_run(command, tmp_path):
    """Exit 1; status, step, term and epoch named; the checkpoints of before stay."""
    run = command(
        "vae-train", *TWO_EPOCHS, "likelihood=unit_gaussian", "optimizer=sgd", "optimizer.lr=1", "checkpoint.epochs=1",
        "hydra.run.dir=here", cwd=tmp_path,
    )  # fmt: skip
    line = assert_one_line(run, status=1)
    named = re.search(r"(loss|rate|distortion|gradient norm) is (nan|-?inf) at step (\d), epoch (\d)", line)
    assert named and 2 < int(named[3]) <= 4 and named[4] == "2"
    found = summary(tmp_path / "here")
    assert found["status"] == "diverged" and named[0] in found["error"]
    assert named[0] in (tmp_path / "here/train.log").read_text()
    for name in ("last", "best"):
        saved = load(tmp_path / f"here/checkpoints/{name}.pt")
        assert saved["step"] == 2 and all(value.isfinite().all() for value in saved["model"].values())
