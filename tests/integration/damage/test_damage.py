"""A file of a run folder is damaged, and a command reads the folder: it names the damage in one line and changes nothing, or
it ends with exactly the figures of the undamaged run, or says what it could not trust.

    make test-damage N=2000 SEED=7
"""

import os
import random
from collections import Counter
from pathlib import Path

import pytest
from integration.damage.damages import KINDS, draw_harm
from integration.damage.readers import AGAIN, EVALUATED, READERS
from integration.damage.trial import Trials

COUNT, SEED = int(os.environ.get("VAE_CLI_TRIALS", "30")), os.environ.get("VAE_CLI_SEED", "0")


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for name, seed in (("run", 0), ("other", 1)):
        words = [word.replace("=run", f"={name}") for word in AGAIN]
        for call in (
            [*words, "epochs=2", f"seed={seed}"],
            [word.replace("=run", f"={name}") for word in EVALUATED],
        ):
            done = command(*call, cwd=folder)
            assert done.returncode == 0 and done.stderr == "", done.stderr
    return folder


def test_damage_is_named_or_changes_no_figure(command_server, whole, tmp_path):
    trials, ends, found = Trials(command_server, whole, tmp_path), Counter[str](), list[str]()
    for number in range(COUNT):
        draw = random.Random(f"{SEED} {number}")
        reader = [*READERS][number % len(READERS)]  # in turn: 9 readers and 14 kinds have no common divisor
        harm = draw_harm(whole / "run", KINDS[number % len(KINDS)], draw)
        done, violations = trials.violations(harm, reader)
        ends[f"{reader}: {'said' if done.returncode else 'carried out'}"] += 1
        if violations:
            case = f"{number}: {reader}, {harm.name} is {harm.kind} ({harm.seed})"
            found.append(
                "\n    ".join([case, *violations, f"it said: {(done.stdout + done.stderr)[-500:]!r}"])
            )
            print(found[-1], flush=True)
    print(
        f"\n{COUNT} damages of seed {SEED}:", *(f"{n} × {end}" for end, n in sorted(ends.items())), sep="\n  "
    )
    print(f"{len(found)} violations")
    assert not found, "\n".join(found)
