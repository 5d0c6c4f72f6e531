"""A folder that results are written to, known again: where its drive or share isn't connected, an empty folder often lies in its place,
and what went there would be gone as soon as the share is back."""

import os
from pathlib import Path
from urllib.parse import quote

from inspector.errors import ExportError
from inspector.exports.files import explain
from inspector.records.line.deliveries import is_noted, note_told
from inspector.stations.outputs.link import Link

MARK = ".inspector"
"""An empty file that says so."""


class KnownFolder:
    """Used by one thread."""

    def __init__(self, folder: Path, link: Link) -> None:
        self.folder = folder
        self._link = link
        self._noted = False
        self._key = f"folder {quote(os.fsencode(folder.absolute()))}"

    def reach(self, *, telling: bool = True) -> None:
        """Make it, if need be. `telling`: something is written to it now, so that it is marked for the next time. Raises `ExportError`,
        also where it isn't the one that was written to before."""
        project, station = self._link.project, self._link.station.id
        mark = self.folder / MARK
        try:
            marked = mark.exists()
            if not marked and (self._noted or is_noted(project, station, self._key)):
                raise ExportError(
                    f"The folder {self.folder} isn't the one that results went to before, or was emptied: Inspector's mark is gone.",
                    f"Connect its drive or share. If you emptied it, make an empty file “{MARK}” in it.",
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            if not telling or self._noted:
                return
            if not marked:
                mark.touch()
        except OSError as error:
            raise explain(error, self.folder) from error
        if not is_noted(project, station, self._key):
            note_told(project, station, self._key, 1)
        self._noted = True
