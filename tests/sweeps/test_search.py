"""Searches: n_trials is the total, whatever came between; what was found is said; what cannot be searched for is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from vae_cli.config.compose import config_folder

INSTALLED = {distribution.name for distribution in distributions()}
if "hydra-optuna-sweeper" not in INSTALLED:
    pytest.skip("needs hydra-optuna-sweeper: pip install 'vae-cli[optuna]'", allow_module_level=True)

SMALL = ["network.hidden=[8]", "nll_samples=5", "data.train_size=60", "data.validation_size=20", "data.test_size=20"]  # fmt: skip
TINY = [*SMALL, "epochs=1"]
SEARCH = ["-m", "hydra/sweeper=optuna", "name=s"]
RATE_DISTORTION = ["returns=[rate,distortion]", "hydra.sweeper.direction=[minimize,minimize]"]


def members(cwd: Path) -> dict[Path, dict]:
    files = (cwd / "outputs/s").glob("*/summary.json")
    return {file.parent: json.loads(file.read_text()) for file in files}


def study(cwd: Path):
    """With Optuna's warnings about itself told to nobody; the connection is not kept."""
    script = """
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.load_study("s", "sqlite:///outputs/s/study.db")
print(json.dumps([[t.state.name, t.values, {**t.params, **t.system_attrs.get("fixed_params", {})}] for t in study.trials]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=cwd, capture_output=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def original(command, tmp_path_factory):
    """The folder and the first call: four trials."""
    cwd = tmp_path_factory.mktemp("search")
    return cwd, command("vae-train", *SEARCH, *TINY, "hydra.sweeper.n_trials=4", cwd=cwd)


@pytest.fixture
def searched(original, tmp_path):
    """A copy: absolute paths stand in no study."""
    shutil.copytree(original[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_the_best_trial_is_said_with_its_folder_and_its_figures(original):
    cwd, done = original
    assert done.returncode == 0 and done.stderr == ""
    found = members(cwd)
    assert len(found) == 4 and {summary["status"] for summary in found.values()} == {"finished"}
    best = max(found, key=lambda folder: found[folder]["validation"]["elbo"])
    config = yaml.safe_load((best / ".hydra/config.yaml").read_text())
    heading, row = done.stdout.splitlines()[-2:]
    assert heading == "search: 4 of 4 trials; the best by validation elbo:"
    assert row.split()[0] == f"{found[best]['validation']['elbo']:.2f}"
    assert f"latent.code_size={config['latent']['code_size']} " in row
    assert row.split()[-1] == str(best.relative_to(cwd))


def test_the_same_command_trains_nothing(command, original, searched):
    before = {file: file.stat().st_mtime_ns for file in searched.glob("outputs/s/*/*")}
    again = command("vae-train", *SEARCH, *TINY, "hydra.sweeper.n_trials=4", cwd=searched)
    assert again.returncode == 0 and again.stderr == ""
    assert again.stdout.splitlines()[-2:] == original[1].stdout.splitlines()[-2:]
    assert {file: file.stat().st_mtime_ns for file in searched.glob("outputs/s/*/*")} == before


def test_a_larger_total_adds_the_rest_and_tries_what_is_new(command, searched):
    before = members(searched)
    more = command("vae-train", *SEARCH, *TINY, "hydra.sweeper.n_trials=6", cwd=searched)
    assert more.returncode == 0 and "search: 6 of 6 trials" in more.stdout
    assert "[2/2]" in more.stdout and more.stdout.count("\nfinished ") + 1 == 2
    after = members(searched)
    assert len(after) == 6 and before.items() <= after.items()


@pytest.mark.parametrize("sampler", ["random", "nsgaii"])
def test_another_sampler_is_an_option(command, searched, sampler):
    option = f"hydra/sweeper/sampler={sampler}"
    more = command("vae-train", *SEARCH, option, *TINY, "hydra.sweeper.n_trials=5", cwd=searched)
    assert more.returncode == 0 and len(members(searched)) == 5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["objective.beta=2"], "objective.beta was 1.0 and is 2"),
        (["epochs=2"], "epochs was 1 and is 2"),
        (["objective.beta=interval(1,2)"], "this is over latent.code_size, optimizer.lr, objective.beta"),
        (["latent.code_size=3,4"], "latent.code_size was IntLogUniform"),
        (["returns=rate", "hydra.sweeper.direction=minimize"], "direction was maximize and is minimize"),
    ],
)
def test_another_search_of_the_same_name_is_refused(command, searched, changed, said):
    before = {
        file: file.read_bytes() for file in searched.rglob("*") if file.is_file() and file.name != ".lock"
    }
    done = command("vae-train", *SEARCH, *TINY, *changed, cwd=searched)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""
    assert "holds another search 's'" in done.stderr and said in done.stderr and "name=NEW" in done.stderr
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hydra.sweeper.direction=minimize"], "allowed is maximize"),
        (["returns=rate"], "hydra.sweeper.direction=maximize does not go with returns=rate; allowed is minimize"),
        (["returns=[rate,distortion]"], "allowed is [minimize,minimize]"),
        ([RATE_DISTORTION[1]], "does not go with returns=elbo"),
        (["returns=[elbo]"], "allowed is returns=elbo"),
        (["data.validation_size=0"], "data.validation_size=0"),
        (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0 is not allowed"),
        (["hydra.sweeper.n_jobs=-1"], "hydra.sweeper.n_jobs=-1 is not allowed"),
        (["hydra.sweeper.storage=null"], "hydra.sweeper.storage=None is not allowed"),
        (["latent.code_size=2", "optimizer.lr=0.1"], "needs a key to search over"),
        (["optimizer.lr=glob(*)"], "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_for_is_refused_and_leaves_nothing(command, tmp_path, arguments, said):
    done = command("vae-train", *SEARCH, *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("vae-train: ") and done.stderr.count("\n") == 1
    assert said in done.stderr and list(tmp_path.iterdir()) == []


def test_a_mistake_that_no_member_survives_does_not_bind_the_next_command(command, tmp_path):
    space = ["latent.temperature=interval(0.2,1)", "hydra.sweeper.n_trials=2"]
    wrong = command("vae-train", *SEARCH, *TINY, *space, cwd=tmp_path)
    assert wrong.returncode == 2 and "latent.temperature" in wrong.stderr and wrong.stderr.count("\n") == 1
    right = command("vae-train", *SEARCH, *TINY, *space, "latent=bernoulli", cwd=tmp_path)
    assert right.returncode == 0 and right.stderr == "" and "search: 2 of 2 trials" in right.stdout


def test_a_diverging_member_does_not_end_the_search_and_is_tried_again_on_request(command, tmp_path):
    arguments = [*SEARCH, *TINY, "log_every=1", "optimizer.lr=0.001,1e18", "latent.code_size=3,4", "hydra.sweeper.n_trials=5"]  # fmt: skip
    done = command("vae-train", *arguments, cwd=tmp_path)
    failed = [folder for folder, summary in members(tmp_path).items() if summary["status"] == "diverged"]
    states = [state for state, *_ in study(tmp_path)]
    assert done.returncode == 1 and done.stderr == ""
    assert failed and 0 < states.count("FAIL") < 5 and states.count("COMPLETE") + states.count("FAIL") == 5
    assert f"search: 5 of 5 trials, {states.count('FAIL')} without a figure; the best" in done.stdout
    before = {folder: (folder / "summary.json").stat().st_mtime_ns for folder in failed}
    command("vae-train", *arguments, cwd=tmp_path)
    assert {folder: (folder / "summary.json").stat().st_mtime_ns for folder in failed} == before
    tried = command("vae-train", *arguments, "retry_failed=true", cwd=tmp_path)
    assert all((folder / "summary.json").stat().st_mtime_ns > before[folder] for folder in failed)
    assert set(members(tmp_path)) >= set(failed) and "search: 5 of 5 trials" in tried.stdout


def test_members_that_fail_fast_kept_from_starting_are_not_done(command, tmp_path):
    arguments = [*SEARCH, *TINY, "log_every=1", "optimizer.lr=0.001,1e18", "latent.code_size=3,4,5", "hydra.sweeper.n_trials=6"]  # fmt: skip
    command("vae-train", *arguments, "fail_fast=true", cwd=tmp_path)
    states = [state for state, *_ in study(tmp_path)]
    statuses = [summary["status"] for summary in members(tmp_path).values()]
    assert statuses.count("diverged") == 1 < states.count("FAIL")
    done = command("vae-train", *arguments, cwd=tmp_path)
    again = [state for state, *_ in study(tmp_path)]
    assert "search: 6 of 6 trials" in done.stdout
    assert len(again) == 6 + states.count("FAIL") - 1 and "WAITING" not in again


def test_no_trial_with_a_figure_is_one_line(command, tmp_path):
    arguments = [*SEARCH, *TINY, "log_every=1", "optimizer.lr=1e18,1e19", "latent.code_size=3", "hydra.sweeper.n_trials=2"]  # fmt: skip
    for _ in range(2):
        done = command("vae-train", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("vae-train: no trial of the search") and done.stderr.count("\n") == 1
        assert "2 of 2 trials, 2 without a figure; none has come to a figure" in done.stdout


def test_two_figures_have_a_pareto_front(command, tmp_path):
    arguments = [*SEARCH, *TINY, *RATE_DISTORTION, "objective.beta=tag(log,interval(0.1,10))", "hydra.sweeper.n_trials=5"]  # fmt: skip
    done = command("vae-train", *arguments, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    found = [(s["validation"]["rate"], s["validation"]["distortion"]) for s in members(tmp_path).values()]
    front = [one for one in found if not any(o != one and o[0] <= one[0] and o[1] <= one[1] for o in found)]
    heading, rows = done.stdout.split("search: 5 of 5 trials; ")[1].split(":\n", 1)
    assert heading == "the Pareto front by validation rate, distortion"
    assert [row.split()[:2] for row in rows.splitlines()] == [
        [f"{a:.2f}", f"{b:.2f}"] for a, b in sorted(front)
    ]
    again = command("vae-train", *arguments, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.endswith(done.stdout[done.stdout.index("search: ") :])


def test_a_killed_search_goes_on_in_the_same_folder_from_its_checkpoint(command, tmp_path):
    arguments = [*SEARCH, *SMALL, "epochs=300", "validate_every=300", "checkpoint.epochs=1", "log_every=100", "hydra.sweeper.n_trials=2"]  # fmt: skip
    killed = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    end = time.monotonic() + 120
    while not list(tmp_path.glob("outputs/s/*/checkpoints/last.pt")) and time.monotonic() < end:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (folder,) = (file.parent.parent for file in tmp_path.glob("outputs/s/*/checkpoints/last.pt"))
    assert not (folder / "summary.json").exists() and [state for state, *_ in study(tmp_path)] == ["RUNNING"]
    done = command("vae-train", *arguments, cwd=tmp_path)
    assert done.returncode == 0 and "search: 2 of 2 trials; the best" in done.stdout
    assert len(members(tmp_path)) == 2 and members(tmp_path)[folder]["status"] == "finished"
    assert "resumed   at step" in (folder / "train.log").read_text()
    first, again, _ = study(tmp_path)
    assert (first[0], again[0]) == ("FAIL", "COMPLETE") and first[2] == again[2]


def test_two_searches_do_not_share_a_folder_at_a_time(command, searched):
    import fcntl

    with (searched / "outputs/s/.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("pid 1 on here")
        held.flush()
        done = command("vae-train", *SEARCH, *TINY, cwd=searched)
    assert done.returncode == 2 and done.stdout == "" and "is being written by another process" in done.stderr


@pytest.mark.skipif("hydra-joblib-launcher" not in INSTALLED, reason="needs hydra-joblib-launcher")
def test_trials_side_by_side_that_come_out_the_same_share_one_result(command, tmp_path):
    """Two values and batches of three: at least two of a batch are the same member."""
    done = command(
        "vae-train", *SEARCH, *TINY, "hydra/launcher=joblib", "hydra.launcher.n_jobs=3", "hydra.sweeper.n_jobs=3",
        "latent.code_size=3,4", "optimizer.lr=0.001", "hydra.sweeper.n_trials=6", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0 and "search: 6 of 6 trials; the best" in done.stdout
    trials = study(tmp_path)
    values = {parameters["latent.code_size"]: value for _, (value,), parameters in trials}
    assert len(trials) == 6 and len(values) == len(members(tmp_path)) <= 2
    assert all(value == values[parameters["latent.code_size"]] for _, (value,), parameters in trials)


@pytest.mark.parametrize(
    "name", sorted(file.stem for file in config_folder().glob("experiment/search_*.yaml"))
)
def test_every_search_preset_comes_to_its_end(command, tmp_path, name):
    done = command("vae-train", f"experiment={name}", *TINY, "hydra.sweeper.n_trials=2", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and "search: 2 of 2 trials" in done.stdout
    assert len(list((tmp_path / f"outputs/{name}").glob("*/summary.json"))) == 2
