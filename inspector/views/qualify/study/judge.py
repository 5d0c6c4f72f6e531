"""One person judges the parts of a study, one after the other, and sees nothing but the part."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QMouseEvent, QShortcut
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from inspector.domain import Decision
from inspector.text import printable
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided
from inspector.views.look.labels import wrapped
from inspector.views.qualify.study.pictures import Pictures
from inspector.views.viewer.image_view import ImageView
from inspector.views.viewer.picture import Picture

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.qualification.studies import PartRow, StudyRow
    from inspector.views.shared.context import WindowContext

TRIALS = ("", "first", "second", "third")
_AHEAD = 3
_Found = tuple[list[int], dict[int, Decision | None], list["PartRow"]]


class _Once(QPushButton):
    """A double click is one click: the second would judge a part that nobody has seen."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()


class Judge(QWidget):
    """`begin` goes on where somebody stopped. Every word is stored at once; `left` when the person pauses or something is in the
    way, `finished` with the study when a trial is done."""

    left = Signal()
    finished = Signal(object)  # StudyRow

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        self._study: StudyRow | None = None
        self.appraiser = ""
        self._trial = 0
        self._order: list[int] = []
        self._words: dict[int, Decision | None] = {}
        self._parts: dict[int, PartRow] = {}
        self._at = 0
        self._ready = False
        self.pictures = Pictures(context, self)
        self.progress = Elided()
        self.pause = QPushButton("Pause")
        self.pause.setToolTip("Every word is stored: go on whenever you like (Esc)")
        self.view = ImageView()
        self.view.set_overlay(False)
        self.said = wrapped("warning")
        self.ok = self._button(Decision.OK, "O or 1")
        self.ng = self._button(Decision.NG, "N or 2")
        self.back = QPushButton(icons.icon("left"), "Back one part")
        self.back.setToolTip("Correct the word before (Backspace)")
        self.finish = QPushButton("Finish the trial")
        self.finish.setToolTip("Its words stay as they are from then on (Enter)")
        theme.set_role(self.finish, "primary")
        self.all_done = wrapped("title")
        self.all_done.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._build()
        self.pause.clicked.connect(self._pause)
        self.back.clicked.connect(self.go_back)
        self.finish.clicked.connect(self._finish)
        self.ok.clicked.connect(partial(self.say, Decision.OK))
        self.ng.clicked.connect(partial(self.say, Decision.NG))
        self.pictures.arrived.connect(self._arrived)
        for keys, action in (
            ("O", partial(self.say, Decision.OK)),
            ("1", partial(self.say, Decision.OK)),
            ("N", partial(self.say, Decision.NG)),
            ("2", partial(self.say, Decision.NG)),
            ("Backspace", self.go_back),
            ("Esc", self._pause),
            ("Return", self._finish),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.setAutoRepeat(False)  # a key held down is one word
            shortcut.activated.connect(action)

    def _button(self, decision: Decision, keys: str) -> QPushButton:
        made = _Once(f"{theme.verdict_text(decision)}  ·  {keys[0]}")
        made.setToolTip(f"Call this part {theme.WORDS[decision]} ({keys})")
        made.setStyleSheet("QPushButton { min-width: 190px; min-height: 36px; font-weight: 600; }")
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return made

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(16, 8, 16, 8)
        top.addWidget(self.progress, 1)
        top.addWidget(self.pause)
        done = QWidget()
        centre = QVBoxLayout(done)
        centre.addStretch(2)
        centre.addWidget(self.all_done)
        centre.addSpacing(8)
        centre.addWidget(self.finish, alignment=Qt.AlignmentFlag.AlignCenter)
        centre.addStretch(3)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.view)
        self.stack.addWidget(done)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(12)
        foot.addWidget(self.back)
        foot.addStretch(1)
        foot.addWidget(self.ok)
        foot.addWidget(self.ng)
        foot.addStretch(1)
        balance = QWidget()
        balance.setFixedWidth(self.back.sizeHint().width())
        foot.addWidget(balance)  # so that the two stand in the middle
        self.said.setContentsMargins(16, 4, 16, 0)
        self.said.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.stack, 1)
        column.addWidget(self.said)
        column.addLayout(foot)

    def begin(self, study: StudyRow, appraiser: str) -> None:
        """Let a person go on with the trial that is theirs now."""
        trial = study.turn(appraiser)
        if trial is None:
            return
        self._study, self.appraiser, self._trial = study, appraiser, trial
        self._order, self._words, self._parts = [], {}, {}
        self.pictures.begin()
        self.view.setFocus()  # not a button, which Space would press
        self._say("")
        self.progress.setText(f"{TRIALS[trial]} trial, {printable(appraiser)}".capitalize())
        self._wait()

        def read(project: Project) -> _Found:
            from inspector.records.qualification.studies import order_of, study_parts, words_of

            said = words_of(project, study.id).get((appraiser, trial), {})
            return order_of(study, appraiser, trial), said, study_parts(project, study.id)

        # As a change: after the words that are still being stored.
        if not self.context.change(self, read, partial(self._begun, study), self._failed):
            self._pause()

    def stop(self) -> None:
        """Nobody judges any more: another project is open."""
        self._study = None
        self._order = []
        self.pictures.begin()
        self.view.show_message("")

    def say(self, decision: Decision) -> None:
        """The word on the part in sight; nothing while none is."""
        if self._ready:
            self._say("")
            self._store(decision)

    def go_back(self) -> None:
        """To the part before, to correct its word."""
        at = len(self._order) if self.stack.currentWidget() is not self.view else self._at
        before = [n for n in range(at) if self._words.get(self._order[n]) is not None]
        if before:
            self._show(before[-1])

    def take_focus(self) -> None:
        """Keys belong to who judges."""
        focus = QApplication.focusWidget()
        if self.isVisible() and (focus is None or not self.isAncestorOf(focus)):
            self.view.setFocus()

    def _begun(self, study: StudyRow, found: _Found) -> None:
        if study is not self._study:
            return  # paused, or another one was begun
        self._order, self._words, parts = found
        self._parts = {one.position: one for one in parts}
        self._order = [position for position in self._order if position in self._parts]
        self._next()

    def _next(self) -> None:
        """The first part that has no word yet."""
        left = [n for n, position in enumerate(self._order) if position not in self._words]
        if left:
            self._show(left[0])
            return
        self._ready = False
        self.progress.setText(self._where(len(self._order)))
        self.all_done.setText("All parts of this trial are judged.")
        self.stack.setCurrentIndex(1)
        self._switch()
        self.finish.setFocus()

    def _show(self, at: int) -> None:
        self._at = at
        self.stack.setCurrentWidget(self.view)
        self.progress.setText(self._where(at + 1))
        coming = [one for one in self._order[at + 1 :] if one not in self._words][: _AHEAD - 1]
        self.pictures.want([self._parts[one] for one in (self._order[at], *coming)])
        self._arrived(self._order[at])

    def _where(self, number: int) -> str:
        return f"{number} of {len(self._order)}, {TRIALS[self._trial]} trial, {printable(self.appraiser)}"

    def _arrived(self, position: int) -> None:
        if (
            not self._order
            or position != self._order[self._at]
            or self.stack.currentWidget() is not self.view
        ):
            return
        picture = self.pictures.get(position)
        if picture is None:
            self._wait()
        elif isinstance(picture, Picture):
            self._ready = True
            self.view.show_picture(picture)
            self.view.fit()
            self._switch()
            self.take_focus()
        elif position in self._words:  # its word holds
            self._next()
        else:
            name = printable(self._parts[position].name)
            said = f"“{name}” can't be shown and was left out: {picture}"
            self._say("\n".join(filter(None, (self.said.text(), said))))
            self._store(None)

    def _wait(self) -> None:
        self._ready = False
        self.stack.setCurrentWidget(self.view)
        self.view.show_message("Opening…")
        self._switch()

    def _switch(self) -> None:
        for button in (self.ok, self.ng):
            button.setEnabled(self._ready)
        self.back.setEnabled(any(word is not None for word in self._words.values()))

    def _store(self, decision: Decision | None) -> None:
        study, position = self._study, self._order[self._at]
        if study is None:
            return
        self._ready = False

        def write(project: Project) -> None:
            from inspector.records.qualification.studies import say

            say(project, study.id, self.appraiser, self._trial, position, decision)

        if self.context.change(self, write, failed=self._failed):
            self._words[position] = decision
            self._next()
        else:
            self.left.emit()

    def _finish(self) -> None:
        study = self._study
        if study is None or self.stack.currentWidget() is self.view or not self.finish.isEnabled():
            return
        appraiser, trial = self.appraiser, self._trial

        def write(project: Project) -> StudyRow:
            from inspector.records.qualification.studies import finish

            return finish(project, study.id, appraiser, trial)

        self.finish.setEnabled(False)

        def done(row: StudyRow) -> None:
            self.finish.setEnabled(True)
            self.finished.emit(row)

        def failed(error: BaseException) -> None:
            self.finish.setEnabled(True)
            self._failed(error)

        if not self.context.change(self, write, done, failed):
            self.finish.setEnabled(True)

    def _pause(self) -> None:
        self.stop()
        self.left.emit()

    def _failed(self, error: BaseException) -> None:
        """What was not stored is asked for again, next time."""
        self.context.show_error(error)
        self._pause()

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))
