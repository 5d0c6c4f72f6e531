"""What is set of a GenICam camera, whichever way it is reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspector.errors import ImageError, SettingsError
from inspector.records.line.stations import Value
from inspector.text import printable

OFF, LINE, SOFTWARE = "off", "line", "software"
"""How a camera itself is triggered: not at all, by a signal at its input, by a command; "": as it is set."""


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """`camera`: a serial number or id, or "". `exposure`: µs, 0 as it is set. `gain`: None as it is set. `mode`: see `OFF`. `features`:
    (name, value), in the order in which they are set."""

    camera: str
    exposure: float
    gain: float | None
    mode: str
    features: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> "CameraSettings":
        """From the values of a form. Raises `SettingsError`."""
        gain = float(values["gain"])
        return cls(
            str(values["camera"]),
            float(values["exposure"]),
            None if gain < 0 else gain,
            str(values["mode"]),
            read_features(str(values["features"])),
        )

    def chosen(self, found: Sequence[tuple[str, str]]) -> str:
        """The id of the camera that is meant among (id, serial number) of those that answer; a camera that is seen in two networks is
        taken where it was seen first. Raises `ImageError` where it isn't there."""
        wanted = self.camera.casefold()
        for key, serial in found:
            if not wanted or wanted in (key.casefold(), serial.casefold()):
                return key
        known = ", ".join(dict.fromkeys(printable(serial or key, 40) for key, serial in found))
        said = f"The camera {printable(self.camera, 40)} isn't there." if wanted else "No camera is there."
        raise ImageError(said, f"There are: {known}." if known else "Check its cable and its power.")


def read_features(text: str) -> tuple[tuple[str, str], ...]:
    """`name=value` pairs, separated by spaces, commas or semicolons. Raises `SettingsError` for anything else."""
    found = []
    for piece in text.replace(";", " ").replace(",", " ").split():
        name, sign, value = piece.partition("=")
        if not (sign and value and name.isidentifier() and name.isascii()):
            raise SettingsError(
                f"“{printable(piece, 40)}” sets no feature of a camera.",
                "Write name=value, as in PixelFormat=Mono8 Width=1024.",
            )
        found.append((name, value))
    return tuple(found)
