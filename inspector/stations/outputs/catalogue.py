"""Whom a station can tell."""

from inspector.errors import SettingsError
from inspector.records.line.stations import Part
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


def make_output(part: Part, link: Link) -> Output:
    """Open an output. Raises `InspectorError`: for settings that are wrong, what has to be installed first, an address that is taken."""
    info = find_output(part.kind)
    values = checked(info.fields, part.values)
    info.require()
    return info.make(values, link)
