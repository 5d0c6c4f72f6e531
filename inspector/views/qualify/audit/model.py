"""The acts of a project as a Qt model that reads them a page at a time, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from inspector.views.look import theme
from inspector.views.look.labels import plain

if TYPE_CHECKING:
    from inspector.records.audit import ActFilter, ActRow
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext

Index = QModelIndex | QPersistentModelIndex
HEADINGS = ("When", "Who", "What", "Subject", "From → to", "Reason")
_SHOWN = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)


class ActModel(QAbstractTableModel):
    """`ask` for acts; `refresh` puts the new ones on top. Older ones are read as somebody scrolls down to them."""

    arrived = Signal()  # what was asked for is here

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self.rows: list[ActRow] = []
        self._where: ActFilter | None = None
        self._question = 0
        self._more = self._asking = self._again = False

    def ask(self, where: ActFilter | None) -> None:
        """Show these acts; None: none (no project is open)."""
        self._where = where
        self._question += 1  # an answer to an older question is not taken
        self._asking = self._again = False
        if where is None:
            self._take([], None, None)
        else:
            self._read()

    def refresh(self) -> None:
        """Read what was done since."""
        if self._asking:
            self._again = True
        elif self._where is not None:
            self._read(after=self.rows[0].id if self.rows else None)

    # Qt's side

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(HEADINGS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.FontRole and index.column() == 0:
            return theme.font(figures=True)
        if role not in _SHOWN:
            return None
        words = cells(self.rows[index.row()])
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            return ", ".join(filter(None, words))
        said = words[index.column()]
        return (plain(said) or None) if role == Qt.ItemDataRole.ToolTipRole else said

    def canFetchMore(self, parent: Index = QModelIndex()) -> bool:
        return self._more and not parent.isValid()

    def fetchMore(self, parent: Index = QModelIndex()) -> None:
        if self._more and not self._asking:
            self._read(before=self.rows[-1].id)

    # inside

    def _read(self, before: int | None = None, after: int | None = None) -> None:
        where, question = self._where, self._question

        def read(project: Project) -> list[ActRow]:
            from inspector.records.audit import list_acts

            return list_acts(project, where, before=before, after=after) if where is not None else []

        def done(rows: list[ActRow]) -> None:
            if question == self._question:
                self._asking = False
                self._take(rows, before, after)
                if self._again:
                    self._again = False
                    self.refresh()

        def failed(error: BaseException) -> None:
            if question == self._question:
                self._asking = self._more = False
                self._context.show_error(error)

        self._asking = self._context.query(self, read, done, failed=failed)

    def _take(self, rows: list[ActRow], before: int | None, after: int | None) -> None:
        from inspector.records.audit import PAGE

        full = len(rows) >= PAGE
        if before is not None:
            self._more = full
            self._insert(len(self.rows), rows)
        elif after is not None and not full:
            self._insert(0, rows)
        else:  # the first, or so many that there may be others between these and those that are shown
            self._more = full
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()
        self.arrived.emit()

    def _insert(self, place: int, rows: list[ActRow]) -> None:
        if rows:
            self.beginInsertRows(QModelIndex(), place, place + len(rows) - 1)
            self.rows[place:place] = rows
            self.endInsertRows()


def cells(row: ActRow) -> tuple[str, ...]:
    """What each column says of an act."""
    change = f"{row.old} → {row.new or 'none'}" if row.old else row.new
    when = f"{row.created.astimezone():%Y-%m-%d %H:%M:%S}"
    return (when, row.who, row.kind, row.subject, change, row.reason)
