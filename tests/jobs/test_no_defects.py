"""A false alarm is called no defect: the memory learns that place, what would change is seen first, and it can be taken back."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, JobLog, JobStatus
from inspector.errors import ProjectError
from inspector.jobs.engine import Engine
from inspector.jobs.evidence import Explainer
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.records.classes import ClassState, find_class, remove_class
from inspector.records.detectors import accept_detector, find_detector, list_memory, list_proposed
from inspector.records.inspected.results import ResultRow, list_results, result_ids
from inspector.records.project import DATABASE, Project
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import add_review, list_judged_parts
from inspector.records.shots import (
    add_place,
    add_shots,
    list_places,
    list_shots,
    remove_shots,
    restore_shots,
)

Run = Callable[[Callable[..., None]], list[JobEvent]]
MARK = ((0.37, 0.07), (0.63, 0.07), (0.63, 0.33), (0.37, 0.33))


def _end(events: list[JobEvent]) -> JobEnded:
    ended = events[-1]
    assert isinstance(ended, JobEnded)
    assert ended.status is JobStatus.DONE, ended
    return ended


@pytest.fixture
def odd(tmp_path: Path, demo: Path) -> Path:
    """A folder of good washers; two bear an inspector's mark, which nobody minds."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for number, path in enumerate(sorted((demo / "washer" / "test" / "good").iterdir())):
        pixels = cv2.imread(str(path))
        if number < 2:
            height, width = pixels.shape[:2]
            cv2.circle(pixels, (width // 2, height // 5), height // 25, (40, 200, 30), -1)
        assert cv2.imwrite(str(folder / f"part {number}.png"), pixels)
    return folder


def _inspect(project: Project, engine: Engine, folder: Path) -> dict[str, ResultRow]:
    events: list[JobEvent] = []
    inspect(project, engine, [folder], class_name="washer", emit=events.append, cancel=CancelToken())
    where = ResultFilter(run_id=_end(events).result["run_id"])
    return {row.name: row for row in list_results(project, result_ids(project, where))}


def _update(project: Project, engine: Engine, run: Run, propose: bool = True) -> list[JobEvent]:
    return run(lambda emit: update(project, engine, propose=propose, emit=emit, cancel=CancelToken()))


def _teach(project: Project, engine: Engine, run: Run) -> list[JobEvent]:
    return run(lambda emit: teach(project, engine, method="patchcore", emit=emit, cancel=CancelToken()))


@pytest.fixture
def alarmed(taught: Project, engine: Engine, odd: Path) -> tuple[Project, dict[str, ResultRow]]:
    return taught, _inspect(taught, engine, odd)


def test_one_place_called_no_defect_is_ok_once_it_is_accepted_and_its_like_on_other_parts_less_red(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, odd: Path, demo: Path, run: Run
) -> None:
    project, before = alarmed
    defective = _inspect(project, engine, demo / "washer" / "test")
    assert [before[f"part {number}.png"].verdict for number in range(2)] == [Decision.NG] * 2
    class_id = find_class(project, "washer").id
    in_charge = find_detector(project, class_name="washer").id
    place = add_place(project, before["part 0.png"].id, MARK, "Ada")
    assert find_class(project, "washer").state is ClassState.OUT_OF_DATE  # until something knows it
    ended = _end(_update(project, engine, run))
    assert ended.message.startswith("The memory knows 1 new place of washer")
    assert ended.result["places"] == 1
    assert find_detector(project, class_name="washer").id == in_charge

    (proposed,) = list_proposed(project)
    flips = {one.result_id: one.after for one in proposed.proposal.flips} if proposed.proposal else {}
    assert flips[before["part 0.png"].id] is Decision.OK
    accept_detector(project, proposed.id)
    after = _inspect(project, engine, odd)
    assert after["part 0.png"].verdict is Decision.OK
    scores = [one["part 1.png"].image_score for one in (before, after)]
    assert scores[1] is not None
    assert scores[0] is not None
    assert scores[1] < 0.75 * scores[0]
    again = _inspect(project, engine, demo / "washer" / "test")
    bad = [name for name, row in defective.items() if "good" not in name and row.verdict is Decision.NG]
    assert bad
    assert [again[name].verdict for name in bad] == [Decision.NG] * len(bad)

    row = find_class(project, "washer")
    assert (row.shots, row.state) == (3, ClassState.TAUGHT)
    assert (proposed.shots, len(list_shots(project, class_id))) == (6, 3)
    assert after["part 0.png"].is_shot
    assert not after["part 1.png"].is_shot

    remove_shots(project, [place])
    assert find_detector(project, class_name="washer").id == in_charge
    restore_shots(project, [place])
    assert find_detector(project, class_name="washer").id == proposed.id


def test_the_next_teaching_knows_it_too_and_forgets_it_once_it_is_taken_back(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, odd: Path, run: Run
) -> None:
    project, before = alarmed
    class_id = find_class(project, "washer").id
    place = add_place(project, before["part 0.png"].id, MARK, "Ada")
    ended = _end(_teach(project, engine, run))
    assert "and 1 place called no defect" in ended.message
    detector = find_detector(project, class_name="washer")
    assert list_memory(project, detector.id, places=True) == {class_id: [place]}
    assert place not in list_memory(project, detector.id)[class_id]
    assert len(detector.held_out[class_id]) == 3
    assert find_class(project, "washer").state is ClassState.TAUGHT
    assert _inspect(project, engine, odd)["part 0.png"].verdict is Decision.OK

    remove_shots(project, [place])
    assert find_class(project, "washer").state is ClassState.OUT_OF_DATE
    add_shots(project, class_id, [odd / "part 2.png"])
    failed = _update(project, engine, run)[-1]
    assert isinstance(failed, JobEnded)
    assert failed.status is JobStatus.FAILED  # a memory can't forget
    _end(_teach(project, engine, run))
    assert _inspect(project, engine, odd)["part 0.png"].verdict is Decision.NG


def test_shots_that_come_later_join_a_memory_that_knows_places(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, odd: Path, run: Run
) -> None:
    project, before = alarmed
    class_id = find_class(project, "washer").id
    add_place(project, before["part 0.png"].id, MARK)
    _end(_update(project, engine, run, propose=False))
    add_shots(project, class_id, [odd / "part 2.png"])
    add_place(project, before["part 1.png"].id, MARK)
    ended = _end(_update(project, engine, run, propose=False))
    assert ended.message.startswith("The memory knows 1 new shot and 1 new place of washer")
    detector = find_detector(project, class_name="washer")
    assert len(list_memory(project, detector.id)[class_id]) == 4
    assert len(list_memory(project, detector.id, places=True)[class_id]) == 2
    assert len(detector.held_out[class_id]) == 4
    found = _inspect(project, engine, odd)
    assert {found[f"part {number}.png"].verdict for number in range(2)} == {Decision.OK}


def test_it_is_said_where_the_memory_knows_a_place_from(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, run: Run
) -> None:
    project, before = alarmed
    add_place(project, before["part 0.png"].id, MARK)
    _end(_update(project, engine, run, propose=False))
    inspected = _inspect(project, engine, before["part 1.png"].path)  # type: ignore[arg-type]
    (row,) = inspected.values()
    found = Explainer(engine).explain(project, row.id, 0.5, 0.2)
    assert (found.shot.name, found.shots) == ("part 0.png", 3)
    earlier = Explainer(engine).explain(project, before["part 1.png"].id, 0.5, 0.2)
    assert earlier.shot.name != "part 0.png"
    assert earlier.evidence.distance > found.evidence.distance


def test_a_place_whose_image_is_gone_is_named_and_the_teaching_goes_on(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, run: Run
) -> None:
    project, before = alarmed
    add_place(project, before["part 0.png"].id, MARK)
    path = before["part 0.png"].path
    assert path is not None
    path.unlink()
    failed = _update(project, engine, run)[-1]
    assert isinstance(failed, JobEnded)
    assert failed.status is JobStatus.FAILED
    events = _teach(project, engine, run)
    said = [event.message for event in events if isinstance(event, JobLog)]
    assert any("“part 0.png”" in line and "left out" in line for line in said)
    assert find_detector(project, class_name="washer").shots == 6


def test_a_place_belongs_to_a_result_and_lies_inside_its_image(
    alarmed: tuple[Project, dict[str, ResultRow]],
) -> None:
    project, before = alarmed
    for outline in (((0.9, 0.1), (1.2, 0.1), (0.9, 0.3)), ((-0.1, 0), (0.2, 0), (0.2, 0.2)), ((0.1, 0.1),)):
        with pytest.raises(ProjectError, match="beside"):
            add_place(project, before["part 0.png"].id, outline)
    with pytest.raises(ProjectError, match="no class"):
        add_place(project, 10_000, MARK)
    assert list_places(project) == []


def test_an_image_may_hold_several_places_and_be_a_shot_beside_them(
    alarmed: tuple[Project, dict[str, ResultRow]],
) -> None:
    project, before = alarmed
    class_id = find_class(project, "washer").id
    row = before["part 2.png"]
    assert row.path is not None
    first = add_place(project, row.id, MARK, "Ada")
    second = add_place(project, row.id, ((0.1, 0.7), (0.2, 0.7), (0.1, 0.8)), "Ben")
    with pytest.raises(ProjectError, match="already"):
        add_place(project, row.id, MARK, "Cy")
    (added,) = add_shots(project, class_id, [row.path])
    assert added.status == "added"
    assert added.shot_id not in (first, second)
    assert [(one.id, one.who) for one in list_places(project, class_id)] == [(first, "Ada"), (second, "Ben")]
    assert find_class(project, "washer").shots == 4


def test_a_detector_that_learns_for_one_class_leaves_the_others_to_who_judges_them(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, run: Run
) -> None:
    """Cloth was taught again alone; washer's own detector, which once was taught on both, learns a place of a washer."""
    project, before = alarmed
    first = find_detector(project, class_name="washer").id
    cloth = find_class(project, "cloth").id
    run(
        lambda emit: teach(
            project, engine, method="patchcore", class_ids=[cloth], emit=emit, cancel=CancelToken()
        )
    )
    second = find_detector(project, class_name="cloth").id
    assert second != first
    add_place(project, before["part 0.png"].id, MARK)
    run(lambda emit: update(project, engine, detector_id=first, emit=emit, cancel=CancelToken()))
    third = find_detector(project, class_name="washer")
    assert third.id not in (first, second)
    assert (len(third.places), third.in_charge) == (1, {find_class(project, "washer").id})
    assert find_detector(project, class_name="cloth").id == second


def test_what_another_class_lost_hides_no_proposal(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, run: Run
) -> None:
    project, before = alarmed
    remove_shots(project, [list_shots(project, find_class(project, "cloth").id)[0].id])
    add_place(project, before["part 0.png"].id, MARK)
    _end(_update(project, engine, run))
    assert len(list_proposed(project)) == 1


def test_parts_left_out_for_a_place_take_the_promise_of_the_others_along(
    alarmed: tuple[Project, dict[str, ResultRow]],
) -> None:
    """The reddest good parts were excused, which leaves the ones that score low."""
    project, before = alarmed
    class_id = find_class(project, "washer").id
    add_review(project, [row.id for row in before.values()], Decision.OK, who="Ada")
    parts, picked = list_judged_parts(project, class_id)
    assert (len(parts), picked) == (len(before), False)
    place = add_place(project, before["part 0.png"].id, MARK)
    parts, picked = list_judged_parts(project, class_id)
    assert (len(parts), picked) == (len(before) - 1, True)
    remove_shots(project, [place])
    assert list_judged_parts(project, class_id)[1] is False


@pytest.mark.parametrize(
    "damage", ["null", "{}", "[]", "7", '{"outline": [[0.1, 0.2], [7, 0.2], [0.3, 0.3]]}']
)
def test_a_damaged_place_is_no_shot_and_teaches_nothing(
    alarmed: tuple[Project, dict[str, ResultRow]], engine: Engine, run: Run, damage: str
) -> None:
    project, before = alarmed
    class_id = find_class(project, "washer").id
    place = add_place(project, before["part 0.png"].id, MARK)
    with closing(sqlite3.connect(project.folder / DATABASE)) as connection, connection:
        connection.execute("UPDATE shots SET place = ? WHERE id = ?", (damage, place))
    assert len(list_shots(project, class_id)) == find_class(project, "washer").shots == 3
    assert list_places(project) == []
    _end(_teach(project, engine, run))
    assert list_memory(project, find_detector(project).id, places=True) == {}


def test_a_place_of_a_removed_class_is_refused(alarmed: tuple[Project, dict[str, ResultRow]]) -> None:
    project, before = alarmed
    remove_class(project, find_class(project, "washer").id)
    with pytest.raises(ProjectError, match="no class"):
        add_place(project, before["part 0.png"].id, MARK)
