"""One evaluation of a run folder from start to end: read, refuse, measure, draw, sum up."""

import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image

from vae_cli import anomalies, checkpoint, measure, trained
from vae_cli.config import load_data
from vae_cli.errors import UserError
from vae_cli.gallery import PICTURES, requested
from vae_cli.marginal import ENUMERABLE_UNITS, posterior
from vae_cli.measure import Figures
from vae_cli.page import number, page
from vae_cli.pictures import Subject, View
from vae_cli.run import versions
from vae_cli.trained import Trained

log = logging.getLogger("vae_cli")

PROJECTED = 2500  # codes in the embedding projector, whose sprites are one picture of 50 × 50 images


class Study:
    """What `vae-eval` was asked for. Constructing it refuses what can be refused; `evaluate` then does the work."""

    def __init__(self, settings: dict[str, Any], arguments: list[str]) -> None:
        self.settings, self.arguments, self.folder = settings, arguments, Path(settings["run"]).expanduser()
        self.notices: list[str] = []
        self.trained = self._load()
        latent, config = self.trained.vae.latent, self.trained.config
        changed = {
            key: value
            for key, value in settings["data"].items()
            if value is not None and key in config["data"]
        }
        data_config = config["data"] | changed
        data = load_data(data_config)
        if data.shape != self.trained.shape:
            raise UserError(
                f"run={self.folder}: its data now has images of {data.shape}, it was trained on {self.trained.shape}"
            )
        self.exact = self._wanted("exact", latent.is_binary and latent.code_size <= ENUMERABLE_UNITS,
                                  f"latent=bernoulli with at most {ENUMERABLE_UNITS} units, this run has latent={config['latent']['name']} with {latent.code_size}")  # fmt: skip
        self.probe = self._wanted("probe", data.test.labels is not None, "labelled data")
        for what in ("samples", "anomaly"):
            if settings[what] and not latent.has_density:
                raise UserError(
                    f"{what}={settings[what]} needs latent=gaussian or latent=bernoulli; this run has latent=deterministic"
                )
        for i in [i for pair in settings["interpolate"] for i in pair]:
            if i >= len(data.test.images):
                raise UserError(
                    f"interpolate: there is no test image {i}; allowed are 0 to {len(data.test.images) - 1}"
                )
        device = next(self.trained.vae.parameters()).device
        self.anomalies = None
        if settings["anomaly"]:
            self.anomalies = anomalies.load(settings["anomaly"], self.trained, data_config).to(device, "auto")
        metrics = self.folder / "metrics.jsonl"
        self.subject = Subject(
            self.trained.vae,
            data.to(device, "auto"),
            [json.loads(line) for line in metrics.read_text().splitlines() if line.endswith("}")]
            if metrics.exists()
            else [],
            settings["interpolate"],
            settings["anomaly"],
        )
        self.pictures = requested(
            None if settings["pictures"] == "auto" else settings["pictures"], self.subject
        )

    def _load(self) -> Trained:
        """The model, and a notice where the run is not what one expects."""
        summary = self.folder / "summary.json"
        try:
            self.status = json.loads(summary.read_text())["status"] if summary.exists() else "unfinished"
        except (json.JSONDecodeError, KeyError, OSError):
            self.status = "unreadable"
        name = self.settings["checkpoint"]
        files = {n: self.folder / f"checkpoints/{n}.pt" for n in ("best", "last")}
        if name == "best" and not files["best"].exists() and files["last"].exists():
            name = "last"
            self.notices.append("the run has no best checkpoint yet: this is its last one")
        model = trained.load(self.folder, name, self.settings["device"])
        self.checkpoint = name
        if self.status != "finished":
            self.notices.append(
                f"the run is {self.status}: this is its {name} checkpoint, of step {model.step:,}"
            )
        return model

    def _wanted(self, key: str, possible: bool, needs: str) -> bool:
        if self.settings[key] is True and not possible:
            raise UserError(
                f"{key}=true needs {needs}"
                + ("" if "this run" in needs else ", and this run's data has no labels")
            )
        return bool(self.settings[key]) and possible

    def evaluate(self) -> dict[str, Any]:
        """Measure and draw into a folder that becomes RUN_FOLDER/evaluation when it is whole; return the summary."""
        started = time.perf_counter()
        for notice in self.notices:
            log.warning("%s", notice)
        with tempfile.TemporaryDirectory(prefix=".evaluation-", dir=self.folder) as name:
            partial = Path(name) / "evaluation"
            partial.mkdir()
            figures, view = self._measure()
            captions = {}
            for picture in measure.tqdm(
                self.pictures, desc="pictures", unit="picture", disable=None, leave=False
            ):
                PICTURES[picture].draw(view, partial / f"{picture}.png")
                captions[picture] = (partial / f"{picture}.png", PICTURES[picture].caption)
            if n := self.settings["samples"]:
                codes = self.trained.prior_codes(n, self.settings["seed"])
                images = torch.cat([self.trained.decode(part) for part in codes.split(4096)])
                np.savez_compressed(
                    partial / "samples.npz", images=images.cpu().numpy(), codes=codes.cpu().numpy()
                )
            summary = self._summary(figures, view) | {"seconds": time.perf_counter() - started}
            overrides = self.folder / ".hydra/overrides.yaml"
            said = [str(o) for o in OmegaConf.load(overrides)] if overrides.exists() else []
            html = page(summary, self.trained.config, said, self.arguments, captions)
            (partial / "report.html").write_text(html)
            checkpoint.write_json(partial / "summary.json", summary)
            self._tensorboard(summary["figures"], view, [file for file, _ in captions.values()])
            evaluation = self.folder / "evaluation"
            if evaluation.exists():
                evaluation.rename(Path(name) / "earlier")
            partial.rename(evaluation)
        self._table(figures)
        return summary

    def _measure(self) -> tuple[Figures, View]:
        subject, settings = self.subject, self.settings
        q = posterior(subject.vae, subject.data, subject.data.test)
        figures, shown = measure.likelihood(subject, settings["nll_samples"], self.exact, settings["seed"])
        if subject.vae.latent.has_density:
            more, shown["bits"] = measure.code(subject, q, settings["seed"])
            figures |= more
        if self.probe:
            figures |= measure.usefulness(subject, settings["probe_images"], settings["classifier_epochs"])
        if self.anomalies is not None:
            more, shown["anomaly_scores"] = measure.anomaly(
                subject, self.anomalies, shown["scores"], settings["nll_samples"], settings["seed"]
            )
            figures |= more
        return figures, View(**vars(subject), q=q, **shown)

    def _summary(self, figures: Figures, view: View) -> dict[str, Any]:
        per_unit = {"rate": view.rates.tolist(), "active": view.active.tolist()}
        if view.bits is not None:
            per_unit |= {"on": view.bits.on.tolist(), "correlation": view.bits.correlation.tolist()}
        return {
            "run": str(self.folder),
            "status": self.status,
            "checkpoint": self.checkpoint,
            "step": self.trained.step,
            "notices": self.notices,
            "settings": self.settings,
            "device": str(view.like.device),
            "versions": versions(),
            "data": {"name": self.trained.config["data"]["name"], "test_images": len(view.data.test.images)},
            "figures": {name: figure._asdict() for name, figure in figures.items()},
            "per_unit": per_unit,
        }

    def _tensorboard(self, figures: dict[str, dict[str, Any]], view: View, files: list[Path]) -> None:
        """Figures, pictures and the embedding projector, in an event file of their own that the next evaluation replaces."""
        from torch.utils.tensorboard import SummaryWriter

        for earlier in self.folder.glob("events.out.*.evaluation"):
            earlier.unlink()
        with SummaryWriter(str(self.folder), filename_suffix=".evaluation") as writer:
            for name, figure in figures.items():
                writer.add_scalar(f"evaluation/{name}", figure["value"], self.trained.step)
            for file in files:
                with Image.open(file) as image:
                    writer.add_image(
                        f"evaluation/{file.stem}",
                        np.asarray(image.convert("RGB")),
                        self.trained.step,
                        dataformats="HWC",
                    )
            n = min(PROJECTED, len(view.data.test.images))
            sprites = view.images(torch.arange(n)).clamp(0, 1).unflatten(-1, view.data.shape)
            labels = None if view.labels is None else view.labels[:n].tolist()
            if view.vae.latent.code_size > 1:  # the projector needs two
                writer.add_embedding(
                    view.q.mean[:n],
                    labels,
                    sprites[:, :3] if sprites.shape[1] >= 3 else sprites[:, :1].expand(-1, 3, -1, -1),
                    tag="codes",
                )

    def _table(self, figures: Figures) -> None:
        log.info("")
        log.info(
            "%s, checkpoint %s (step %d), %s test images",
            self.folder,
            self.checkpoint,
            self.trained.step,
            f"{len(self.subject.data.test.images):,}",
        )
        for name, figure in figures.items():
            error = "" if figure.standard_error is None else f"± {number(figure.standard_error)}"
            log.info(
                "  %-20s %12s %-9s %-11s %s",
                name.replace("_", " "),
                number(figure.value),
                error,
                figure.unit,
                figure.meaning,
            )
        log.info("  %s", self.folder / "evaluation/report.html")
