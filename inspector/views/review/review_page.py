"""What the pages of results share: their model, and a person's word on what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QWidget

from inspector.views.look import icons
from inspector.views.look.empty import EmptyState
from inspector.views.review import result_menu
from inspector.views.review.judging import Judging
from inspector.views.review.result_model import ResultModel
from inspector.views.shared.page import Page

if TYPE_CHECKING:
    from inspector.records.inspected.results import Counts, ResultRow
    from inspector.records.project import Project
    from inspector.records.result_filter import ResultFilter
    from inspector.views.review.review_popup import ReviewPopup
    from inspector.views.shared.context import WindowContext


class ReviewPage(Page):
    """Results that a person judges, by key, button or right click; `closed` is in sight while no project is open.

    A subclass adds what it shows to `pages`.
    """

    def __init__(self, context: WindowContext, name: str, closed: str) -> None:
        """`name`: of the page, for undo; `closed`: the sentence where no project is open."""
        super().__init__(context)
        self.model = ResultModel(context, self)
        self.judging = Judging(context, name, self)
        self._wanted: int | None = None  # a result to be brought in sight once it is here
        self.closed = EmptyState("home", closed, "Go to Start")
        self.closed.button.clicked.connect(partial(context.go, "start"))
        self.accept_action = QAction(icons.icon("accept"), "Accept", self)
        self.accept_action.triggered.connect(lambda: self.accept())
        self.override_action = QAction(icons.icon("override"), "Override…", self)
        self.override_action.triggered.connect(lambda: self.override())
        self.pages = QStackedWidget()
        self.pages.addWidget(self.closed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self.bind_keys(
            {
                "A": self.accept,
                "X": self.override,
                "D": partial(self.override, True),
                "U": self.judging.edits.undo,
            }
        )

    @property
    def popup(self) -> ReviewPopup:
        """Where another verdict is given."""
        return self.judging.popup

    def accept(self) -> None:
        """What is chosen was judged rightly."""
        raise NotImplementedError

    def override(self, type_first: bool = False) -> None:
        """Ask for another verdict, a reason, a type of defect for what is chosen."""
        raise NotImplementedError

    def bind_keys(
        self,
        actions: Mapping[str, Callable[[], object]],
        where: QWidget | None = None,
        context: Qt.ShortcutContext = Qt.ShortcutContext.WidgetWithChildrenShortcut,
    ) -> None:
        """Keys do something while the focus is in the page, or in the widget `where`."""
        for keys, action in actions.items():
            shortcut = QShortcut(QKeySequence(keys), where or self)
            shortcut.setContext(context)
            shortcut.activated.connect(action)

    def read_counts(
        self, where: ResultFilter, show: Callable[[Counts, int], None], shots_too: bool = False
    ) -> None:
        """How many results of each verdict there are, and how many taught the detector, for `show`; the newest answer counts.
        `shots_too`: those are among the first."""

        def read(project: Project) -> tuple[Counts, int]:
            from inspector.records.inspected.taught_from import count_without_shots

            return count_without_shots(project, where, shots_too=shots_too)

        self.context.query(self, read, lambda found: show(*found), latest="counts")

    def show_menu(
        self,
        at: QPoint,
        row: ResultRow,
        accept: QPushButton,
        override: QPushButton,
        open_it: Callable[[], object] | None = None,
        here: Mapping[str, Callable[[], object]] | None = None,
        chosen: Sequence[int] = (),
    ) -> None:
        """What can be done with a result, at a global point: what these buttons would do, and more; `here`: with the place;
        `chosen`: ids of all that are chosen with it."""
        self.accept_action.setEnabled(accept.isEnabled())
        self.override_action.setEnabled(override.isEnabled())
        actions = self.accept_action, self.override_action
        known = row.class_id is not None and row.path is not None and not self.context.viewing_only
        golden = partial(self.judging.edits.call_golden, chosen or [row.id]) if known else None
        result_menu.show(self, at, row, open_it=open_it, here=here or {}, judge=actions, golden=golden)
