"""Files, folders and pictures of the clipboard become shots of classes, a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from inspector.errors import InspectorError
from inspector.views.look.kit import choose_images
from inspector.views.shared import clipboard
from inspector.views.shared.context import WindowContext
from inspector.views.teach.class_list import shots_text
from inspector.views.teach.edits import ClassEdits

if TYPE_CHECKING:
    from inspector.jobs.shot_folders import SortedShots
    from inspector.records.classes import ClassRow
    from inspector.records.shots import AddedShot

Source = Path | tuple[str, bytes]
_NOW = 10**6  # before thumbnails
_PIECE = 8
"""So many shots are stored together, with one line in the audit: a few at a time are seen soon."""


class AddingShots(QObject):
    """`take` and `paste` find the images and store them a few at a time, so that the first are seen soon."""

    filling = Signal(int)  # the class that shots go into
    counted = Signal(str)  # how far it is

    def __init__(self, context: WindowContext, edits: ClassEdits, parent: QObject) -> None:
        super().__init__(parent)
        self.context, self.edits = context, edits

    def choose_files(self, parent: QWidget, chosen: ClassRow | None, known: Sequence[ClassRow]) -> None:
        self.take(choose_images(parent, "Add good shots"), chosen, known)

    def take(self, paths: Sequence[Path], chosen: ClassRow | None, known: Sequence[ClassRow]) -> None:
        """Files go to the class `chosen`, and so do those of a single folder. Several folders, or one where no class is
        chosen, are sorted into classes by their names; see `jobs.shot_folders`."""
        if not paths or self.context.writable() is None:
            return

        def look() -> SortedShots:
            from inspector.jobs.shot_folders import sort_shots

            return sort_shots(paths)

        self.context.runner.read(
            self, look, partial(self._sorted, paths, chosen, known), self.context.show_error, _NOW
        )

    def paste(self, chosen: ClassRow | None, known: Sequence[ClassRow]) -> bool:
        """What the clipboard holds. False, with a line, where a class must be made first."""
        files, picture = clipboard.images()
        if files:
            self.take(files, chosen, known)
        elif picture.isNull():
            self.context.toast("The clipboard holds neither a picture nor image files.")
        elif chosen is None:
            self.context.toast("Add a class first, then paste its shots.")
            return False
        elif self.context.writable() is not None:
            self._store_picture(picture, chosen)
        return True

    def _sorted(
        self,
        paths: Sequence[Path],
        chosen: ClassRow | None,
        known: Sequence[ClassRow],
        found: SortedShots,
    ) -> None:
        from inspector.jobs.shot_folders import class_name
        from inspector.records.names import class_key

        several = len(found.classes) > 1 or len(paths) - len(found.loose) > 1
        ids = {class_key(row.name): row.id for row in known}
        groups: dict[str, _Group] = {}
        if chosen is not None and not several:
            everything: list[Source] = [
                *found.loose,
                *(path for own in found.classes.values() for path in own),
            ]
            groups[""] = _Group(chosen.name, chosen.id, everything)
        else:
            if found.loose and chosen is not None:
                groups[class_key(chosen.name)] = _Group(chosen.name, chosen.id, [*found.loose])
            elif found.loose:
                found.classes.setdefault(class_name(found.loose[0].parent), []).extend(found.loose)
            for name, files in found.classes.items():
                key = class_key(name)
                group = groups.setdefault(key, _Group(" ".join(name.split())[:80], ids.get(key), []))
                group.sources += files
        _Storing(self, list(groups.values()), found.left_out).next()

    def _store_picture(self, picture: QImage, row: ClassRow) -> None:
        name = f"Pasted {datetime.now().strftime('%Y-%m-%d %H.%M.%S')}.png"

        def store(data: bytes) -> None:
            _Storing(self, [_Group(row.name, row.id, [(name, data)])], ()).next()

        self.context.runner.read(self, partial(clipboard.png, picture), store)


@dataclass(slots=True)
class _Group:
    """What goes into one class; `class_id` None: it is made first."""

    name: str
    class_id: int | None
    sources: list[Source]


class _Storing:
    """Group after group, a few images after the other; at the end one undo step and one line for all of it."""

    def __init__(self, adding: AddingShots, groups: list[_Group], left_out: Sequence[str]) -> None:
        self._adding, self._groups, self._left_out = adding, groups, left_out
        self._total = sum(len(group.sources) for group in groups)
        self._done: list[AddedShot] = []
        self._made: list[int] = []

    def next(self) -> None:
        from inspector.records.classes import add_class
        from inspector.records.shots import add_shots

        while self._groups and not self._groups[0].sources:
            self._groups.pop(0)
        if not self._groups:
            self._finish()
            return
        group, adding = self._groups[0], self._adding
        if group.class_id is None:
            adding.context.change(
                adding, lambda project: add_class(project, group.name), self._class_made, self._class_failed
            )
            return
        adding.filling.emit(class_id := group.class_id)
        sources, group.sources = group.sources[:_PIECE], group.sources[_PIECE:]
        if self._total > 3:
            adding.counted.emit(f"adding {len(self._done) + 1} of {self._total}…")
        adding.context.change(
            adding, lambda project: add_shots(project, class_id, sources), self._added, self._failed
        )

    def _class_made(self, class_id: int) -> None:
        self._groups[0].class_id = class_id
        self._made.append(class_id)
        self._adding.context.classes_changed.emit()
        self.next()

    def _class_failed(self, error: BaseException) -> None:
        self._adding.context.show_error(error)
        self._groups.pop(0)
        self.next()

    def _added(self, results: list[AddedShot]) -> None:
        self._done += results
        if any(one.status == "added" for one in results):
            self._adding.context.classes_changed.emit()
        self.next()

    def _failed(self, error: BaseException) -> None:
        """The project itself can't be written; more files would fail alike."""
        self._groups = []
        self._adding.context.show_error(error)
        self.next()

    def _finish(self) -> None:
        context = self._adding.context
        added = [one.shot_id for one in self._done if one.status == "added" and one.shot_id is not None]
        if added or self._made:
            self._adding.edits.shots_added(added, self._made)
        failed = [one for one in self._done if one.status == "failed"]
        if failed:
            more = f" {len(failed) - 1} more could not be read either." if len(failed) > 1 else ""
            context.show_error(InspectorError(f"{failed[0].message}{more}", failed[0].hint))
        line = _line(self._done, self._left_out)
        if line:
            context.toast(line, context.undo.undo if added else None)
        context.classes_changed.emit()


def _line(done: Sequence[AddedShot], left_out: Sequence[str] = ()) -> str:
    """What became of the files, in one line."""
    counts = {
        status: [one for one in done if one.status == status] for status in ("added", "duplicate", "failed")
    }
    parts = []
    if counts["added"]:
        parts.append(f"Added {shots_text(len(counts['added']))}")
    if counts["duplicate"]:
        known = counts["duplicate"]
        parts.append(known[0].message.rstrip(".") if len(known) == 1 else f"{len(known)} were there already")
    if not done:
        parts.append("No images found there")
    elif not parts and not left_out:
        return ""  # the banner says what could not be read
    if counts["failed"]:
        parts.append(f"{len(counts['failed'])} could not be read")
    said = f" Left out: {left_out[0]}" if left_out else ""
    if len(left_out) > 1:
        said = f"{said[:-1]}; and {len(left_out) - 1} more."
    copies = counts["duplicate"] if len(counts["duplicate"]) > 1 else []
    told = next((f" {one.message}" for one in (*counts["added"], *copies) if one.message), "")
    return f"{'; '.join(parts)}.{told}{said}"
