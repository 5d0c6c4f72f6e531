"""A detector goes as one file to another project, and judges there as it did here."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stem_engine
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, JobStatus
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.golden import check_golden
from inspector.jobs.handover.container import pack, unpack
from inspector.jobs.handover.give import hand_over
from inspector.jobs.handover.take import read_offer, take_over
from inspector.jobs.inspect import inspect
from inspector.records import project as projects
from inspector.records.audit import ActKind, list_acts
from inspector.records.classes import ClassState, add_class, list_classes, list_descriptions
from inspector.records.detectors import find_detector, list_detectors, list_memory, list_proposed
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.qualification.checks import list_checks
from inspector.records.qualification.golden import add_golden, judge_golden, list_golden
from inspector.records.shots import list_places, list_shots
from inspector.records.thresholds import list_calibrated, list_thresholds
from inspector.verdicts.provenance import words


def take(project: Project, engine: Engine, file: Path, **more: Any) -> JobEnded:
    events: list[JobEvent] = []
    take_over(project, engine, file, who="Bo", emit=events.append, cancel=CancelToken(), **more)
    assert isinstance(events[-1], JobEnded)
    return events[-1]


def rewritten(file: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A file that was changed on purpose: its checksums are right."""
    folder = target.with_suffix(".open")
    folder.mkdir()
    content, _ = unpack(file, folder)
    change(content)
    members: dict[str, bytes | Path] = {"content.json": json.dumps(content).encode()}
    members |= {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "content.json"
    }
    pack(target, members)
    shutil.rmtree(folder)
    return target


def test_it_judges_in_a_new_project_exactly_as_where_it_comes_from(
    giver: Project, handed: Path, tiny: Engine, drawn: Path, tmp_path: Path
) -> None:
    with projects.create(tmp_path / "new", "Line 5") as project:
        done = take(project, tiny, handed)
        assert done.status is JobStatus.DONE, done
        assert done.result["largest"] < 1e-6
        assert not done.result["proposed"]
        assert "exactly the scores" in done.message
        row, was = find_detector(project), find_detector(giver)
        assert (row.method, dict(row.settings)) == (was.method, dict(was.settings))
        assert sorted(row.in_charge) == sorted(row.classes)
        found, tests = [], [product / "test" for product in sorted(drawn.iterdir())]
        for one in (giver, project):
            events: list[JobEvent] = []
            inspect(one, tiny, tests, emit=events.append, cancel=CancelToken())
            run = events[-1].result["run_id"]  # type: ignore[union-attr]
            results = [r for r in list_results(one, result_ids(one)) if r.run_id == run]
            found.append({r.name: (r.image_score, r.class_name, r.decision, r.regions) for r in results})
        assert found[0] == found[1]
        assert len(found[0]) >= 8


def test_all_that_belongs_to_it_comes_along(
    giver: Project, handed: Path, tiny: Engine, tmp_path: Path
) -> None:
    with projects.create(tmp_path / "new", "Line 5") as project:
        assert take(project, tiny, handed).status is JobStatus.DONE
        for one in list_classes(giver):
            (here,) = [row for row in list_classes(project) if row.name == one.name]
            assert (here.white, here.smallest, here.area) == (one.white, one.smallest, one.area)
            assert here.state is one.state is ClassState.TAUGHT
            shots = [
                [shot.sha256 for shot in list_shots(p, i)] for p, i in ((giver, one.id), (project, here.id))
            ]
            assert shots[0] == shots[1]
            places = [[p.place for p in list_places(q, i)] for q, i in ((giver, one.id), (project, here.id))]
            assert places[0] == places[1]
            limits = list_thresholds(giver, one.detector_id or 0)[one.id].thresholds
            here_limits = list_thresholds(project, here.detector_id or 0)[here.id].thresholds
            assert here_limits.numbers == limits.numbers
            assert words(here_limits) == words(limits)
            assert list_calibrated(project, here.detector_id or 0)[here.id].numbers == (
                list_calibrated(giver, one.detector_id or 0)[one.id].numbers
            )
        descriptions = [[*list_descriptions(p).values()] for p in (giver, project)]
        assert descriptions[0] == descriptions[1]
        memory = [sorted(map(len, list_memory(p, find_detector(p).id).values())) for p in (giver, project)]
        assert memory[0] == memory[1]
        golden = [[(g.name, g.sha256, g.expected) for g in list_golden(p)] for p in (giver, project)]
        assert golden[0] == golden[1]
        assert all(word.scored for word in judge_golden(project))
        (check,) = list_checks(project)
        assert check.occasion.endswith("taken over")
        act = list_acts(project)[1]  # after it only the check
        assert (act.kind, act.who) == (ActKind.TAKEN_OVER, "Bo")
        assert "washer.inspector" in act.old


def test_a_class_of_the_same_name_is_never_merged(handed: Path, tiny: Engine, tmp_path: Path) -> None:
    with projects.create(tmp_path / "new", "Line 5") as project:
        add_class(project, "Wa sher")
        done = take(project, tiny, handed)
        assert done.status is JobStatus.FAILED
        assert "never merged" in done.message
        assert [row.name for row in list_classes(project)] == ["Wa sher"]
        assert read_offer(handed, ["Wa sher"]).taken == ("washer",)
        assert take(project, tiny, handed, names={"washer": "Washer 2"}).status is JobStatus.DONE
        assert [row.name for row in list_classes(project)] == ["cloth", "Wa sher", "Washer 2"]
        assert "washer" in find_detector(project).taught_names.values()


def test_scores_that_differ_are_only_proposed(handed: Path, tiny: Engine, tmp_path: Path) -> None:
    def harder(content: dict[str, Any]) -> None:
        content["classes"][0]["golden"][0]["score"] *= 1.01

    file = rewritten(handed, tmp_path / "other.inspector", harder)
    with projects.create(tmp_path / "new", "Line 5") as project:
        done = take(project, tiny, file)
        assert done.status is JobStatus.DONE
        assert done.result["proposed"]
        assert 0.001 < done.result["largest"] <= 0.01
        assert "only proposed" in done.message
        assert list_detectors(project) == []
        assert len(list_proposed(project)) == 1


def test_a_golden_part_that_shows_another_product_is_one_where_it_arrives_too(
    giver: Project, tiny: Engine, tmp_path: Path
) -> None:
    blister = (
        demo_parts.write_demo(tmp_path / "drawn", shots=1, good=1, defective=1, kinds=("blister",), size=160)
        / "blister/test"
    )
    inspect(giver, tiny, [blister], class_name="washer", emit=lambda event: None, cancel=CancelToken())
    other = list_results(giver, result_ids(giver))[-1]
    assert other.verdict is Decision.OTHER
    add_golden(giver, {other.id: Decision.NG}, who="Ada")
    file = tmp_path / "w.inspector"
    hand_over(giver, tiny, file, class_name="washer", emit=lambda event: None, cancel=CancelToken())
    with projects.create(tmp_path / "new", "Line 5") as project:
        done = take(project, tiny, file)
        assert (done.status, done.result["proposed"]) == (JobStatus.DONE, False), done.message
        assert (
            f"1 of {len(list_golden(project))} parts is not judged as they must be: “{other.name}”"
            in done.message
        )
        said, was = ({w.part.sha256: w for w in judge_golden(one)}[other.sha256] for one in (project, giver))
        assert (said.decision, said.kept) == (was.decision, was.kept) == (Decision.OTHER, False)
        assert said.distance == pytest.approx(was.distance, rel=1e-4)
        (check,) = list_checks(project)
        assert [part.said for part in check.missed] == [Decision.OTHER]
        check_golden(project, tiny, emit=(events := list[JobEvent]()).append, cancel=CancelToken())
        assert isinstance(events[-1], JobEnded)
        assert events[-1].result["changed"] == []


def test_a_distance_that_differs_or_a_word_that_nobody_gave_is_only_proposed(
    handed: Path, tiny: Engine, tmp_path: Path
) -> None:
    def farther(content: dict[str, Any]) -> None:
        image = content["classes"][0]["golden"][0]
        image["distance"] += 0.5 * content["classes"][0]["product"]["from"]

    def silent(content: dict[str, Any]) -> None:
        for image in (*content["classes"][0]["golden"], *content["classes"][0]["shots"]):
            image["score"] = None

    for number, (change, why) in enumerate(
        [(farther, "differs from what it gave there"), (silent, "doesn't say what it gave any image of")]
    ):
        file = rewritten(handed, tmp_path / f"{number}.inspector", change)
        with projects.create(tmp_path / f"new {number}", "Line 5") as project:
            done = take(project, tiny, file)
            assert (done.status, done.result["proposed"]) == (JobStatus.DONE, True), done
            assert why in done.message
            assert list_detectors(project) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(product={"from": 1e9, "asked": "yes"}),
        lambda one: one.update(product={"from": -1.0, "asked": True}),
        lambda one: one.update(product=7),
        lambda one: one["calibrated"].update(provenance={"wanted_rate": float("nan")}),
        lambda one: one["calibrated"].update(provenance={"source": "\ud800"}),
        lambda one: one["shots"][0].update(name="\udfff"),
        lambda one: one["shots"][0].update(distance=-1),
    ],
)
def test_what_no_project_could_keep_is_refused_in_one_sentence(
    handed: Path, tiny: Engine, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    file = rewritten(handed, tmp_path / "odd.inspector", lambda content: change(content["classes"][0]))
    done = CliRunner().invoke(app, ["take-over", str(file), str(tmp_path / "new")])
    assert done.exit_code == 1
    assert "says of its detector what can't be" in str(done.exception)
    assert not (tmp_path / "new").exists()


def test_texts_that_a_terminal_would_obey_come_without_what_it_obeys(
    handed: Path, tiny: Engine, tmp_path: Path
) -> None:
    def odd(content: dict[str, Any]) -> None:
        content["title"] = "Patch\x1b[31m\u202eCore\n"
        content["classes"][0]["shots"][0]["name"] = "a\x00b  c.png"

    file = rewritten(handed, tmp_path / "odd.inspector", odd)
    with projects.create(tmp_path / "new", "Line 5") as project:
        assert take(project, tiny, file).status is JobStatus.DONE
        assert find_detector(project).title == "Patch[31mCore"
        assert "ab  c.png" in [
            shot.name for one in list_classes(project) for shot in list_shots(project, one.id)
        ]


def test_weights_are_never_looked_for_at_a_path_that_a_file_names(
    handed: Path, tiny: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = Engine.backbone
    monkeypatch.setattr(Engine, "backbone", lambda self, name=None: (asked.append(name), real(self, name))[1])
    for number, path in enumerate(["/srv/share/x.pt", "\\\\host\\share\\x.pt"]):
        file = rewritten(
            handed,
            tmp_path / f"{number}.inspector",
            lambda content, path=path: content["backbone"].update(weights=path, weights_sha256="0" * 64),
        )
        with projects.create(tmp_path / f"new {number}", "Line 5") as project:
            done = take(project, tiny, file)
            assert (done.status, "needs the weights" in done.message) == (JobStatus.FAILED, True)
    assert not any(set("/\\") & set(str(name)) for name in asked)


def test_without_its_very_weights_it_is_refused_by_name(handed: Path, tmp_path: Path) -> None:
    with projects.create(tmp_path / "new", "Line 5") as project:
        done = take(project, stem_engine.make(), handed)  # another model under the same name
        assert done.status is JobStatus.FAILED
        assert "needs the weights “inspector-tiny”" in done.message
        assert "Weights page" in done.hint
        assert list_classes(project) == []


def test_what_fails_leaves_nothing_behind(handed: Path, tiny: Engine, tmp_path: Path) -> None:
    def other_class(content: dict[str, Any]) -> None:
        content["classes"][0]["taught_name"] = "bolt"

    file = rewritten(handed, tmp_path / "other.inspector", other_class)
    with projects.create(tmp_path / "new", "Line 5") as project:
        done = take(project, tiny, file)
        assert done.status is JobStatus.FAILED
        assert "doesn't fit" in done.message
        assert list_classes(project) == []
        assert list((project.folder / "detectors").iterdir()) == []


def test_the_command_line_hands_over_and_takes_over(giver: Project, tmp_path: Path) -> None:
    giver.close()
    file, new = tmp_path / "w.inspector", tmp_path / "line 5"
    done = CliRunner().invoke(app, ["hand-over", str(giver.folder), str(file), "--class", "washer"])
    assert done.exit_code == 0, done.output
    assert "Fingerprint" in done.output
    done = CliRunner().invoke(app, ["take-over", str(file), str(new), "--rename", "washer=Ring"])
    assert done.exit_code == 0, done.output
    with projects.open(new) as project:
        assert [row.name for row in list_classes(project)] == ["cloth", "Ring"]
    with projects.open(giver.folder) as project:
        (act,) = list_acts(project)[:1]
        assert act.kind == ActKind.HANDED_OVER
        assert unpack(file, _empty(tmp_path))[1] in act.new


def test_a_new_name_for_a_class_that_is_not_in_the_file_is_refused(handed: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = CliRunner().invoke(app, ["take-over", str(handed), str(new), "--rename", "wascher=Ring"])
    assert done.exit_code == 1
    assert "holds no class “wascher”" in str(done.exception)
    assert not new.exists()


def test_where_a_kill_left_half_a_project_it_is_taken_over_into_that_folder(
    handed: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    (new / "images").mkdir(parents=True)
    (new / ".new-b635f41bcf0f-project.sqlite").write_bytes(b"SQLite format 3")
    done = CliRunner().invoke(app, ["take-over", str(handed), str(new)])
    assert done.exit_code == 0, (done.output, done.exception)
    with projects.open(new) as project:
        assert [row.name for row in list_classes(project)] == ["cloth", "washer"]
    assert not list(new.glob(".new-*"))


def test_what_can_not_be_taken_over_leaves_no_project(tmp_path: Path) -> None:
    (tmp_path / "x.inspector").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = CliRunner().invoke(app, ["take-over", str(tmp_path / "x.inspector"), str(tmp_path / "new")])
    assert done.exit_code == 1
    assert not (tmp_path / "new").exists()


def test_where_nothing_is_golden_some_shots_are_compared(
    giver: Project, tiny: Engine, tmp_path: Path
) -> None:
    from inspector.records.qualification.golden import switch_golden

    switch_golden(giver, off=[part.id for part in list_golden(giver)])
    file = tmp_path / "w.inspector"
    events: list[JobEvent] = []
    hand_over(giver, tiny, file, emit=events.append, cancel=CancelToken())
    with projects.create(tmp_path / "new", "Line 5") as project:
        done = take(project, tiny, file)
        assert done.result["compared"] == 6
        assert list_checks(project) == []


def test_no_path_of_this_computer_and_no_program_is_in_it(handed: Path, tmp_path: Path) -> None:
    content, _ = unpack(handed, _empty(tmp_path))
    said = json.dumps(content)
    assert "/tmp" not in said
    assert str(Path.home()) not in said
    kinds = {path.suffix for path in (tmp_path / "empty").rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors", ".png"}
    for path in (tmp_path / "empty" / "images").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"
