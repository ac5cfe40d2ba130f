"""vae-cli: train, compare and understand variational auto-encoders.

Between files everything is a vector. The letters in comments such as `[S, B, K]` name the axes, in this order:

    M   members of a sweep that are trained as one model
    S   samples of the code for one image
    B   images of a batch
    D   pixels of an image, flattened (channels × height × width)
    P   outputs of the encoder
    K   units of a code
    V   the decoder's inputs: K, or categories × K for one-hot codes

All metrics are in nats per image with every constant included, unless a name says otherwise.

The rooms, each of which imports only from those before it (`make lint` checks this):

    errors, version → config → runs → models → data → objectives → metrics → reporting → engine → build
    → training | evaluation | comparison → sweeps → plugins, cli

The `__init__.py` of a room says what it is for and where to begin. `cli.py` has the three commands.
"""

from typing import TYPE_CHECKING

from vae_cli.version import __version__ as __version__

if TYPE_CHECKING:
    from pathlib import Path

    from vae_cli.evaluation.trained import Trained


def load(
    run_folder: "str | Path", checkpoint: str = "best", device: str = "auto", external_targets: bool = False
) -> "Trained":
    """The trained model of a run folder: see `vae_cli.evaluation.trained`."""
    from vae_cli.evaluation.trained import load  # torch is imported here, not by `import vae_cli`

    return load(run_folder, checkpoint, device, external_targets)
