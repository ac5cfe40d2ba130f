"""vae-cli: train, compare and understand variational auto-encoders.

The legend. Between files everything is a vector, and leading axes come in this order:

    M   members of a sweep that are trained as one
    S   Monte Carlo samples of the code for one image
    B   images of a batch
    D   pixels of an image, flattened (channels × height × width)
    P   numbers that a network puts out
    K   units of a code

All figures are in nats per image with every constant included, unless a name says otherwise.

The reading order, each file importing only from those before it:

    errors → distributions → latents → likelihoods → estimators → networks → model → objective → data/ → schedules
    → evaluate → marginal → codes → probe → plots → view → pictures → charts → gallery → rules → keys → schema
    → checkpoint → journal → state → body → gradients → captured → accelerate → signals → steps → train → report
    → config → build → run
    → trained → anomalies → measure → study → page → publish
    → folders → members → sweep → compare → comparison_charts → comparison_gallery → comparison_page → comparison
    → failures → claim → watch → roll_call → seats → apart → last_words → trials → search → hooks → job
    → group → packed → together → spread → cli
"""

from pathlib import Path
from typing import TYPE_CHECKING

from vae_cli.version import __version__ as __version__

if TYPE_CHECKING:
    from vae_cli.evaluation.trained import Trained


def load(
    run_folder: str | Path, checkpoint: str = "best", device: str = "auto", external_targets: bool = False
) -> "Trained":
    """The trained model of a run folder: see `vae_cli.evaluation.trained`."""
    from vae_cli.evaluation.trained import load  # torch is imported here, not by `import vae_cli`

    return load(run_folder, checkpoint, device, external_targets)
