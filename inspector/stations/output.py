"""What every output of a station is."""

from collections.abc import Sequence
from typing import Any, Protocol

from inspector.domain import NEVER
from inspector.records.line.arrivals import ArrivalRow


class Output(Protocol):
    """Whom a station tells what it said. Used by one thread."""

    def send(self, arrivals: Sequence[ArrivalRow]) -> None:
        """Tell of them, in order, and return once they were taken. Raises `InspectorError` where they weren't: they are sent again
        later, so that a receiver may see one twice, which its id shows; none is ever left out. None at all: only see to it that
        the receiver can be reached, and raise where it can't."""

    def close(self) -> None:
        """Let go of it."""


def message(arrival: ArrivalRow) -> dict[str, Any]:
    """What is told of an arrival wherever it is told as JSON, in plain values. `id` rises and never comes again in a station.
    `job`: what whoever triggered the picture named it, or "".
    `threshold` None: unknown, or nothing is called NG by itself."""
    limit = arrival.threshold
    return {
        "id": arrival.id,
        "station": arrival.station,
        "order": arrival.lot,
        "job": arrival.job,
        "name": arrival.name,
        "class": arrival.class_name,
        "verdict": arrival.said.value if arrival.said else "failed",
        "score": arrival.image_score,
        "threshold": None if limit is None or limit >= NEVER else limit,
        "error": arrival.error,
        "arrived": arrival.arrived.isoformat(timespec="milliseconds"),
        "seconds": round(arrival.took, 3),
        "detector": arrival.detector_id,
        "result": arrival.result_id,
    }
