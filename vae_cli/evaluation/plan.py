"""One evaluation up to its figures: read the run, refuse what cannot be done, measure."""

from dataclasses import dataclass
from pathlib import Path

from vae_cli.build import load_data
from vae_cli.config.schema.commands import EvalConfig
from vae_cli.config.schema.data import DataConfig
from vae_cli.data.dataset import Dataset
from vae_cli.data.support import CROSS_ENTROPY, is_binary
from vae_cli.errors import UserError
from vae_cli.evaluation import anomalies, measurements, trained
from vae_cli.evaluation.context import Subject, View
from vae_cli.evaluation.gallery import requested
from vae_cli.evaluation.measurements import Measurements
from vae_cli.evaluation.trained import Trained
from vae_cli.metrics.likelihood import ENUMERABLE_UNITS, posterior
from vae_cli.runs import metrics_log
from vae_cli.runs.folder import FINISHED, RunFolder


@dataclass(frozen=True)
class Study:
    """What `vae-eval` was asked for, of a run that can give it."""

    settings: EvalConfig
    folder: RunFolder
    trained: Trained
    checkpoint: str
    status: str
    notices: list[str]
    subject: Subject
    anomalies: Dataset | None
    exact: bool
    probe: bool
    pictures: list[str]


def study(settings: EvalConfig) -> Study:
    """Read the run and its data. Raises UserError for all that can be refused; nothing has been written then."""
    folder = RunFolder(Path(settings.run).expanduser())
    model, checkpoint, status, notices = _model(folder, settings)
    config = _data_config(settings, model)
    data = _limited(load_data(config), settings)
    if data.shape != model.shape:
        raise UserError(
            f"run={folder}: its data now has images of {data.shape}, it was trained on {model.shape}"
        )
    if model.vae.likelihood.is_discrete and not is_binary(data):
        notices.append(CROSS_ENTROPY)
    for i in (i for pair in settings.interpolate for i in pair):
        if i >= len(data.test.images):
            raise UserError(
                f"interpolate: there is no test image {i}; allowed are 0 to {len(data.test.images) - 1}"
            )
    latent, name = model.vae.latent, model.config.latent.name
    for what in ("samples", "anomaly"):
        if getattr(settings, what) and not latent.has_density:
            raise UserError(
                f"{what}={getattr(settings, what)} needs latent=gaussian or latent=bernoulli; this run has latent={name}"
            )
    exact = _wanted(
        settings, "exact", latent.is_binary and latent.code_size <= ENUMERABLE_UNITS,
        f"latent=bernoulli with at most {ENUMERABLE_UNITS} units; this run has latent={name} with {latent.code_size}",
    )  # fmt: skip
    labels = data.train.labels
    probe = _wanted(
        settings,
        "probe",
        labels is not None and len(labels.unique()) > 1,
        "labelled data; those of this run have no classes",
    )
    device = next(model.vae.parameters()).device
    other = None
    if settings.anomaly:
        other = _limited(anomalies.load(settings.anomaly, model, config), settings).to(device, "auto")
        if model.vae.likelihood.is_discrete and is_binary(data) and not is_binary(other):
            notices.append(
                f"anomaly={settings.anomaly} has grey pixels, the run is black and white: one look tells them apart"
            )
    subject = Subject(
        model.vae,
        data.to(device, "auto"),
        metrics_log.read(folder.metrics_file),
        [(a, b) for a, b in settings.interpolate],
        settings.anomaly,
    )
    pictures = requested(None if settings.pictures == "auto" else settings.pictures, subject)
    return Study(settings, folder, model, checkpoint, status, notices, subject, other, exact, probe, pictures)


def _model(folder: RunFolder, settings: EvalConfig) -> tuple[Trained, str, str, list[str]]:
    """The model, its checkpoint's name, the run's status, and notices where they are not what one expects."""
    status = folder.status()
    name, notices = settings.checkpoint, []
    if name == "best" and not folder.best.exists() and folder.last.exists():
        name = "last"
        notices.append("the run has no best checkpoint yet: this is its last one")
    model = trained.load(folder.path, name, settings.device, settings.external_targets)
    if status != FINISHED:
        notices.append(f"the run is {status}: this is its {name} checkpoint, of step {model.step:,}")
    return model, name, status, notices


def _data_config(settings: EvalConfig, model: Trained) -> DataConfig:
    """The run's data configuration, with where its files lie now."""
    given = {key: value for key, value in settings.data.plain().items() if value is not None}
    config = model.config.data
    for key in given:
        if not hasattr(config, key):
            raise UserError(f"data.{key}: this run has data={config.name}, which has no such key")
    return config.model_copy(update=given)


def _limited(data: Dataset, settings: EvalConfig) -> Dataset:
    n = settings.test_images
    return data if n is None else data._replace(test=data.test.take(n))


def _wanted(settings: EvalConfig, key: str, possible: bool, needs: str) -> bool:
    if getattr(settings, key) is True and not possible:
        raise UserError(f"{key}=true needs {needs}")
    return bool(getattr(settings, key)) and possible


def measured(of: Study) -> tuple[Measurements, View]:
    """Every metric that the study asks for, and what the pictures show."""
    subject, settings, seed = of.subject, of.settings, of.settings.seed
    q = posterior(subject.vae, subject.data, subject.data.test)
    metrics, shown = measurements.likelihood(subject, settings.nll_samples, of.exact, seed)
    if subject.vae.latent.has_density:
        more, shown["bits"] = measurements.code(subject, q, seed)
        metrics |= more
    if of.probe:
        metrics |= measurements.usefulness(subject, settings.probe_images, settings.classifier_epochs)
    if of.anomalies is not None:
        more, shown["anomaly_scores"] = measurements.anomaly(
            subject, of.anomalies, shown["scores"], settings.nll_samples, seed
        )
        metrics |= more
    return metrics, View(**vars(subject), q=q, **shown)
