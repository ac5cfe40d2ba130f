"""The plan of an evaluation: read the run, refuse what is impossible, then measure."""

from dataclasses import dataclass

from vae_cli.build import load_data
from vae_cli.config.schema.commands import EvalConfig
from vae_cli.config.schema.data import DataConfig
from vae_cli.data.dataset import Dataset
from vae_cli.data.support import is_binary
from vae_cli.errors import UserError
from vae_cli.evaluation import anomalies, measurements, trained, usefulness
from vae_cli.evaluation.context import Context, Subject
from vae_cli.evaluation.gallery import requested
from vae_cli.evaluation.measurements import Measurements
from vae_cli.evaluation.trained import Trained
from vae_cli.metrics.likelihood import ENUMERABLE_CODES, is_enumerable, posterior
from vae_cli.reporting import notices
from vae_cli.runs import metrics_log
from vae_cli.runs.files import is_there, user_path
from vae_cli.runs.folder import FINISHED, RunFolder


@dataclass(frozen=True)
class Plan:
    """What vae-eval was asked to do with a run, checked."""

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
    files: dict[str, str]  # the run's files that the measurements depend on, with their checksums


def make_plan(settings: EvalConfig) -> Plan:
    """Read the run and its data. Raises UserError for everything that is not possible, before anything is written."""
    folder = RunFolder(user_path(settings.run))
    model, checkpoint, status, remarks = _model(folder, settings)
    config = _data_config(settings, model)
    whole = load_data(config)
    data = _limited(whole, settings)
    _check(settings, folder, model, data)
    remarks += _about_data(folder, model, whole)
    device = next(model.vae.parameters()).device
    other = None
    if settings.anomaly:
        other = _limited(anomalies.load(settings.anomaly, model, config), settings).to(device, "auto")
        remarks += _about_anomalies(settings.anomaly, model, data, other)
    subject = Subject(
        model.vae,
        data.to(device, "auto"),
        metrics_log.read(folder.metrics_file),
        [(a, b) for a, b in settings.interpolate],
        settings.anomaly,
    )
    return Plan(
        settings, folder, model, checkpoint, status, remarks + notices.of_likelihood(model.vae, data), subject, other,
        exact=_is_exact(settings, model), probe=_is_probed(settings, data),
        pictures=requested(None if settings.pictures == "auto" else settings.pictures, subject),
        files=_files(folder, checkpoint),
    )  # fmt: skip


def _files(folder: RunFolder, checkpoint: str) -> dict[str, str]:
    name = str(folder.checkpoint(checkpoint).relative_to(folder.path))
    found = folder.checksums()
    return {name: found[name]} if name in found else {}


def _check(settings: EvalConfig, folder: RunFolder, model: Trained, data: Dataset) -> None:
    if data.shape != model.shape:
        raise UserError(
            f"run={folder}: its data now has images of {data.shape}, it was trained on {model.shape}"
        )
    for i in (i for pair in settings.interpolate for i in pair):
        if i >= len(data.test.images):
            raise UserError(
                f"interpolate: there is no test image {i}; allowed are 0 to {len(data.test.images) - 1}"
            )
    for key, value in (("samples", settings.samples), ("anomaly", settings.anomaly)):
        if value and model.vae.prior() is None:
            raise UserError(
                f"{key}={value} needs a latent with a prior; this run has latent={model.vae.latent.name}, which has none"
            )


def _is_exact(settings: EvalConfig, model: Trained) -> bool:
    latent = model.vae.latent
    return _wanted(
        "exact", settings.exact, is_enumerable(latent),
        f"a latent with at most {ENUMERABLE_CODES:,} codes (20 bits, for example); this run has "
        f"latent={latent.name} of {latent.in_words}",
    )  # fmt: skip


def _is_probed(settings: EvalConfig, data: Dataset) -> bool:
    labels = data.train.labels
    has_classes = labels is not None and len(labels.unique()) > 1
    return _wanted("probe", settings.probe, has_classes, "labelled data; those of this run have no classes")


def _wanted(key: str, setting: bool | str, possible: bool, needs: str) -> bool:
    """true, false or auto: where it is possible."""
    if setting is True and not possible:
        raise UserError(f"{key}=true needs {needs}")
    return bool(setting) and possible


def _about_anomalies(name: str, model: Trained, data: Dataset, other: Dataset) -> list[str]:
    if model.vae.likelihood.is_discrete and is_binary(data) and not is_binary(other):
        return [
            f"anomaly={name} has grey pixels, the run is black and white: that alone tells the images apart"
        ]
    return []


def _model(folder: RunFolder, settings: EvalConfig) -> tuple[Trained, str, str, list[str]]:
    """The model, its checkpoint's name, the run's status, and notices where they are not what one expects."""
    name, status, notices = settings.checkpoint, folder.status(), list[str]()
    try:
        summary = folder.read_summary() or {}
    except (OSError, ValueError) as error:
        summary = {}
        notices.append(
            f"{folder.summary_file.name} cannot be read ({getattr(error, 'strerror', error)}): what it says of the "
            "other files cannot be checked"
        )
    if name == "best" and not is_there(folder.best) and folder.last.exists():
        name = "last"
        notices.append("the run has no checkpoints/best.pt: this is its last checkpoint")
    model = trained.load(folder.path, name, settings.device, settings.external_targets)
    if status != FINISHED:
        notices.append(f"the run is {status}: this is its {name} checkpoint, of step {model.step:,}")
    if changed := folder.changed(summary.get("files") or {}):
        notices.append(f"{', '.join(changed)}: not as summary.json says, so damaged or changed by hand")
    return model, name, status, notices


def _about_data(folder: RunFolder, model: Trained, data: Dataset) -> list[str]:
    if model.data_checksum in (None, data.checksum):
        return []
    return [
        f"data={model.config.data.name} is not the data that {folder} was trained on: its images or labels have changed"
    ]


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


def measure(plan: Plan) -> tuple[Measurements, Context]:
    """Every measurement of the plan, and what the pictures show of them."""
    subject, settings, seed = plan.subject, plan.settings, plan.settings.seed
    q = posterior(subject.vae, subject.data, subject.data.test)
    found, shown = measurements.likelihood(subject, settings.nll_samples, plan.exact, seed)
    if subject.vae.prior() is not None:
        more, shown["usage"] = measurements.code(subject, q, seed)
        found |= more
    if plan.probe:
        found |= usefulness.classifiers(subject, settings.probe_images, settings.classifier_epochs)
    if plan.anomalies is not None:
        more, shown["anomaly_scores"] = usefulness.anomaly(
            subject, plan.anomalies, shown["scores"], settings.nll_samples, seed
        )
        found |= more
    return found, Context(**vars(subject), q=q, **shown)
