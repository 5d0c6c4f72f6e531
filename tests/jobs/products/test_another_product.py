"""Pictures of a product that a detector doesn't know, through teaching, inspecting, updating and exporting, on the embedded
model."""

import csv
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stem_engine

from inspector.domain import CancelToken, Decision, JobEnded, JobEvent
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.golden import check_golden
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.methods import storage
from inspector.records import audit
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes, set_smallest
from inspector.records.detectors import DetectorRow, find_detector, list_detectors
from inspector.records.inspected.products import ask_product, product_flips
from inspector.records.inspected.results import (
    ResultRow,
    count_results,
    list_details,
    list_results,
    result_ids,
)
from inspector.records.inspected.scores import list_scores
from inspector.records.project import Project
from inspector.records.qualification.golden import add_golden, judge_golden
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import add_review, list_judged_parts, unjudged_results
from inspector.records.shots import add_shots
from inspector.records.thresholds import list_thresholds, propose_thresholds, set_thresholds

PROJECTS = Path(__file__).parents[2] / "data" / "projects"


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The embedded model as it ships."""
    return Engine("inspector-tiny", "cpu")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """<product>/train/good, <product>/test/<state>; blisters are never taught."""
    folder = tmp_path_factory.mktemp("drawn")
    return demo_parts.write_demo(folder, shots=3, good=2, defective=2, size=192)


@pytest.fixture(scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory, drawn: Path, engine: Engine) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "project"
    with projects.create(folder, "Line 4") as opened:
        for name in ("washer", "cloth"):
            add_shots(opened, add_class(opened, name), sorted((drawn / name / "train/good").iterdir()))
        _teach(opened, engine)
        _inspect(opened, engine, drawn, "washer", name="washer")
        _inspect(opened, engine, drawn, "blister", name="washer")
    return folder


@pytest.fixture
def project(tmp_path: Path, _folder: Path) -> Iterator[Project]:
    """Washers and cloths are taught; washers, then blisters, were inspected as washers."""
    with projects.open(shutil.copytree(_folder, tmp_path / "project")) as opened:
        yield opened


def _teach(project: Project, engine: Engine) -> DetectorRow:
    events: list[JobEvent] = []
    teach(project, engine, method="patchcore", emit=events.append, cancel=CancelToken())
    return list_detectors(project)[0]


def _inspect(
    project: Project, engine: Engine, drawn: Path, product: str, name: str | None = None
) -> list[ResultRow]:
    events: list[JobEvent] = []
    inspect(
        project, engine, [drawn / product / "test"], class_name=name, emit=events.append, cancel=CancelToken()
    )
    return list_results(project, result_ids(project)[-4:])


def _rows(project: Project, verdict: Decision | None = None) -> list[ResultRow]:
    return list_results(project, result_ids(project, ResultFilter(verdict=verdict)))


def _washer(project: Project) -> int:
    return next(row.id for row in list_classes(project) if row.name == "washer")


def test_a_picture_of_another_product_is_neither_ok_nor_ng_and_an_own_defect_stays_ng(
    project: Project,
) -> None:
    washers, blisters = _rows(project)[:4], _rows(project)[4:]
    assert {row.verdict for row in blisters} == {Decision.OTHER}
    bad = [row for row in washers if not row.name.startswith("good")]
    assert [row.verdict for row in bad] == [Decision.NG] * 2
    assert all(row.verdict in (Decision.OK, Decision.REVIEW) for row in washers if row not in bad)
    counts = count_results(project)
    assert (counts.other, counts.total) == (4, 8)
    limit = find_detector(project).products[_washer(project)].distance
    assert all(row.product_distance is not None and row.product_distance < limit for row in washers)
    assert all(row.product_distance is not None and row.product_distance >= limit for row in blisters)


def test_a_picture_whose_class_is_to_be_found_may_be_of_none(
    project: Project, engine: Engine, drawn: Path
) -> None:
    assert {row.verdict for row in _inspect(project, engine, drawn, "blister")} == {Decision.OTHER}
    cloths = _inspect(project, engine, drawn, "cloth")
    assert {row.class_name for row in cloths} == {"cloth"}
    assert Decision.OTHER not in {row.verdict for row in cloths}


@pytest.mark.parametrize("factor", [0.0, 1e-3, 1e3])
def test_no_move_of_thresholds_makes_another_product_ok_or_ng(project: Project, factor: float) -> None:
    detector, class_id = find_detector(project).id, _washer(project)
    before = list_thresholds(project, detector)[class_id].thresholds
    moved = replace(before, review=before.review * factor, ng=before.ng * factor)
    scored = _rows(project)
    move = set_thresholds(project, detector, class_id, moved)
    assert {row.verdict for row in _rows(project)[4:]} == {Decision.OTHER}
    assert move.flipped == sum(
        row.decision is not then.decision for row, then in zip(scored, _rows(project), strict=True)
    )
    assert [row.after(move).verdict for row in scored] == [row.verdict for row in _rows(project)]
    proposal = propose_thresholds(project, detector, class_id, min(_history_ids(project, detector, class_id)))
    assert proposal is not None
    assert all(Decision.OTHER not in pair for pair in proposal.changes)
    set_thresholds(project, detector, class_id, before)
    assert _rows(project) == scored


def _history_ids(project: Project, detector: int, class_id: int) -> list[int]:
    found = propose_thresholds(project, detector, class_id)
    assert found is not None
    return [row.id for row in found.earlier]


def test_it_can_be_turned_off_for_a_class_which_judges_stored_results_by_their_scores_and_back(
    project: Project, engine: Engine, drawn: Path
) -> None:
    detector, class_id = find_detector(project).id, _washer(project)
    others = _rows(project, Decision.OTHER)
    add_review(project, [others[0].id], Decision.OTHER, who="Ada")
    assert ask_product(project, detector, class_id, False, who="Ada") == 4
    assert [row.verdict for row in _rows(project)[4:]] == [Decision.OTHER] + [Decision.NG] * 3
    assert not find_detector(project).products[class_id].asked
    assert {row.verdict for row in _inspect(project, engine, drawn, "blister", "washer")} == {Decision.NG}
    acts = [act.kind for act in audit.list_acts(project)]
    assert audit.ActKind.PRODUCT_UNASKED in acts
    _teach(project, engine)
    assert not find_detector(project).products[class_id].asked  # whoever turned it off meant the class
    assert ask_product(project, detector, class_id, True, who="Ada") == 8
    assert {row.verdict for row in _rows(project)[4:]} == {Decision.OTHER}


def test_a_part_that_somebody_calls_good_is_of_this_product_for_the_next_detector(
    project: Project, engine: Engine, drawn: Path
) -> None:
    other = _rows(project, Decision.OTHER)[0]
    add_review(project, [other.id], Decision.OK, who="Ada", reason="a new kind of washer")
    assert list_results(project, [other.id])[0].verdict is Decision.OK
    parts, picked = list_judged_parts(project, _washer(project))
    assert [part.good for part in parts] == [True]
    assert picked  # others of its run were not judged
    again = _teach(project, engine).products[_washer(project)].distance
    assert other.product_distance is not None
    assert again > other.product_distance
    assert Decision.OTHER not in unjudged_results(project, other.run_id)


def test_shots_that_join_a_memory_keep_other_products_apart(
    project: Project, engine: Engine, drawn: Path
) -> None:
    before = find_detector(project)
    good = sorted((drawn / "washer/test/good").iterdir())
    add_shots(project, _washer(project), good[:1])
    update(project, engine, emit=lambda event: None, cancel=CancelToken())
    row = find_detector(project, class_name="washer")
    assert row.updated_from == before.id
    assert row.products.keys() == before.products.keys()
    stored = storage.load(row.folder, engine.backbone())
    assert {name: len(looks) for name, looks in stored.looks.classes.items()} == {"washer": 4, "cloth": 3}
    assert {one.verdict for one in _inspect(project, engine, drawn, "blister", "washer")} == {Decision.OTHER}


def test_other_products_have_no_defects_in_exports(project: Project, tmp_path: Path) -> None:
    for what in ("csv", "jsonl", "xlsx", "coco", "masks", "report", "overlays"):
        export(project, tmp_path / what, [what], emit=lambda event: None, cancel=CancelToken())
    (table,) = (tmp_path / "csv").rglob("*.csv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    others = [line for line in lines if line["verdict"] == "other"]
    assert len(others) == 4
    assert all(line["regions"] == "0" and float(line["product distance"]) > 0.5 for line in others)
    (file_of,) = (tmp_path / "jsonl").rglob("*.jsonl")
    told = [json.loads(line) for line in file_of.read_text("utf-8").splitlines()]
    assert sum(one["verdict"] == "other" and one["regions"] == [] for one in told) == 4
    read = (json.loads(path.read_text("utf-8")) for path in (tmp_path / "coco").rglob("*.json"))
    found = next(one for one in read if "annotations" in one)
    marked = {one["image_id"] for one in found["annotations"]}
    unknown = [one for one in found["images"] if one["verdict"] == "other"]
    assert len(unknown) == 4
    assert not marked & {one["id"] for one in unknown}
    assert marked
    masks = [
        path
        for path in (tmp_path / "masks").rglob("*.png")
        if "blister" in str(path) or "other" in path.parts
    ]
    assert masks == []
    (report,) = (tmp_path / "report").rglob("*.html")
    assert "≠ not this product" in report.read_text("utf-8")


def test_scores_of_another_product_are_none_of_the_class_until_somebody_says_that_they_are(
    project: Project,
) -> None:
    detector, class_id = find_detector(project).id, _washer(project)
    rows = _rows(project)

    def listed() -> list[float]:
        return list_scores(project, detector, class_id)[0].tolist()

    own = sorted(row.image_score or 0.0 for row in rows[:4])
    assert listed() == own
    add_review(project, [rows[4].id], Decision.OK, who="Ada")
    assert listed() == sorted([*own, rows[4].image_score or 0.0])
    ask_product(project, detector, class_id, False)
    assert listed() == sorted(row.image_score or 0.0 for row in rows)


def test_what_would_change_is_known_before_other_products_are_told_apart_or_no_longer(
    project: Project,
) -> None:
    detector, class_id = find_detector(project).id, _washer(project)
    add_review(project, [_rows(project)[-1].id], Decision.OTHER, who="Ada")  # her word stays
    before = list_thresholds(project, detector)[class_id].thresholds
    scores = sorted(row.image_score or 0.0 for row in _rows(project)[4:-1])
    set_thresholds(project, detector, class_id, replace(before, review=scores[1], ng=scores[2]))
    flips = product_flips(project, detector, class_id, False)
    assert flips == {
        (Decision.OTHER, Decision.OK): 1,
        (Decision.OTHER, Decision.REVIEW): 1,
        (Decision.OTHER, Decision.NG): 1,
    }
    assert product_flips(project, detector, class_id, True) == {}
    then = [row.verdict for row in _rows(project)]
    ask_product(project, detector, class_id, False)
    assert sum(was is not row.verdict for was, row in zip(then, _rows(project), strict=True)) == 3
    assert sum(product_flips(project, detector, class_id, True).values()) == 3


def test_a_golden_part_that_is_taken_for_another_product_is_not_judged_as_it_must_be(
    project: Project, engine: Engine
) -> None:
    other, own = _rows(project, Decision.OTHER)[0], _rows(project, Decision.NG)[0]
    add_golden(project, {other.id: Decision.NG, own.id: Decision.NG}, who="Ada")

    def said() -> dict[str, tuple[Decision | None, bool]]:
        return {word.part.sha256: (word.decision, word.kept) for word in judge_golden(project)}

    assert said() == {other.sha256: (Decision.OTHER, False), own.sha256: (Decision.NG, True)}
    events: list[JobEvent] = []
    check_golden(project, engine, who="Ada", emit=events.append, cancel=CancelToken())
    assert said()[other.sha256] == (Decision.OTHER, False)
    ask_product(project, find_detector(project).id, _washer(project), False)
    assert said()[other.sha256] == (Decision.NG, True)  # its score is known
    check_golden(project, engine, who="Ada", emit=events.append, cancel=CancelToken())
    assert said()[other.sha256] == (Decision.NG, True)
    end = events[-1]
    assert isinstance(end, JobEnded)
    assert end.result["changed"] == []
    ask_product(project, find_detector(project).id, _washer(project), True)
    assert said()[other.sha256] == (Decision.OTHER, False)


def test_pictures_in_tiles_are_told_apart_too(tmp_path: Path, engine: Engine, drawn: Path) -> None:
    with projects.create(tmp_path / "tiles", "Tiles") as project:
        class_id = add_class(project, "washer")
        add_shots(project, class_id, sorted((drawn / "washer/train/good").iterdir()))
        set_smallest(project, class_id, 6)
        row = _teach(project, engine)
        assert class_id in row.products
        washers = _inspect(project, engine, drawn, "washer")
        assert Decision.OTHER not in {one.verdict for one in washers}
        assert {one.verdict for one in _inspect(project, engine, drawn, "blister")} == {Decision.OTHER}


def test_what_an_earlier_version_taught_is_not_asked(project: Project, engine: Engine, drawn: Path) -> None:
    row = find_detector(project)
    manifest = row.folder / storage.MANIFEST_FILE
    said = json.loads(manifest.read_text("utf-8"))
    del said["looks"], said["manifest_sha256"]
    manifest.write_text(json.dumps(said), "utf-8")
    fresh = Engine("inspector-tiny", "cpu")
    fresh.use(engine.backbone(), "inspector-tiny")
    found = _inspect(project, fresh, drawn, "blister", "washer")
    assert [one.product_distance for one in found] == [None] * 4
    assert {one.verdict for one in found} == {Decision.NG}
    add_shots(project, _washer(project), sorted((drawn / "washer/test/good").iterdir())[:1])
    update(project, fresh, emit=lambda event: None, cancel=CancelToken())
    assert _washer(project) not in find_detector(project, class_name="washer").products


def test_a_stored_project_of_this_schema_opens_and_its_detectors_are_not_asked(tmp_path: Path) -> None:
    with zipfile.ZipFile(PROJECTS / "v8.zip") as archive:
        archive.extractall(tmp_path / "old")
    with projects.open(tmp_path / "old") as old:
        assert all(row.products == {} for row in list_detectors(old))
        details = list_details(old, result_ids(old))
        assert details
        assert all(one.limit is None and one.row.verdict is not Decision.OTHER for one in details)


def test_on_a_backbone_that_was_not_measured_nothing_is_asked(tmp_path: Path, drawn: Path) -> None:
    engine = stem_engine.make()
    with projects.create(tmp_path / "other", "Other") as project:
        add_shots(project, add_class(project, "washer"), sorted((drawn / "washer/train/good").iterdir()))
        assert _teach(project, engine).products == {}
        found = _inspect(project, engine, drawn, "blister")
        assert [one.product_distance for one in found] == [None] * 4
