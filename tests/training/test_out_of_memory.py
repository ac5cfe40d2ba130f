"""Memory that runs out while a run trains: one sentence with what to lower, and a summary that says so."""

import pytest
import torch
from conftest import SMALL_MODEL, SMALL_RECTANGLES, configured
from run_comparison import saved, summary

from vae_cli.errors import OutOfMemory
from vae_cli.training import session as session_module
from vae_cli.training.run import run


@pytest.mark.parametrize("where", ["step", "after", "finish"])
def test_an_allocation_that_fails_while_training_is_one_sentence(tmp_path, monkeypatch, where):
    """At the tenth call, or at the final test."""
    unpatched = getattr(session_module.Session, where)

    def failing(session, *arguments):
        if where == "finish" or session.state.step == 10:
            torch.empty(10**15)
        return unpatched(session, *arguments)

    monkeypatch.setattr(session_module.Session, where, failing)
    config = configured(*SMALL_RECTANGLES, *SMALL_MODEL, "data.train_size=40", "checkpoint.epochs=1")
    with pytest.raises(OutOfMemory, match=r"^out of memory \(tried .* bytes\): lower .*batch_size=8"):
        run(config, tmp_path)
    assert summary(tmp_path)["status"] == "failed" and summary(tmp_path)["error"].startswith("out of memory")
    assert saved(tmp_path)["step"] >= 5
