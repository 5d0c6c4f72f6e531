"""Records against a simple model: whatever a person does, in whatever order, what was said is what is found again."""

import math
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from inspector.domain import Decision, Proposal, Thresholds
from inspector.records import project as projects
from inspector.records.classes import (
    ClassState,
    add_class,
    list_classes,
    remove_class,
    rename_class,
    restore_class,
)
from inspector.records.detectors import (
    accept_detector,
    list_detectors,
    list_proposed,
    propose_detector,
    remove_detector,
    restore_detector,
)
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.results import count_results, list_results, result_ids
from inspector.records.inspected.runs import list_runs, remove_run, restore_run, start_run
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import add_review, list_reviews, withdraw_review
from inspector.records.shots import add_shots, list_shots, remove_shots, restore_shots
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging
from inspector.records.thresholds import set_thresholds

SCORES = st.one_of(st.floats(0, 1), st.just(math.nan))
DECISIONS = st.sampled_from(list(Decision))


@dataclass
class ModelDetector:
    shots: dict[int, set[int]]
    thresholds: dict[int, tuple[float, float]]
    charge: int | None
    parent: int | None = None
    added: set[int] = field(default_factory=set)
    removed: bool = False


@dataclass
class ModelResult:
    run: int
    detector: int
    class_id: int
    score: float
    words: list[tuple[int, Decision]] = field(default_factory=list)  # reviews that were not withdrawn

    def verdict(self, detectors: dict[int, ModelDetector]) -> Decision | None:
        if self.words:
            return self.words[-1][1]
        if not math.isfinite(self.score):
            return None
        review, ng = detectors[self.detector].thresholds[self.class_id]
        return Decision.NG if self.score >= ng else Decision.REVIEW if self.score >= review else Decision.OK


class Records(RuleBasedStateMachine):
    classes = Bundle("classes")
    shots = Bundle("shots")
    detectors = Bundle("detectors")
    runs = Bundle("runs")
    results = Bundle("results")
    reviews = Bundle("reviews")

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="inspector-model-"))
        self.project: Project = projects.create(self.top / "project", "Model")
        self.names: dict[int, str] = {}
        self.gone_classes: set[int] = set()
        self.class_shots: dict[int, set[int]] = {}
        self.gone_shots: set[int] = set()
        self.made: dict[int, ModelDetector] = {}
        self.stored: dict[int, ModelResult] = {}
        self.gone_runs: set[int] = set()
        self.run_of: dict[int, int] = {}
        self.count = 0

    def teardown(self) -> None:
        self.project.close()
        shutil.rmtree(self.top)

    # What people do

    @rule(target=classes)
    def add_a_class(self) -> int:
        self.count += 1
        class_id = add_class(self.project, f"Part {self.count}")
        self.names[class_id] = f"Part {self.count}"
        self.class_shots[class_id] = set()
        return class_id

    @rule(class_id=classes)
    def rename_a_class(self, class_id: int) -> None:
        self.count += 1
        self.names[class_id] = f"Part {self.count}"
        rename_class(self.project, class_id, self.names[class_id])

    @rule(class_id=classes)
    def remove_or_restore_a_class(self, class_id: int) -> None:
        change = restore_class if class_id in self.gone_classes else remove_class
        change(self.project, class_id)
        self.gone_classes ^= {class_id}

    @rule(target=shots, class_id=classes)
    def add_a_shot(self, class_id: int) -> int:
        return self._shot(class_id)

    @rule(shot_id=shots)
    def remove_or_restore_a_shot(self, shot_id: int) -> None:
        change = restore_shots if shot_id in self.gone_shots else remove_shots
        change(self.project, [shot_id])
        self.gone_shots ^= {shot_id}

    def _present(self, class_id: int) -> set[int]:
        return set() if class_id in self.gone_classes else self.class_shots[class_id] - self.gone_shots

    def _teach(self, known: dict[int, set[int]], proposed: bool, parent: int | None) -> int:
        folder = detector_staging(self.project)
        for name in ("detector.json", "detector.safetensors"):
            (folder / name).write_bytes(b"{}")
        old = self.made[parent] if parent is not None else None
        added = {
            key: sorted(ids - old.shots.get(key, set()) | (ids & old.added)) if old else []
            for key, ids in known.items()
        }
        detector_id = add_detector(
            self.project,
            NewDetector(
                folder=folder,
                title="PatchCore",
                method="patchcore",
                backbone={"key": "k"},
                settings={},
                false_alarm_rate=0.05,
                shot_ids=[shot for ids in known.values() for shot in ids],
                held_out={key: [0.1] for key in known},
                thresholds={key: Thresholds(0.4, 0.6, 0.4) for key in known},
                added_shots={key: ids for key, ids in added.items() if ids},
                updated_from=parent,
                proposal=Proposal() if proposed else None,
            ),
        )
        self.made[detector_id] = ModelDetector(
            {key: set(ids) for key, ids in known.items()},
            dict.fromkeys(known, (0.4, 0.6)),
            None if proposed else self._next(),
            parent,
            {shot for ids in added.values() for shot in ids},
        )
        return detector_id

    def _next(self) -> int:
        return 1 + max((one.charge or 0 for one in self.made.values()), default=0)

    @rule(target=detectors, class_id=classes, proposed=st.booleans())
    def teach(self, class_id: int, proposed: bool) -> int:
        known = self._present(class_id) or {self._shot(class_id)}
        return self._teach({class_id: known}, proposed, None)

    def _shot(self, class_id: int) -> int:
        self.count += 1
        (added,) = add_shots(self.project, class_id, [(f"{self.count}.bmp", _bmp(self.count))])
        assert added.shot_id is not None
        self.class_shots[class_id].add(added.shot_id)
        return added.shot_id

    @rule(target=detectors, parent=detectors, proposed=st.booleans())
    def update(self, parent: int, proposed: bool) -> int:
        (class_id,) = self.made[parent].shots
        known = self.made[parent].shots[class_id] | {self._shot(class_id)}
        return self._teach({class_id: known}, proposed, parent)

    @rule(detector_id=detectors)
    def accept_or_take_back(self, detector_id: int) -> None:
        one = self.made[detector_id]
        if one.charge is None:
            one.charge = self._next()
            accept_detector(self.project, detector_id)
        else:
            one.charge = None
            propose_detector(self.project, detector_id)

    @rule(detector_id=detectors)
    def discard_or_restore_a_detector(self, detector_id: int) -> None:
        one = self.made[detector_id]
        (restore_detector if one.removed else remove_detector)(self.project, detector_id)
        one.removed = not one.removed

    @rule(target=runs, detector_id=detectors)
    def start_a_run(self, detector_id: int) -> int:
        run_id = start_run(self.project, detector_id, "Run")
        self.run_of[run_id] = detector_id
        return run_id

    @rule(run_id=runs)
    def remove_or_restore_a_run(self, run_id: int) -> None:
        (restore_run if run_id in self.gone_runs else remove_run)(self.project, run_id)
        self.gone_runs ^= {run_id}

    @rule(target=results, run_id=runs, score=SCORES)
    def inspect(self, run_id: int, score: float) -> int:
        detector_id = self.run_of[run_id]
        (class_id,) = self.made[detector_id].shots
        item = NewResult("part.png", class_id=class_id, image_score=score)
        (result_id,) = record_results(self.project, run_id, [item])
        self.stored[result_id] = ModelResult(run_id, detector_id, class_id, score)
        return result_id

    @rule(detector_id=detectors, a=st.floats(0, 1), b=st.floats(0, 1))
    def move_thresholds(self, detector_id: int, a: float, b: float) -> None:
        one = self.made[detector_id]
        (class_id,) = one.shots
        one.thresholds[class_id] = min(a, b), max(a, b)
        review, ng = one.thresholds[class_id]
        set_thresholds(self.project, detector_id, class_id, Thresholds(review, ng, review))

    @rule(target=reviews, result_id=results, decision=DECISIONS)
    def review(self, result_id: int, decision: Decision) -> tuple[int, int]:
        (review_id,) = add_review(self.project, [result_id], decision, who="Ada", reason="looked")
        self.stored[result_id].words.append((review_id, decision))
        return result_id, review_id

    @rule(both=reviews)
    def withdraw(self, both: tuple[int, int]) -> None:
        result_id, review_id = both
        words = self.stored[result_id].words
        if review_id in dict(words):
            withdraw_review(self.project, [review_id], who="Ada")
            self.stored[result_id].words = [word for word in words if word[0] != review_id]

    @precondition(lambda self: self.count)
    @rule()
    def close_and_open_again(self) -> None:
        self.project.close()
        self.project = projects.open(self.top / "project")
        assert self.project.note == ""

    # What is found again

    def _in_charge(self) -> dict[int, int]:
        usable = {key: one for key, one in self.made.items() if one.charge is not None and not one.removed}
        found = {}
        for key, one in sorted(usable.items(), key=lambda item: item[1].charge or 0):
            chosen = key
            while (parent := usable[chosen].parent) in usable:
                if not (usable[chosen].added - usable[parent].added) & self.gone_shots:
                    break
                chosen = parent
            for class_id in one.shots:
                found[class_id] = chosen
        return found

    @invariant()
    def classes_and_shots_are_those_that_were_not_removed(self) -> None:
        rows = {row.id: row for row in list_classes(self.project)}
        assert {key: row.name for key, row in rows.items()} == {
            key: name for key, name in self.names.items() if key not in self.gone_classes
        }
        charge = self._in_charge()
        for key, row in rows.items():
            shots = self._present(key)
            assert (row.shots, row.detector_id) == (len(shots), charge.get(key))
            assert (row.state is ClassState.NEEDS_SHOTS) == (not shots)
            if shots and key in charge:
                same = self.made[charge[key]].shots.get(key) == shots
                assert row.state is (ClassState.TAUGHT if same else ClassState.OUT_OF_DATE)
        assert {row.id for row in list_shots(self.project)} == {
            shot for key in rows for shot in self._present(key)
        }

    @invariant()
    def detectors_in_charge_and_proposed_are_those_of_the_model(self) -> None:
        charge = self._in_charge()
        rows = list_detectors(self.project)
        assert {row.id for row in rows} == {
            key for key, one in self.made.items() if one.charge is not None and not one.removed
        }
        assert {class_id: row.id for row in rows for class_id in row.in_charge} == charge
        assert all(row.problem == "" for row in rows)
        leading = [bool(row.in_charge) for row in rows]
        assert leading == sorted(leading, reverse=True)
        for row in list_proposed(self.project):
            one = self.made[row.id]
            assert one.charge is None
            assert not one.removed
            lost = {shot for ids in one.shots.values() for shot in ids} & self.gone_shots
            before = self.made.get(
                row.updated_from or 0
            )  # what this one remembers too is no reason to hide it
            assert lost <= ({shot for ids in before.shots.values() for shot in ids} if before else set())

    @invariant()
    def every_result_has_the_verdict_of_the_newest_word_or_thresholds(self) -> None:
        shown = {key: one for key, one in self.stored.items() if one.run not in self.gone_runs}
        ids = result_ids(self.project)
        assert set(ids.tolist()) == shown.keys()
        rows = {row.id: row for row in list_results(self.project, ids)}
        for key, one in shown.items():
            assert rows[key].verdict == one.verdict(self.made), (key, one)
            assert bool(rows[key].error) == (not math.isfinite(one.score))
        counts = count_results(self.project)
        assert counts.total == len(shown)
        for decision in Decision:
            wanted = {key for key, row in rows.items() if row.verdict is decision}
            assert set(result_ids(self.project, ResultFilter(verdict=decision)).tolist()) == wanted
        assert {row.id for row in list_runs(self.project)} == self.run_of.keys() - self.gone_runs

    @invariant()
    def no_word_of_a_person_is_lost(self) -> None:
        for key, one in self.stored.items():
            standing = [
                word.id for word in list_reviews(self.project, key) if word.decision and not word.withdrawn
            ]
            assert standing == [review_id for review_id, _ in one.words]


def _bmp(seed: int) -> bytes:
    """A picture of 8 × 8 pixels whose content follows from its number."""
    pixels = bytes((seed * 7 + place * 31) % 256 for place in range(8 * 24)) + seed.to_bytes(4, "little")
    size = 54 + 8 * 24
    head = b"BM" + size.to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    info = (40).to_bytes(4, "little") + (8).to_bytes(4, "little") * 2 + b"\x01\0\x18\0" + bytes(24)
    return head + info + seed.to_bytes(4, "little") + pixels[4 : 8 * 24]


TestRecords = Records.TestCase
TestRecords.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
