"""Make `projects/v<revision>.zip`: one small real project for each schema revision, which every later version must open.

It holds a detector of every method, taught on the embedded model. Run once for a new revision, never again for an old
one: `python tests/data/make_project.py`.
"""

import hashlib
import json
import sqlite3
import sys
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import safetensors.numpy

from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, Role
from inspector.images.area import Area
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.methods import catalogue
from inspector.methods.prompts.description import template
from inspector.records import project as projects
from inspector.records import schema
from inspector.records.classes import (
    add_class,
    describe_class,
    list_classes,
    set_area,
    set_scale,
    set_smallest,
)
from inspector.records.detectors import list_detectors
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.line.arrivals import list_arrivals
from inspector.records.line.roles import set_pin
from inspector.records.line.stations import Part, StationSettings, add_station, list_stations
from inspector.records.outlines import list_outlines, set_outline
from inspector.records.project import Project
from inspector.records.qualification.checks import add_check
from inspector.records.qualification.golden import add_golden, judge_golden, list_golden
from inspector.records.qualification.smallest import Curve, SmallestFound, keep_smallest, list_smallest
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import add_review, list_reviews, withdraw_review
from inspector.records.shots import add_place, add_shots, list_places
from inspector.stations.running import run_station


def main() -> None:
    target = Path(__file__).parent / "projects" / f"v{int(schema.REVISION)}.zip"
    if target.exists():
        sys.exit(f"{target.name} is there already and must stay as it was made.")
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "project"
        _make(folder, Path(top))
        with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != "project.lock":
                    archive.write(path, path.relative_to(folder))


def _make(folder: Path, top: Path) -> None:
    engine, nothing = Engine("inspector-tiny", "cpu"), CancelToken()
    demo = demo_parts.write_demo(
        top / "demo", shots=1, good=1, defective=1, kinds=("washer", "cloth"), size=64
    )
    with projects.create(folder, f"Revision {int(schema.REVISION)}") as project:
        ids = {product: add_class(project, product) for product in ("washer", "cloth", "screw")}
        for product in ("washer", "cloth"):
            add_shots(project, ids[product], sorted((demo / product / "train" / "good").iterdir()))
        describe_class(project, ids["washer"], template("washer"))
        for method in catalogue.SMALL:
            teach(project, engine, method=method, class_ids=[ids["washer"]], emit=_complain, cancel=nothing)
            _round(list_detectors(project)[0].folder)
            engine.forget()
            parts = [demo / "washer" / "test"]
            inspect(project, engine, parts, class_name="washer", emit=_complain, cancel=nothing)
            if not list_places(project):  # all detectors but the first know it
                first = int(result_ids(project)[0])
                add_place(project, first, ((0.4, 0.1), (0.6, 0.1), (0.5, 0.3)), "Ada")
        # pictures this small are enlarged, so that they need several tiles
        set_smallest(project, ids["cloth"], 2)
        corners = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
        set_area(project, ids["cloth"], Area((corners,), (((0.4, 0.4), (0.6, 0.4), (0.5, 0.6)),)))
        teach(project, engine, method="patchcore", class_ids=[ids["cloth"]], emit=_complain, cancel=nothing)
        _round(list_detectors(project)[0].folder)
        engine.forget()
        parts = [demo / "cloth" / "test"]
        inspect(project, engine, parts, class_name="cloth", emit=_complain, cancel=nothing)
        broken = top / "broken.png"
        broken.write_bytes(b"")
        inspect(project, engine, [broken], class_name="washer", emit=lambda event: None, cancel=nothing)
        row = list_results(project, result_ids(project, ResultFilter(failed=False)))[0]
        (review,) = add_review(project, [row.id], Decision.NG, who="Ada", reason="burr", defect_type="burr")
        withdraw_review(project, [review], who="Ada")
        add_review(project, [row.id], Decision.OK, who="Bo", reason="dust only")
        add_golden(project, {row.id: Decision.OK}, who="Ada")
        add_check(project, judge_golden(project), occasion="On demand", who="Ada")
        set_outline(project, row.id, [((0.2, 0.2), (0.4, 0.2), (0.3, 0.4))], who="Ada")
        set_scale(project, ids["cloth"], 0.05)
        curve = Curve("spot", 0.4, (2, 8), (0.0, 1.0), (0.5, 1.0), 8)
        found = SmallestFound(0.4, 0.6, 64, 1, 0.0, (curve,))
        keep_smallest(project, row.detector_id, ids["washer"], found, who="Ada")
        _run_station(project, engine, demo / "washer" / "test", ids["washer"])
        rows = list_results(project, result_ids(project))
        methods = {item.id: item.method for item in list_detectors(project)}
        expected = {
            "name": project.name,
            "classes": {item.name: item.state for item in list_classes(project)},
            "results": [
                [methods[item.detector_id], item.name, item.verdict, item.image_score] for item in rows
            ],
            "places": [item.place for item in list_places(project)],
            "golden": [[item.name, item.expected] for item in list_golden(project)],
            "outlines": [list(item.rings) for item in list_outlines(project, [row.id]).values()],
            "stations": [item.name for item in list_stations(project)],
            "arrivals": [[item.name, item.said] for item in list_arrivals(project, 1)],
            "smallest": [[item.class_name, item.found.curves[0].sure] for item in list_smallest(project)],
            "reviewers": [item.who for one in rows for item in list_reviews(project, one.id)],
        }
    with closing(sqlite3.connect(folder / projects.DATABASE)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA page_size=1024")  # the repository keeps this for good
        connection.execute("VACUUM")
    (folder / "expected.json").write_text(json.dumps(expected, indent=1), "utf-8")


def _run_station(project: Project, engine: Engine, folder: Path, class_id: int) -> None:
    """A station that judged the washers, tells a table of it, and asks for a PIN."""
    source, table = (
        Part("folder", {"path": str(folder), "subfolders": True}),
        Part("jsonl", {"folder": str(folder.parent / "told")}, "one"),
    )
    station_id = add_station(project, "Press 3", StationSettings(source, (table,)), class_id=class_id)
    cancel, files = CancelToken(), len([path for path in folder.rglob("*") if path.is_file()])

    def judged(event: JobEvent) -> None:
        if len(list_arrivals(project, station_id)) == files:
            cancel.cancel()

    run_station(project, engine, station_id, emit=judged, cancel=cancel)
    set_pin(project, Role.ENGINEER, "135790")


def _round(folder: Path) -> None:
    """Learned values with 7 bits of mantissa, which an archive holds in a third of the room."""
    file, manifest = folder / "detector.safetensors", folder / "detector.json"
    tensors = {
        name: (value.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        if value.dtype == np.float32
        else value
        for name, value in safetensors.numpy.load_file(file).items()
    }
    data = safetensors.numpy.save(tensors)
    file.write_bytes(data)
    values = json.loads(manifest.read_text("utf-8"))
    values |= {"sha256": hashlib.sha256(data).hexdigest()}
    del values["manifest_sha256"]  # of the values before
    manifest.write_text(json.dumps(values, indent=1), "utf-8")


def _complain(event: JobEvent) -> None:
    if getattr(event, "error", "") or (isinstance(event, JobEnded) and event.status != "done"):
        sys.exit(str(event))


if __name__ == "__main__":
    main()
