"""A run folder from a stranger, given to every command: nothing in it is executed, nothing outside it is read or written,
no secret of the reader's environment is copied, and nothing in it takes long or much memory."""

import functools
import io
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from command_server import Finished

import vae_cli
from vae_cli.errors import LONGEST, UserError

SMALL = ("data.train_size=40", "data.validation_size=16", "data.test_size=16", "network.hidden=[8]", "nll_samples=3", "epochs=1")  # fmt: skip
SECRET, OUTSIDE = "the-secret-of-the-environment", "the content of a file outside"
SECONDS = 20  # a command that takes longer hangs, or unpacks a bomb
TEXTS = (".json", ".jsonl", ".yaml", ".html", ".log", ".csv", ".tsv", ".pbtxt")


@pytest.fixture(scope="module")
def strangers(command, tmp_path_factory) -> Path:
    """A run that was evaluated."""
    folder = tmp_path_factory.mktemp("strangers") / "run"
    for words in (["vae-train", *SMALL, f"hydra.run.dir={folder}"], ["vae-eval", f"run={folder}", "probe=false", "pictures=[]"]):  # fmt: skip
        assert command(*words, cwd=folder.parent).returncode == 0
    return folder


class Harmful:
    """What pickle would execute."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def edited(change: Callable[[dict, Path], object]) -> Callable[[Path, Path], None]:
    """Changes the configuration, and what the checkpoints say of it."""

    def edit(folder: Path, outside: Path) -> None:
        file = folder / ".hydra/config.yaml"
        config = yaml.safe_load(file.read_text())
        change(config, outside)
        file.write_text(yaml.safe_dump(config))
        for path in (folder / "checkpoints").glob("*.pt"):
            state = torch.load(path, weights_only=True)
            change(state["config"], outside)
            torch.save(state, path)

    return edit


def written(name: str, text: str) -> Callable[[Path, Path], None]:
    def write(folder: Path, outside: Path) -> None:
        (folder / name).write_text(text.replace("OUTSIDE", str(outside)))

    return write


def linked(name: str, target: str) -> Callable[[Path, Path], None]:
    def link(folder: Path, outside: Path) -> None:
        place = folder / name
        if place.is_dir():
            shutil.copytree(place, outside / target, dirs_exist_ok=True)
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.symlink_to(outside / target)

    return link


def pickled(folder: Path, outside: Path) -> None:
    for path in (folder / "checkpoints").glob("*.pt"):
        torch.save(torch.load(path, weights_only=True) | {"more": Harmful(outside / "executed")}, path)


@functools.cache
def bomb() -> bytes:
    """1 GB of zeros in 1 MB."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("bomb/data.pkl", "w", force_zip64=True) as member,
    ):
        for _ in range(64):
            member.write(bytes(2**24))
    return content.getvalue()


def zip_bomb(*names: str) -> Callable[[Path, Path], None]:
    return lambda folder, outside: [(folder / name).write_bytes(bomb()) for name in names] and None


def sparse(name: str) -> Callable[[Path, Path], None]:
    """50 GB that take no room on the disk."""
    return lambda folder, outside: os.truncate(folder / name, 50 * 10**9)


def target(group: str) -> Callable[[Path, Path], None]:
    def change(config: dict, outside: Path) -> None:
        config[group] = {"name": "x", "_target_": "os.system", "command": f"touch {outside / 'executed'}"}

    return edited(change)


ALIASES = "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))])  # fmt: skip
HOSTILE: dict[str, Callable[[Path, Path], None]] = {
    "a pickle in the checkpoints": pickled,
    "a target in the network": target("network"),
    "a target in the data": target("data"),
    "a resolver in the name": edited(lambda c, o: c.update(name="${oc.env:VAE_CLI_SECRET}")),
    "a resolver in a number": edited(lambda c, o: c.update(seed="${oc.decode:${oc.env:VAE_CLI_SECRET}}")),
    "a resolver in the overrides": written(".hydra/overrides.yaml", "- name=${oc.env:VAE_CLI_SECRET}\n"),
    "an object in the configuration": written(".hydra/config.yaml", "name: !!python/object/apply:os.system ['touch OUTSIDE/executed']\n"),
    "an object in the overrides": written(".hydra/overrides.yaml", "- !!python/object/apply:os.system ['touch OUTSIDE/executed']\n"),
    "a bomb in the configuration": written(".hydra/config.yaml", ALIASES),
    "a bomb in the overrides": written(".hydra/overrides.yaml", ALIASES),
    "markup in the name": edited(lambda c, o: c.update(name="<script>alert(1)</script>")),
    "control characters in the name": edited(lambda c, o: c.update(name="\x1b]0;title\x07\x1b[2J")),
    "a giant code": edited(lambda c, o: c["latent"].update(code_size=10**18)),
    "a giant network": edited(lambda c, o: c["network"].update(hidden=[30_000] * 40)),
    "giant images": edited(lambda c, o: c["data"].update(height=10**6, width=10**6)),
    "data elsewhere": edited(lambda c, o: c.update(data={"name": "arrays", "_target_": "vae_cli.data.arrays.arrays", "path": str(o / "secret.npz")})),
    "a bomb for a checkpoint": zip_bomb("checkpoints/best.pt", "checkpoints/last.pt"),
    "a bomb for samples": zip_bomb("evaluation/samples.npz"),
    "a file of 50 GB for metrics": sparse("metrics.jsonl"),
    "a file of 50 GB for a summary": sparse("summary.json"),
    "a file of 50 GB for a configuration": sparse(".hydra/config.yaml"),
    "deep JSON": written("summary.json", "[" * 10**5),
    "deep YAML": written(".hydra/config.yaml", "[" * 10**5),
    "a number of many digits": written("summary.json", '{"status": "finished", "epochs": ' + "9" * 10**5 + "}"),
    "deep lines of metrics": written("metrics.jsonl", '{"a":' * 10**5 + "\n"),
    "a link for the configuration": linked(".hydra/config.yaml", "secret"),
    "a link for the summary": linked("summary.json", "secret"),
    "a link for the metrics": linked("metrics.jsonl", "secret"),
    "a link for the lock": linked(".lock", "secret"),
    "a link for the log": linked("train.log", "secret"),
    "a link for a checkpoint": linked("checkpoints/last.pt", "secret"),
    "a link for the checkpoints": linked("checkpoints", "folder"),
    "a link for .hydra": linked(".hydra", "folder"),
    "a link for the pictures": linked("figures", "folder"),
    "a link for the evaluation": linked("evaluation", "folder"),
    "a dangling link for the lock": linked(".lock", "new"),
    "a dangling link for the summary": linked("summary.json", "new"),
}  # fmt: skip
COMMANDS = {
    "train again": ("vae-train", *SMALL, "epochs=2", "hydra.run.dir=run"),
    "resume": ("vae-train", "resume=run", "epochs=2"),
    "evaluate": ("vae-eval", "run=run", "probe=false", "pictures=[curves]", "nll_samples=3"),
    "compare": ("vae-compare", ".", "out=comparison"),
}


def contents(folder: Path) -> dict[str, object]:
    return {str(p): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def assert_harmless(done: Finished, cwd: Path) -> None:
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1, 2), (done.returncode, said)
    assert "Traceback" not in said
    lines = said.splitlines()
    assert not [line for line in lines if not line.isprintable()]
    if done.returncode:
        (line,) = done.stderr.splitlines()
        assert len(line) <= LONGEST + len("vae-compare: ")
    for file in cwd.rglob("*"):
        if file.suffix in TEXTS and file.is_file() and not file.is_symlink() and file.stat().st_size < 10**8:
            text = file.read_text(errors="replace")
            assert SECRET not in text and OUTSIDE not in text, file
            assert "<script>alert" not in text or file.suffix != ".html"
    assert SECRET not in said and OUTSIDE not in said


@pytest.mark.parametrize("what", HOSTILE)
def test_no_command_is_harmed(command, strangers, tmp_path, what, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text(json.dumps({"status": "finished", "name": OUTSIDE, "epochs": 1}))
    (outside / "secret.npz").write_bytes(OUTSIDE.encode())
    (outside / "folder").mkdir()
    for name, words in COMMANDS.items():
        cwd = tmp_path / name
        cwd.mkdir()
        shutil.copytree(strangers, cwd / "run")
        HOSTILE[what](cwd / "run", outside)
        before = contents(outside)
        assert_harmless(command(*words, cwd=cwd, kill_after=SECONDS, env={"VAE_CLI_SECRET": SECRET}), cwd)
        assert contents(outside) == before, name
        if name == "compare":
            monkeypatch.setenv("VAE_CLI_SECRET", SECRET)
            signal.alarm(SECONDS)
            try:
                vae_cli.load(cwd / "run", device="cpu")
            except UserError as error:
                assert SECRET not in str(error)
            finally:
                signal.alarm(0)
            assert contents(outside) == before
        shutil.rmtree(cwd)
