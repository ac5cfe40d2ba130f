"""A search: what it prints at its end, and what the same command does again."""

import pytest
import yaml
from sweeps.small import SEARCH, TINY, member_summaries, needs_joblib, needs_optuna, trials

pytestmark = needs_optuna

RATE_DISTORTION = ["returns=[rate,distortion]", "hydra.sweeper.direction=[minimize,minimize]"]


def test_the_best_trial_is_printed_with_its_folder_and_its_result(searched):
    cwd, done = searched
    assert done.returncode == 0 and done.stderr == ""
    found = member_summaries(cwd)
    assert len(found) == 4 and {summary["status"] for summary in found.values()} == {"finished"}
    best = max(found, key=lambda folder: found[folder]["validation"]["elbo"])
    config = yaml.safe_load((best / ".hydra/config.yaml").read_text())
    heading, row = done.stdout.splitlines()[-2:]
    assert heading == "search: 4 of 4 trials; the best by validation elbo:"
    assert row.split()[0] == f"{found[best]['validation']['elbo']:.2f}"
    assert f"latent.code_size={config['latent']['code_size']} " in row
    assert row.split()[-1] == str(best.relative_to(cwd))


def test_the_same_command_trains_nothing(command, searched, searched_copy):
    before = {file: file.stat().st_mtime_ns for file in searched_copy.glob("outputs/s/*/*")}
    again = command("vae-train", *SEARCH, *TINY, "hydra.sweeper.n_trials=4", cwd=searched_copy)
    assert again.returncode == 0 and again.stderr == ""
    assert again.stdout.splitlines()[-2:] == searched[1].stdout.splitlines()[-2:]
    assert {file: file.stat().st_mtime_ns for file in searched_copy.glob("outputs/s/*/*")} == before


def test_a_larger_total_adds_new_trials(command, searched_copy):
    before = member_summaries(searched_copy)
    more = command("vae-train", *SEARCH, *TINY, "hydra.sweeper.n_trials=6", cwd=searched_copy)
    assert more.returncode == 0 and "search: 6 of 6 trials" in more.stdout
    assert "[2/2]" in more.stdout and more.stdout.count("\nfinished ") + 1 == 2
    after = member_summaries(searched_copy)
    assert len(after) == 6 and before.items() <= after.items()


@pytest.mark.parametrize("sampler", ["random", "nsgaii"])
def test_another_sampler_is_an_option(command, searched_copy, sampler):
    option = f"hydra/sweeper/sampler={sampler}"
    more = command("vae-train", *SEARCH, option, *TINY, "hydra.sweeper.n_trials=5", cwd=searched_copy)
    assert more.returncode == 0 and len(member_summaries(searched_copy)) == 5


def test_two_metrics_have_a_pareto_front(command, tmp_path):
    arguments = [*SEARCH, *TINY, *RATE_DISTORTION, "objective.beta=tag(log,interval(0.1,10))", "hydra.sweeper.n_trials=5"]  # fmt: skip
    done = command("vae-train", *arguments, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    validations = [summary["validation"] for summary in member_summaries(tmp_path).values()]
    found = [(metrics["rate"], metrics["distortion"]) for metrics in validations]
    front = [one for one in found if not any(o != one and o[0] <= one[0] and o[1] <= one[1] for o in found)]
    heading, rows = done.stdout.split("search: 5 of 5 trials; ")[1].split(":\n", 1)
    assert heading == "the Pareto front by validation rate, distortion"
    expected = [[f"{rate:.2f}", f"{distortion:.2f}"] for rate, distortion in sorted(front)]
    assert [row.split()[:2] for row in rows.splitlines()] == expected
    again = command("vae-train", *arguments, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.endswith(done.stdout[done.stdout.index("search: ") :])


def test_two_searches_do_not_use_a_folder_at_the_same_time(command, searched_copy):
    import fcntl

    with (searched_copy / "outputs/s/.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("pid 1 on here")
        held.flush()
        done = command("vae-train", *SEARCH, *TINY, cwd=searched_copy)
    assert done.returncode == 2 and done.stdout == "" and "is being written by another process" in done.stderr


@needs_joblib
def test_equal_trials_of_one_batch_share_one_member(command, tmp_path):
    """There are two values and batches of three trials, so at least two trials of a batch are the same member."""
    done = command(
        "vae-train", *SEARCH, *TINY, "hydra/launcher=joblib", "hydra.launcher.n_jobs=3", "hydra.sweeper.n_jobs=3",
        "latent.code_size=3,4", "optimizer.lr=0.001", "hydra.sweeper.n_trials=6", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0 and "search: 6 of 6 trials; the best" in done.stdout
    found = trials(tmp_path)
    values = {parameters["latent.code_size"]: value for _, (value,), parameters in found}
    assert len(found) == 6 and len(values) == len(member_summaries(tmp_path)) <= 2
    assert all(value == values[parameters["latent.code_size"]] for _, (value,), parameters in found)


REFUSED = {
    "latent=gaussian,nonsense": "there is no latent=nonsense; ",
    "hydra.sweeper.storage=nonsense": "hydra.sweeper.storage=nonsense cannot be opened",
    "latent.code_size=range(3,1)": "the search space cannot be read",
    "returns=nonsense": "returns=nonsense is not allowed",
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_a_search_cannot_use_starts_no_trial_and_leaves_nothing(command, tmp_path, word):
    done = command("vae-train", *SEARCH, *TINY, word, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and list(tmp_path.iterdir()) == []
    assert done.stderr.startswith("vae-train: ") and REFUSED[word] in done.stderr
    assert done.stderr.count("\n") == 1
