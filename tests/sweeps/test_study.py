"""A study belongs to one search."""

import pytest
from conftest import later_counts
from sweeps.small import SEARCH, TINY, needs_optuna

pytestmark = needs_optuna


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["objective.beta=2"], "objective.beta was 1.0 and is 2"),
        (["epochs=2"], "epochs was 1 and is 2"),
        (["objective.beta=interval(1,2)"], "this is over latent.code_size, optimizer.lr, objective.beta"),
        (["latent.code_size=3,4"], "latent.code_size was IntLogUniform"),
        (["returns=rate", "hydra.sweeper.direction=minimize"], "direction was maximize and is minimize"),
    ],
)
def test_another_search_of_the_same_name_is_refused(command, searched_copy, changed, message):
    files = [file for file in searched_copy.rglob("*") if file.is_file() and file.name != ".lock"]
    before = {file: file.read_bytes() for file in files}
    done = command("vae-train", *later_counts(*SEARCH, *TINY, *changed), cwd=searched_copy)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""
    assert "holds another search 's'" in done.stderr
    assert message in done.stderr and "name=NEW" in done.stderr
    assert {file: file.read_bytes() for file in before} == before


def test_a_mistake_that_fails_every_member_does_not_bind_the_next_command(command, tmp_path):
    space = ["latent.temperature=interval(0.2,1)", "hydra.sweeper.n_trials=2"]
    wrong = command("vae-train", *SEARCH, *TINY, *space, cwd=tmp_path)
    assert wrong.returncode == 2 and "latent.temperature" in wrong.stderr and wrong.stderr.count("\n") == 1
    right = command("vae-train", *SEARCH, *TINY, *space, "latent=bernoulli", cwd=tmp_path)
    assert right.returncode == 0 and right.stderr == "" and "search: 2 of 2 trials" in right.stdout
