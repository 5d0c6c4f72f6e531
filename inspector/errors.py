"""The errors a user may read: one clear sentence and one next step."""

from inspector.text import one_line


class InspectorError(Exception):
    """Something the user can understand and act on.

    `message` says what happened and why, in one sentence; `hint` says what to do next (may be empty).
    Names and other programs' words in either are shown, never obeyed: each is one line of `text.printable`.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = one_line(message)
        self.hint = one_line(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SettingsError(InspectorError):
    """A setting is out of its range, or the settings can't be kept."""


class ImageError(InspectorError):
    """A file can't be read as an image."""


class WeightsError(InspectorError):
    """Model weights are missing, damaged, or belong to another architecture."""


class DetectorError(InspectorError):
    """A detector is missing, damaged, not taught, or was taught on another backbone."""


class ProjectError(InspectorError):
    """A project can't be opened, created or written."""


class ProjectInUseError(ProjectError):
    """Another program has the project open for writing."""


class ProjectDamagedError(ProjectError):
    """The project's database is damaged: a backup can take its place."""


class ProjectMovedError(ProjectError):
    """The open project is no longer where it was opened: nothing more is stored in it."""


class NotAllowedError(ProjectError):
    """Who is signed in may not do this; `deed`: what (`domain.Deed`)."""

    def __init__(self, message: str, hint: str, deed: str) -> None:
        self.deed = deed
        super().__init__(message, hint)


class ProjectFullError(ProjectError):
    """There is no room on the disk for what was to be stored."""


class ExportError(InspectorError):
    """An export can't be written."""


class HandOverError(InspectorError):
    """A file that carries a detector can't be written, or can't be taken over."""


class Cancelled(InspectorError):
    """The user stopped the job; what was finished stays."""

    def __init__(self) -> None:
        super().__init__("Stopped.", "")
