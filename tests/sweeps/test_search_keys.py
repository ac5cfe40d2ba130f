"""Keys that a search cannot use are refused before anything is written."""

import pytest
from sweeps.small import SEARCH, needs_optuna

pytestmark = needs_optuna


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hydra.sweeper.direction=minimize"], "allowed is maximize"),
        (["returns=rate"], "hydra.sweeper.direction=maximize does not go with returns=rate; allowed is minimize"),
        (["returns=[rate,distortion]"], "allowed is [minimize,minimize]"),
        (["hydra.sweeper.direction=[minimize,minimize]"], "does not go with returns=elbo"),
        (["returns=bound"], "returns=bound needs objective=iwae or objective=rws"),
        (["returns=[elbo]"], "allowed is returns=elbo"),
        (["data.validation_size=0"], "data.validation_size=0"),
        (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0 is not allowed"),
        (["hydra.sweeper.n_jobs=-1"], "hydra.sweeper.n_jobs=-1 is not allowed"),
        (["hydra.sweeper.storage=null"], "hydra.sweeper.storage=null is not allowed"),
        (["latent.code_size=2", "optimizer.lr=0.1"], "needs a key to search over"),
        (["optimizer.lr=glob(*)"], "cannot be read"),
    ],
)  # fmt: skip
def test_a_refused_search_leaves_nothing_behind(command, tmp_path, arguments, message):
    done = command("vae-train", *SEARCH, *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("vae-train: ") and done.stderr.count("\n") == 1
    assert message in done.stderr and list(tmp_path.iterdir()) == []
