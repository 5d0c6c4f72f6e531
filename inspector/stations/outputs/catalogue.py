"""Whom a station can tell."""

from collections.abc import Sequence
from dataclasses import replace

from inspector.errors import SettingsError
from inspector.records.line.stations import Part, Value
from inspector.stations.fields import checked
from inspector.stations.output import Output
from inspector.stations.outputs import jsonl, modbus, mqtt, opcua, sorting, table, webhook
from inspector.stations.outputs.link import Link, OutputInfo
from inspector.text import printable

OUTPUTS: dict[str, OutputInfo] = {
    one.kind: one
    for one in (
        jsonl.INFO,
        table.INFO,
        sorting.INFO,
        mqtt.INFO,
        opcua.INFO,
        modbus.INFO,
        webhook.INFO,
    )
}
"""Every kind by its name, in the order in which they are offered."""


def find_output(kind: str) -> OutputInfo:
    """Raises `SettingsError` for a kind that there isn't."""
    if kind not in OUTPUTS:
        raise SettingsError(
            f"There is no output “{printable(kind, 40)}”.", f"There are: {', '.join(OUTPUTS)}."
        )
    return OUTPUTS[kind]


def with_keys(parts: Sequence[Part], before: Sequence[Part] = ()) -> tuple[Part, ...]:
    """Outputs with keys: one to a receiver that there was `before` keeps that one's, so that it is told what it still waits for and
    nothing twice; then one of a kind takes that of one that is there no more, as its address has changed; others get new ones."""
    free = list(before)
    keys = [""] * len(parts)
    for moved in (False, True):
        for place, part in enumerate(parts):
            same = [
                one for one in free if one.kind == part.kind and (moved or _receiver(one) == _receiver(part))
            ]
            if same and not keys[place]:
                free.remove(same[0])
                keys[place] = same[0].key
    taken = {one.key for one in before} | set(keys)
    for place, part in enumerate(parts):
        if not keys[place]:
            tries = (
                part.kind,
                *(f"{part.kind}-{number}" for number in range(2, len(parts) + len(before) + 3)),
            )
            keys[place] = next(one for one in tries if one not in taken)
            taken.add(keys[place])
    return tuple(replace(part, key=key) for part, key in zip(parts, keys, strict=True))


def _receiver(part: Part) -> dict[str, Value]:
    """By which of its settings an output's receiver is known."""
    return {
        name: part.values[name] for name in ("folder", "host", "port", "url", "topic") if name in part.values
    }


def make_output(part: Part, link: Link) -> Output:
    """Open an output. Raises `InspectorError`: for settings that are wrong, what has to be installed first, an address that is taken."""
    info = find_output(part.kind)
    values = checked(info.fields, part.values)
    info.require()
    return info.make(values, link)
