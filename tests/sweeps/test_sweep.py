"""Sweeps whose members fail: the others go on, the end names them, and the next call knows."""

import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from vae_cli.config.compose import config_folder, prepare_hydra
from vae_cli.config.diff import flatten
from vae_cli.runs import lock
from vae_cli.sweeps.monitor import Monitor, halt
from vae_cli.sweeps.summary import roll_call

SMALL = ["network.hidden=[8]", "epochs=1", "nll_samples=5", "data.train_size=60", "data.validation_size=20", "data.test_size=20"]  # fmt: skip
SWEEP = ["-m", "name=s", "latent.code_size=4,-1", "optimizer.lr=0.001,1e18", "log_every=1", *SMALL]


def summaries(cwd: Path) -> dict[tuple[int, float], dict]:
    """By code size and learning rate."""
    found = {}
    for file in (cwd / "outputs/s").glob("*/summary.json"):
        config = yaml.safe_load((file.parent / ".hydra/config.yaml").read_text())
        key = config["latent"]["code_size"], float(config["optimizer"]["lr"])
        found[key] = json.loads(file.read_text())
    return found


@pytest.fixture(scope="module")
def swept(command, tmp_path_factory):
    """The folder and the first call. Members: good; diverging; and two whose code size is no size."""
    cwd = tmp_path_factory.mktemp("sweep")
    return cwd, command("vae-train", *SWEEP, cwd=cwd)


def test_each_member_says_in_its_folder_how_it_ended(swept):
    cwd, done = swept
    found = summaries(cwd)
    assert done.returncode == 1 and done.stderr == ""
    assert {key: found[key]["status"] for key in found} == {
        (4, 0.001): "finished", (4, 1e18): "diverged", (-1, 0.001): "failed", (-1, 1e18): "failed"
    }  # fmt: skip
    assert found[-1, 0.001]["error"].startswith("latent.code_size=-1 is not allowed")
    for log in (cwd / "outputs/s").glob("*code_size=-1*/train.log"):
        assert "latent.code_size=-1 is not allowed" in log.read_text()


def test_the_end_is_a_table_of_all_members_and_names_the_failures(swept):
    cwd, done = swept
    table = done.stdout[done.stdout.rindex("  status ") :].splitlines()
    assert table[0].split() == ["status", "elbo", "nll", "s", "latent.code_size", "optimizer.lr"]
    assert sorted(line.split()[0] for line in table[1:5]) == ["diverged", "failed", "failed", "finished"]
    (good,) = (line for line in table[1:5] if line.split()[0] == "finished")
    test = summaries(cwd)[4, 0.001]["test"]
    assert f"{test['elbo']:.2f}" in good and f"{test['nll']:.2f}" in good and "latent.code_size=4" in good
    named = [line for line in table[5:] if line.startswith(("failed: ", "diverged: "))]
    assert len(named) == 3 and all("outputs/s/" in line for line in named)
    assert table[-1] == "compare them: vae-compare outputs/s"


def test_members_are_not_named_by_what_does_not_tell_them_apart(swept):
    for folder in (swept[0] / "outputs/s").glob("*/"):
        assert "name=" not in folder.name and "retry_failed" not in folder.name


def test_failures_are_tried_again_on_request_alone(command, swept):
    cwd, _ = swept
    before = {file: file.read_bytes() for file in (cwd / "outputs/s").glob("*/summary.json")}
    again = command("vae-train", *SWEEP, cwd=cwd)
    assert again.returncode == 1
    assert again.stdout.count("\nrefused: ") == 3 and "retry_failed=true tries it again" in again.stdout
    assert again.stdout.count("\n  finished ") == 1
    assert {file: file.read_bytes() for file in before} == before
    tried = command("vae-train", *SWEEP, "retry_failed=true", cwd=cwd)
    assert tried.returncode == 1 and "tries it again" not in tried.stdout
    assert len(list((cwd / "outputs/s").glob("*/"))) == 4  # the same folders
    assert tried.stdout.count("\n  finished ") == 1
    diverged = next(f for f in before if json.loads(before[f])["status"] == "diverged")
    assert (
        diverged.read_bytes() != before[diverged] and json.loads(diverged.read_text())["status"] == "diverged"
    )


def test_fail_fast_ends_with_the_first_failure(command, tmp_path):
    sweep = ["-m", "name=s", "latent.code_size=-1,4", "optimizer.lr=0.001", "fail_fast=true", *SMALL]
    done = command("vae-train", *sweep, cwd=tmp_path)
    assert done.returncode == 1
    assert {key: found["status"] for key, found in summaries(tmp_path).items()} == {(-1, 0.001): "failed"}


def test_a_member_that_another_process_trains_is_left_to_it(command, tmp_path):
    """The others are trained; the end says who has it; nothing in its folder changes but its lock."""
    sweep = ["-m", "name=s", "seed=1,2", *SMALL]
    assert command("vae-train", *sweep, cwd=tmp_path).returncode == 0
    taken, other = sorted((tmp_path / "outputs/s").glob("*/"))
    for file in ("summary.json", "checkpoints/last.pt"):
        (taken / file).unlink(), (other / file).unlink()
    before = {path: path.read_bytes() for path in taken.rglob("*") if path.is_file()}
    with lock.locked(taken):
        done = command("vae-train", *sweep, cwd=tmp_path)
    assert {path: path.read_bytes() for path in taken.rglob("*") if path.is_file()} == before
    assert done.returncode == 1 and f"\nrunning: pid {os.getpid()} on " in done.stdout
    assert json.loads((other / "summary.json").read_text())["status"] == "finished"
    assert command("vae-train", *sweep, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("key", ["fail_fast", "retry_failed"])
def test_the_switches_of_a_sweep_are_true_or_false(command, tmp_path, key):
    done = command("vae-train", "-m", "latent.code_size=2,3", f"{key}=maybe", cwd=tmp_path)
    assert done.returncode == 2 and not (tmp_path / "outputs").exists()
    assert done.stderr == f"vae-train: {key}=maybe is not allowed; allowed is true or false\n"


def test_a_pack_of_no_members_is_refused(command, tmp_path):
    done = command(
        "vae-train", "-m", "hydra/launcher=packed", "hydra.launcher.max_members=0", "seed=1,2", cwd=tmp_path
    )
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert done.stderr == (
        "vae-train: hydra.launcher.max_members=0 is not allowed; allowed is a whole number of at least 1, or null\n"
    )


def test_the_table_at_the_end_is_in_the_order_of_what_differs(swept):
    _, done = swept
    table = done.stdout[done.stdout.rindex("  status ") :].splitlines()[1:5]
    sizes = [int(re.search(r"code_size=(-?\d+)", line)[1]) for line in table]
    rates = [float(re.search(r"lr=(\S+)", line)[1]) for line in table]
    assert list(zip(sizes, rates, strict=True)) == [(-1, 0.001), (-1, 1e18), (4, 0.001), (4, 1e18)]


EXTRAS = {
    "hydra/launcher=joblib": "joblib", "hydra/launcher=submitit_slurm": "slurm",
    "hydra/launcher=submitit_local": "slurm", "hydra/launcher=ray": "ray", "hydra/sweeper=optuna": "optuna",
}  # fmt: skip


@pytest.mark.parametrize("option", EXTRAS)
def test_a_missing_extra_is_named_with_its_command(tmp_path, option):
    """Also where it is installed: the plugins are hidden from Hydra."""
    program = "import sys; sys.modules['hydra_plugins'] = None; from vae_cli.cli import train; train()"
    words = [sys.executable, "-c", program, "-m", option, "seed=1,2"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert done.stderr == f"vae-train: {option} needs an extra: pip install 'vae-cli[{EXTRAS[option]}]'\n"


LAUNCHERS = {path.stem: path for path in sorted((config_folder() / "hydra/launcher").glob("*.yaml"))}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_packaged_configuration_of_a_launcher_stands_before_the_plugins(command, tmp_path, launcher):
    """And the plugin knows every key of it; Hydra does not warn of two configurations with one name."""
    ours = yaml.safe_load(LAUNCHERS[launcher].read_text())
    plugin = ours["_target_"].split(".")[1]
    prepare_hydra()  # Python then finds our own plugin
    if not find_spec("hydra_plugins") or not find_spec(f"hydra_plugins.{plugin}"):
        pytest.skip(
            f"{plugin} is not installed: pip install 'vae-cli[{EXTRAS[f'hydra/launcher={launcher}']}]'"
        )
    show = ["--cfg", "hydra", "-p", "hydra.launcher"]
    done = command("vae-train", f"hydra/launcher={launcher}", *show, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    taken = flatten(yaml.safe_load(done.stdout))
    assert {key: str(taken[key]) for key in flatten(ours)} == {k: str(v) for k, v in flatten(ours).items()}


def test_a_member_whose_process_died_is_said_to_have(tmp_path, capsys):
    watch = Monitor(tmp_path, expected=1, local=False)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / "seed=1/.hydra").mkdir(parents=True)
    (tmp_path / "seed=1/.hydra/config.yaml").write_text("seed: 1")
    (tmp_path / "seed=1/.lock").write_text(f"pid {process.pid} on {platform.node()}")
    assert not roll_call(tmp_path, watch.close())
    assert f"\nunfinished: pid {process.pid} on {platform.node()} died; " in capsys.readouterr().out


def test_a_member_that_a_launcher_brings_back_has_a_line_for_each_of_its_ends(tmp_path, capsys):
    watch = Monitor(tmp_path, expected=2, local=False)
    (tmp_path / "seed=1/.hydra").mkdir(parents=True)
    (tmp_path / "seed=1/.hydra/config.yaml").write_text("seed: 1")

    def look(status: str, held: bool) -> str:
        (tmp_path / "seed=1/.lock").write_text(f"pid {os.getpid()} on {platform.node()}" if held else "")
        (tmp_path / "seed=1/summary.json").write_text(json.dumps({"status": status}))
        watch.look()
        return capsys.readouterr().out

    assert look("interrupted", held=False).split() == ["interrupted", "seed=1", "[1/2]"]
    assert look("interrupted", held=False) == look("interrupted", held=True) == ""
    assert look("finished", held=False).split() == ["finished", "seed=1", "[1/2]"]
    assert look("finished", held=True) == look("finished", held=False) == ""


COUNTS = """
import signal, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print("ready", flush=True)
sys.stdin.read()
print(len(asked))
"""


def test_a_member_under_way_is_asked_to_end_once(tmp_path):
    """A second signal would end it before it has saved itself. Members of other process groups are not asked."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    processes = []
    try:
        watch = Monitor(tmp_path, expected=None, local=True)
        for ours in (True, False):
            process = subprocess.Popen(
                [sys.executable, "-c", COUNTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                start_new_session=not ours,
            )  # fmt: skip
            processes.append(process)
            assert process.stdout.readline() == "ready\n"
            (tmp_path / f"seed={ours}").mkdir()
            (tmp_path / f"seed={ours}/.lock").write_text(f"pid {process.pid} on {platform.node()}")
        halt(tmp_path, "a test")
        for _ in range(3):
            watch.look()
            time.sleep(0.1)
        assert [process.communicate(timeout=20)[0] for process in processes] == ["1\n", "0\n"]
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for process in processes:
            process.kill()


# --- TensorBoard --------------------------------------------------------------------------------------------


@pytest.fixture
def tensorboard(swept):
    """`ask("runs")`: the JSON that TensorBoard's page over the sweep's folder is made of."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--host", "127.0.0.1", "--port", str(port), "--logdir",
         str(swept[0] / "outputs/s")], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str, question: object = None) -> Any:
        url = f"http://127.0.0.1:{port}/data/{path}"
        data = None if question is None else json.dumps(question).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)

    try:
        yield ask
    finally:
        server.terminate()
        server.wait(30)


def patiently(question: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """TensorBoard reads the folder while it answers."""
    end = time.monotonic() + 60
    while True:
        with suppress(OSError):  # it does not listen yet
            if enough(answer := question()):
                return answer
        assert time.monotonic() < end, "TensorBoard did not answer as expected within a minute"
        time.sleep(0.3)


def test_tensorboard_shows_the_members_with_their_keys_and_final_figures(swept, tensorboard):
    """Under their folders' names; the HPARAMS tab has a row for each that began to train."""
    members = {
        folder.parent.name: folder.parent for folder in (swept[0] / "outputs/s").glob("*/metrics.jsonl")
    }
    assert len(members) == 2
    runs = patiently(lambda: tensorboard("runs"), lambda answer: set(answer) == set(members))
    assert all("code_size=4" in run and "latent." not in run for run in runs)
    statuses = [f"STATUS_{status}" for status in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
    question = {"experimentName": "", "allowedStatuses": statuses, "startIndex": 0, "sliceSize": 100}
    question["colParams"] = [{"metric": {"tag": tag, "group": ""}} for tag in ("test/elbo", "test/nll")]

    def rows() -> dict[float, dict]:
        groups = tensorboard("plugin/hparams/session_groups", question)["sessionGroups"]
        return {group["hparams"]["optimizer.lr"]: group for group in groups}

    found = patiently(rows, lambda rows: set(rows) == {0.001, 1e18} and "metricValues" in rows[0.001])
    for rate, status in ((0.001, "SUCCESS"), (1e18, "FAILURE")):
        assert found[rate]["sessions"][0]["status"] == f"STATUS_{status}"
        assert (
            found[rate]["hparams"]["latent.code_size"] == 4 and found[rate]["hparams"]["latent"] == "gaussian"
        )
    shown = {value["name"]["tag"]: value["value"] for value in found[0.001]["metricValues"]}
    test = summaries(swept[0])[4, 0.001]["test"]
    assert shown["test/elbo"] == pytest.approx(test["elbo"], rel=1e-6)  # TensorBoard keeps float32
    assert shown["test/nll"] == pytest.approx(test["nll"], rel=1e-6)


PRESETS = {  # name: what a tiny sweep changes, members
    "sweep_code_size_temperature": (["network.hidden=[8]", *SMALL[3:]], 9),
    "sweep_estimators_seeds": (["network.hidden=[8]", "data=rectangles", *SMALL[3:]], 9),
}


def test_every_sweep_preset_is_tried_below():
    assert PRESETS.keys() == {file.stem for file in config_folder().glob("experiment/sweep_*.yaml")}


@pytest.mark.parametrize("name", PRESETS)
def test_every_sweep_preset_comes_to_its_end_without_a_flag(command, tmp_path, name):
    changes, count = PRESETS[name]
    done = command(
        "vae-train",
        f"experiment={name}",
        *changes,
        "epochs=1",
        "nll_samples=0",
        "gradient_draws=0",
        cwd=tmp_path,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count("\n  finished ") == count
    assert len(list((tmp_path / f"outputs/{name}").glob("*/summary.json"))) == count


@pytest.mark.parametrize("flag", [[], ["-m"]])
def test_what_the_command_line_says_wins_over_a_sweep_preset(command, tmp_path, flag):
    less = ["latent.code_size=3", "latent.temperature=1", *SMALL]
    done = command("vae-train", *flag, "experiment=sweep_code_size_temperature", *less, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n  finished ") == 1


@pytest.mark.parametrize("name", PRESETS)
def test_a_sweep_preset_shows_its_configuration(command, tmp_path, name):
    done = command("vae-train", f"experiment={name}", "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and f"name: {name}\n" in done.stdout
    assert list(tmp_path.iterdir()) == []
