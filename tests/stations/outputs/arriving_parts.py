"""A project with a station at which parts arrive: real rows of real results, as a running station stores them."""

import hashlib
import io
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from inspector.domain import Decision, Thresholds
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.runs import list_runs, start_run
from inspector.records.line.arrivals import NewArrival, as_rows
from inspector.records.line.stations import Part, StationRow, StationSettings, add_station, find_station
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging

WORDS = (Decision.OK, Decision.NG, Decision.REVIEW)
EVERY = (*WORDS, None, Decision.OTHER)
"""All that can be said; None: it could not be judged."""
_SCORES = {Decision.OK: 0.2, Decision.NG: 0.9, Decision.REVIEW: 0.6, Decision.OTHER: 0.4}


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, 7)).save(file, "png")
    return file.getvalue()


class Line:
    """`project` with a class “Cookie”, a detector and a run; stations are added by `station`. `template`: a folder where a closed one is
    kept that is copied the next time, as making one takes longer than most tests."""

    def __init__(self, folder: Path, template: Path) -> None:
        if not template.exists():
            with projects.create(template, "Line 4") as project:
                _fill(project)
        shutil.copytree(template, folder)
        self.project = projects.open(folder)
        self.class_id = list_classes(self.project)[0].id
        self.run_id = list_runs(self.project)[0].id
        self.made = 0

    def station(self, *outputs: Part, name: str = "Press 3", lot: str = "A-17") -> StationRow:
        settings = StationSettings(Part("folder", {"folder": "/in"}), outputs, lot=lot)
        add_station(self.project, name, settings, class_id=self.class_id)
        return find_station(self.project, name)

    def judge(
        self,
        station: StationRow,
        words: Sequence[Decision | None] = WORDS,
        *,
        name: Callable[[int], str] = "part {}.png".format,
        arrived: datetime | None = None,
        images: bool = True,
    ) -> list[int]:
        """One arrival for each word (None: it could not be read), with `images` of their own; the ids of the arrivals."""
        items, news = [], []
        for word in words:
            self.made += 1
            data = png(self.made)
            came = arrived or datetime.now(UTC) - timedelta(seconds=0.2)
            news.append(NewArrival(f"mark {self.made}", "A-17", came, None))
            if word is None:
                items.append(NewResult(name(self.made), error="It is cut off.", hint="Copy it again."))
            else:
                facts = ImageFacts(hashlib.sha256(data).hexdigest(), ".png", (8, 8), "RGB 8 bit")
                items.append(
                    NewResult(
                        name(self.made),
                        facts if images else None,
                        data,
                        self.class_id,
                        1.0,
                        _SCORES[word] + self.made / 1e6,
                    )
                )
        ids = record_results(self.project, self.run_id, items)
        with self.project.writing() as session:
            rows = as_rows(station.id, news, ids, list(words), datetime.now(UTC))
            session.add_all(rows)
            session.flush()
            return [row.id for row in rows]


def _fill(project: Project) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", png(60_000)), ("b.png", png(60_001))])
    files = detector_staging(project)
    for name in ("detector.json", "detector.safetensors"):
        (files / name).write_bytes(b"{}")
    detector_id = add_detector(
        project,
        NewDetector(
            folder=files,
            title="Cookie",
            method="patchcore",
            backbone={"key": "k", "weights": "inspector-tiny"},
            settings={},
            false_alarm_rate=0.05,
            shot_ids=[row.id for row in list_shots(project, class_id)],
            held_out={class_id: [0.2, 0.3]},
            thresholds={class_id: Thresholds(0.5, 0.7, 0.4, {})},
        ),
    )
    start_run(project, detector_id, "Station 1")


def wait_for(done: Callable[[], object], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
