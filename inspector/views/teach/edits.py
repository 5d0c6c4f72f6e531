"""What people change on classes, shots and detectors: written off the GUI thread, each a step that can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from inspector.domain import CancelToken, Deed, Emit, JobEnded, JobKind, JobStatus
from inspector.errors import InspectorError
from inspector.views.review.golden_gate import GoldenGate, Outlook, keep_record, of_charges, of_detector
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job
from inspector.views.shared.undo import Steps
from inspector.views.teach.proposal_card import Waiting

if TYPE_CHECKING:
    from inspector.images.area import Area
    from inspector.jobs.engine import Engine
    from inspector.methods.prompts.description import PartDescription
    from inspector.records.classes import ClassRow
    from inspector.records.detectors import DetectorRow
    from inspector.records.project import Project
    from inspector.records.shots import ShotRow

T = TypeVar("T")


class ClassEdits(QObject):
    added = Signal(int)  # a class that is there now

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self.steps = Steps(context, self._changed, self)

    def add(
        self,
        name: str,
        refused: Callable[[str], bool] = lambda _why: False,
    ) -> None:
        """`refused` may take the reason why it can't be, and say it itself."""
        from inspector.records.classes import add_class, remove_class, restore_class

        def done(class_id: int) -> None:
            self.steps.done(
                f"add class “{name}”",
                lambda project: restore_class(project, class_id),
                lambda project: remove_class(project, class_id),
                self._on_teach,
            )
            self.added.emit(class_id)
            self.context.classes_changed.emit()

        def failed(error: BaseException) -> None:
            if not (isinstance(error, InspectorError) and refused(str(error))):
                self.context.show_error(error)

        self.context.change(self, lambda project: add_class(project, name), done, failed)

    def rename(self, row: ClassRow, name: str) -> None:
        from inspector.records.classes import rename_class

        self.steps.do(
            f"rename “{row.name}”",
            lambda project: rename_class(project, row.id, name),
            lambda project: rename_class(project, row.id, row.name),
            place=self._on_teach,
        )

    def choose_range(self, row: ClassRow, white: int | None) -> None:
        """In which range its files are read from the next teaching on, by its end."""
        from inspector.records.ranges import set_white

        self._choose(row, "range of", set_white, white, row.white)

    def choose_smallest(self, row: ClassRow, pixels: int | None) -> None:
        """Across how many pixels the smallest defect to find reaches, from the next teaching on."""
        from inspector.records.classes import set_smallest

        self._choose(row, "smallest defect of", set_smallest, pixels, row.smallest)

    def choose_scale(self, row: ClassRow, scale: float | None) -> None:
        """How many millimetres a pixel is."""
        from inspector.records.classes import set_scale

        if scale != row.scale:
            self._choose(row, "scale of", set_scale, scale, row.scale)

    def choose_area(self, row: ClassRow, area: Area | None) -> None:
        """What of its pictures is inspected, from the next teaching on."""
        from inspector.records.classes import set_area

        if area != row.area:
            self._choose(row, "where to look on", set_area, area, row.area)

    def _choose(
        self, row: ClassRow, what: str, put: Callable[[Project, int, T], None], chosen: T, before: T
    ) -> None:
        self.steps.do(
            f"{what} “{row.name}”",
            lambda project: put(project, row.id, chosen),
            lambda project: put(project, row.id, before),
            place=self._on_teach,
        )

    def remove(self, row: ClassRow) -> None:
        from inspector.records.classes import remove_class, restore_class

        self.steps.do(
            f"remove “{row.name}”",
            lambda project: remove_class(project, row.id),
            lambda project: restore_class(project, row.id),
            f"Removed the class “{row.name}”; its results stay.",
            self._on_teach,
        )

    def remove_shots(self, rows: Sequence[ShotRow]) -> None:
        from inspector.records.shots import remove_shots, restore_shots

        ids = [row.id for row in rows]
        kind = "shots" if all(row.place is None for row in rows) else "pictures"
        what = f"“{rows[0].name}”" if len(rows) == 1 else f"{len(rows)} {kind}"
        self.steps.do(
            f"remove {what}",
            self._recorded(f"Removed {what}", lambda project: remove_shots(project, ids)),
            self._recorded(f"Brought back {what}", lambda project: restore_shots(project, ids)),
            f"Removed {what} from {rows[0].class_name}.",
            self._on_teach,
        )

    def describe(self, row: ClassRow, before: PartDescription | None, after: PartDescription | None) -> None:
        from inspector.records.classes import describe_class

        self.steps.do(
            f"describe “{row.name}”",
            lambda project: describe_class(project, row.id, after),
            lambda project: describe_class(project, row.id, before),
            place=self._on_teach,
        )

    def shots_added(self, shot_ids: Sequence[int], class_ids: Sequence[int]) -> None:
        """They are stored already, the classes were made for them; one step takes all back."""
        from inspector.records.classes import remove_class, restore_class
        from inspector.records.shots import remove_shots, restore_shots

        def back(project: Project) -> None:
            for class_id in class_ids:
                restore_class(project, class_id)
            restore_shots(project, shot_ids)

        def away(project: Project) -> None:
            remove_shots(project, shot_ids)
            for class_id in class_ids:
                remove_class(project, class_id)

        what = f"{len(shot_ids)} shot{'s' if len(shot_ids) != 1 else ''}"
        redo, undo = self._recorded(f"Added {what}", back), self._recorded(f"Took back {what}", away)
        self.steps.done(f"add {what}", redo, undo, self._on_teach)

    def _recorded(self, occasion: str, work: Callable[[Project], object]) -> Callable[[Project], None]:
        """With a record of the golden set where another detector judges a class by it: one gives way to the one before when a shot
        that it was given is gone."""
        who = self.context.who

        def write(project: Project) -> None:
            from inspector.records.qualification.checks import record_moved
            from inspector.records.qualification.golden import charges

            with project.writing():
                before = charges(project)
                work(project)
                record_moved(project, before, occasion=occasion, who=who)

        return write

    def _changed(self, _value: object) -> None:
        self.context.classes_changed.emit()
        self.context.detectors_changed.emit()  # which one is in charge follows from the shots that are there

    def _on_teach(self) -> None:
        self.context.go("teach")


class DetectorEdits(QObject):
    def __init__(self, context: WindowContext, parent: QWidget) -> None:
        super().__init__(parent)
        self.context = context
        self.golden = GoldenGate(context, parent)
        self._scoring: tuple[Job, DetectorRow] | None = None
        self._steps = Steps(context, self._changed, self)
        context.runner.ended.connect(self._scored)

    def accept(self, waiting: Waiting) -> None:
        self.put_in_charge(waiting.row)

    def put_in_charge(self, row: DetectorRow) -> None:
        """A proposed detector, or an earlier one. Where golden parts would be judged otherwise than they must be, somebody signs
        for it first; those that it never saw are scored before."""

        def looked(found: Outlook) -> None:
            if found.unscored:
                self._score_golden(row)
            else:
                self._ask(row, partial(self._put_in_charge, row), lambda: None)

        if self.context.writable() is not None and self.context.may(Deed.TEACH):
            self.context.query(self, partial(of_detector, detector_id=row.id), looked)

    def _ask(self, row: DetectorRow, yes: Callable[[str], None], no: Callable[[], None]) -> None:
        self.golden.ask(f"With detector #{row.id}", partial(of_detector, detector_id=row.id), yes, no)

    def _put_in_charge(self, row: DetectorRow, reason: str) -> None:
        from inspector.records.detectors import accept_detector, propose_detector

        before: list[int | None] = []
        earlier: dict[int, int] = {}
        signed = [self.context.who, reason]

        def put(project: Project) -> None:
            from inspector.records.qualification.golden import charges

            with project.writing():
                earlier.update(charges(project))
                before[:] = [accept_detector(project, row.id)]
                keep_record(project, row.id, [*row.takes], "Put in charge", *signed)

        def back(project: Project) -> None:
            from inspector.records.qualification.checks import record_moved
            from inspector.records.qualification.golden import charges

            with project.writing():
                now = charges(project)
                propose_detector(project, row.id, before[0])
                what = f"Detector #{row.id} no longer in charge"
                record_moved(project, now, occasion=what, who=signed[0], signed=signed[1])

        def ask(back: bool, yes: Callable[[], None], no: Callable[[], None]) -> None:
            def again(reason: str) -> None:
                signed[:] = self.context.who or signed[0], reason
                yes()

            if back:
                look = partial(of_charges, charged=earlier)
                self.golden.ask("With the detectors before", look, again, no)
            else:
                self._ask(row, again, no)

        self._steps.do(
            f"put detector #{row.id} in charge",
            put,
            back,
            f"Detector #{row.id} judges from now on.",
            self._on_teach,
            ask,
        )

    def _score_golden(self, row: DetectorRow) -> None:
        project = self.context.project

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.golden import check_golden

            assert project is not None
            check_golden(project, engine, detector_id=row.id, emit=emit, cancel=cancel)

        title = f"Golden set with detector #{row.id}"
        self._scoring = self.context.runner.start(JobKind.CHECK, title, work), row

    def _scored(self, job: Job, event: JobEnded) -> None:
        if self._scoring is not None and job is self._scoring[0]:
            row, self._scoring = self._scoring[1], None
            self.context.golden_changed.emit()
            if event.status is JobStatus.DONE:
                self.put_in_charge(row)

    def discard(self, waiting: Waiting) -> None:
        from inspector.records.detectors import list_detectors, remove_detector, restore_detector
        from inspector.records.shots import list_places, remove_shots, restore_shots

        ids = [waiting.row.id, *waiting.older]

        places: list[int] = []  # called no defect, which nothing in charge knows: taken back with it

        def away(project: Project) -> None:
            gone = set(waiting.row.places).difference(
                *(row.places for row in list_detectors(project) if row.in_charge)
            )
            for detector_id in ids:
                remove_detector(project, detector_id)
            places[:] = {row.id for row in list_places(project)} & gone
            remove_shots(project, places)

        def back(project: Project) -> None:
            restore_shots(project, places)
            for detector_id in reversed(ids):
                restore_detector(project, detector_id)

        also = " What was called no defect with it is taken back." if waiting.places else ""
        self._steps.do(
            f"discard detector #{waiting.row.id}",
            away,
            back,
            f"The new detector was discarded; the one in charge stays.{also}",
            self._on_teach,
        )

    def call_good(self, shot_ids: Sequence[int]) -> None:
        from inspector.records.shots import confirm_shots

        what = "a shot" if len(shot_ids) == 1 else f"{len(shot_ids)} shots"
        self._steps.do(
            f"call {what} good",
            lambda project: confirm_shots(project, shot_ids, good=True),
            lambda project: confirm_shots(project, shot_ids, good=False),
            place=self._on_teach,
        )

    def _changed(self, _value: object) -> None:
        self.context.classes_changed.emit()
        self.context.detectors_changed.emit()
        self.context.results_changed.emit()
        self.context.golden_changed.emit()

    def _on_teach(self) -> None:
        self.context.go("teach")
