"""Sweeps by joblib."""

import re

import pytest
from integration.launchers.sweep import RECTANGLES, SAVED, Sweep, continued, kill, needs

pytestmark = [pytest.mark.launchers, needs("hydra-joblib-launcher", "joblib")]


def test_joblib_continues_when_members_are_killed_or_diverge(tmp_path):
    """A killed member leaves no summary: the table of the sweep says how it ended."""
    call = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    call += ["optimizer.lr=0.001,0.002,1e18", "epochs=15", *RECTANGLES, *SAVED]
    sweep = Sweep(tmp_path, "optimizer.lr", call)
    kill(sweep.wait_for_checkpoint("0.002"))
    assert sweep.wait() == 1, sweep.output()
    ended = {"0.001": "finished", "1e+18": "diverged"}
    assert sweep.statuses() == ended
    assert "Traceback" not in sweep.output() and "killed by SIGKILL" in sweep.output()

    before = sweep.summaries()
    again = Sweep(tmp_path, "optimizer.lr", call)
    assert again.wait() == 1
    assert again.statuses() == ended | {"0.002": "finished"} and continued(again.members()["0.002"])
    assert again.summaries() == before | {"0.002": again.summaries()["0.002"]}
    assert len(re.findall("(?m)^refused: .*; retry_failed=true tries it again", again.output())) == 1

    before = again.summaries()
    retried = Sweep(tmp_path, "optimizer.lr", [*call, "retry_failed=true"])
    assert retried.wait() == 1
    assert retried.statuses() == again.statuses() and "refused" not in retried.output()
    assert retried.summaries()["1e+18"] != before["1e+18"]
    assert retried.summaries() == before | {"1e+18": retried.summaries()["1e+18"]}
