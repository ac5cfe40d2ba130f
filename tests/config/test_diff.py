"""What differs between two configurations, and the nearest name of a key."""

import pytest
from config.composed import option, put

from vae_cli.config.diff import differences
from vae_cli.config.schema.keys import roles
from vae_cli.config.schema.run import GROUPS
from vae_cli.errors import did_you_mean


def test_differences_are_listed_but_for_what_a_resumed_run_may_change(default):
    assert differences(default, default) == []
    assert differences(default, put(default, {"epochs": 99, "data.root": "elsewhere"})) == []
    other = put(default, {"optimizer.lr": 0.5, "patience": 3})
    assert differences(default, other) == [
        "optimizer.lr was 0.001 and is 0.5",
        "patience was null and is 3",
    ]
    assert "corruption.std was null and is 0.2" in differences(default, option("corruption=gaussian"))


@pytest.mark.parametrize(
    ("typo", "found"),
    [
        ("latent.code_sise", "latent.code_size"),
        ("optimiser", "optimizer"),
        ("code_size", "latent.code_size"),
        ("epoch", "epochs"),
        ("zzzzzz", None),
    ],
)
def test_the_nearest_name(typo, found):
    assert did_you_mean(typo, [*GROUPS, *roles()]) == (f"; did you mean {found!r}?" if found else "")
