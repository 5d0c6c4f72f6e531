"""Finished candidates on disk, so that an evaluation that was stopped or killed goes on where it was."""

import ast
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import inspector
from inspector import paths
from inspector.errors import ExportError
from inspector.jobs.evaluation.layouts import Sample
from inspector.jobs.evaluation.measure import PRO_LIMIT, Measured
from inspector.jobs.evaluation.plan import Candidate, Protocol
from inspector.jobs.evaluation.reading import Reading
from inspector.jobs.evaluation.tested import EVALUATION_SIZE

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone

FOLDER = "parts"
_STAGES = ("images", "features", "verdicts")


class Parts:
    """The parts of one protocol in `folder`. A part counts only for the very same images, shots, settings, backbone
    and program; whatever else lies there is left alone."""

    def __init__(self, folder: Path, protocol: Protocol, backbone: "Backbone") -> None:
        self._folder = folder
        self._protocol = protocol
        self._backbone = backbone
        self._tested = {name: _files(samples) for name, samples in protocol.dataset.test.items()}

    def read(self, one: Candidate) -> Measured | None:
        """What was measured before; None when there is nothing, or nothing that can be read."""
        fingerprint = self._fingerprint(one)
        try:
            stored = json.loads(self._path(one, fingerprint).read_text(encoding="utf-8"))
            if stored["fingerprint"] != fingerprint:
                return None
            readings = [Reading.from_json(values) for values in stored["readings"]]
            losses = tuple((float(first), float(last)) for first, last in stored["losses"])
            return Measured(readings, float(stored["teach_seconds"]), dict(stored["ms_per_image"]), losses)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, one: Candidate, measured: Measured) -> None:
        """Raises ExportError when it can't be written."""
        fingerprint = self._fingerprint(one)
        values = {
            "fingerprint": fingerprint,
            "teach_seconds": measured.teach_seconds,
            "ms_per_image": measured.ms_per_image,
            "losses": measured.losses,
            "readings": [reading.as_json() for reading in measured.readings],
        }
        path = self._path(one, fingerprint)
        try:
            paths.write_atomic(path, json.dumps(values, ensure_ascii=False, allow_nan=False).encode())
        except OSError as error:
            raise ExportError(
                f"What was measured can't be kept in {path.parent.parent.name}: {error.strerror or error}.",
                "Choose another folder.",
            ) from error

    def _path(self, one: Candidate, fingerprint: str) -> Path:
        name = re.sub(r"[^A-Za-z0-9=@]+", "-", one.method)[:60]
        return self._folder / f"{name}-{one.shots}-{one.seed}-{fingerprint[:12]}.json"

    def _fingerprint(self, one: Candidate) -> str:
        from inspector.methods import catalogue

        protocol, variant = self._protocol, catalogue.parse(one.method)
        what: dict[str, Any] = {
            "program": program(variant.method),
            "method": variant.method,
            "settings": {**catalogue.defaults(variant.method), **variant.settings},
            "random_weights": variant.random_weights,
            "shots": {
                name: _files(by_seed[one.seed][: one.shots]) for name, by_seed in protocol.draws.items()
            },
            "test": self._tested,
            "protocol": [
                protocol.one_for_all,
                protocol.class_known,
                protocol.false_alarm_rate,
                protocol.confirmed,
                protocol.white,
                protocol.resolution,
                {name: area.as_json() for name, area in protocol.areas.items()},
            ],
            "sizes": [EVALUATION_SIZE, PRO_LIMIT],
            "backbone": [self._backbone.identity.key, self._backbone.device.type, str(self._backbone.dtype)],
        }
        text = json.dumps([what, one.method, one.shots, one.seed], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def program(method: str) -> str:
    """Version of this installation and a digest of the code that decides what `method` measures.

    A frozen program has no sources; its version stands for them.
    """
    from inspector.methods import catalogue

    top = Path(inspector.__file__).parent
    files = {Path(__file__).with_name(f"{own}.py") for own in ("measure", "tested", "false_alarms")}
    files |= {file for stage in _STAGES for file in (top / stage).rglob("*.py")}
    coming = [catalogue.find(method).factory.partition(":")[0]]
    while coming:  # of the methods, only the modules that this one imports
        file = top.parent.joinpath(*coming.pop().split(".")).with_suffix(".py")
        if file not in files and file.is_file():
            files.add(file)
            coming += _imported(file.read_text(encoding="utf-8"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files) if file.is_file()))
    return f"{metadata.version('inspector')} {digest.hexdigest()[:16]}"


def _imported(source: str) -> list[str]:
    """The modules below `inspector.methods` that a source file may import, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inspector.methods"):
            found += [str(node.module), *(f"{node.module}.{name.name}" for name in node.names)]
    return found


def _files(samples: Iterable[Sample]) -> list[tuple[Any, ...]]:
    """Keys, sizes and times of images and masks: enough to see that one was changed, without reading them all."""
    found: list[tuple[Any, ...]] = []
    for sample in samples:
        for path in (sample.path, *sample.masks):
            try:
                about = path.stat()
                found.append((sample.key, sample.defect, about.st_size, about.st_mtime_ns))
            except OSError:
                found.append((sample.key, sample.defect, None, None))
    return found
