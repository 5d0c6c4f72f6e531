"""`inspector stations` and `inspector station`: stations listed and set up without a window."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspector import settings
from inspector.cli.output import say, table
from inspector.errors import SettingsError

if TYPE_CHECKING:
    from inspector.records.line.stations import Part, StationRow, Value
    from inspector.records.project import Project

app = typer.Typer()
setup = typer.Typer(help="Set up the stations of a project without a window.", no_args_is_help=True)
app.add_typer(setup, name="station")
Folder = Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)]
Name = Annotated[str, typer.Argument(help="The station's name.")]
Source = Annotated[
    str | None, typer.Option(help="folder, camera, http …; inspector station kinds lists them.")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the source. Repeat for several.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        help="Who is told, in one word: “KIND NAME=VALUE …”. Repeat for several; “none”: nobody. Takes the place of all before.",
    ),
]
ClassName = Annotated[
    str | None, typer.Option("--class", help="Class of all pictures; with “” it is found per picture.")
]
DetectorId = Annotated[
    int | None,
    typer.Option("--detector", min=0, help="Always this detector, by number; 0: the one in charge."),
]
Lot = Annotated[str | None, typer.Option(help="The order that is made now.")]


@app.command("stations")
def stations(project: Folder) -> None:
    """List the stations of a project."""
    from inspector.records import project as projects
    from inspector.records.line.stations import list_stations

    with projects.open(project, read_only=True) as opened:
        rows = list_stations(opened)
    if not rows:
        say(
            "There are none. Set one up: inspector station add PROJECT NAME --source folder --set path=FOLDER"
        )
        return
    table(
        "Stations",
        ["station", "source", "class", "detector", "tells", "order"],
        [
            [
                row.name,
                _words(row.settings.source) if row.settings else "damaged",
                row.class_name or "found",
                "in charge" if row.detector_id is None else f"#{row.detector_id}",
                ", ".join(one.kind for one in row.settings.outputs) if row.settings else "",
                row.settings.lot if row.settings else "",
            ]
            for row in rows
        ],
    )


@setup.command("kinds")
def kinds() -> None:
    """What can be set of every kind of source and output."""
    from inspector.stations.outputs.catalogue import OUTPUTS
    from inspector.stations.sources.catalogue import SOURCES

    for title, infos in (("Sources", SOURCES), ("Outputs", OUTPUTS)):
        rows = [
            [
                info.kind,
                one.name,
                "needed" if one.default is None else str(one.default),
                f"{one.title}. {one.help}"
                + (f" ({', '.join(key for key, _ in one.choices)})" if one.choices else ""),
            ]
            for info in infos.values()
            for one in info.fields
        ]
        table(title, ["kind", "setting", "default", "what it is"], rows)


@setup.command("add")
def add(
    project: Folder,
    name: Name,
    source: Source = None,
    values: Set = None,
    outputs: Outputs = None,
    class_name: ClassName = None,
    detector: DetectorId = None,
    lot: Lot = None,
) -> None:
    """Add a station."""
    from inspector.records import project as projects
    from inspector.records.line.stations import Part, StationSettings, add_station
    from inspector.stations.places import require_places

    with projects.open(project) as opened:
        opened.who = settings.load().reviewer
        made = StationSettings(
            _source(Part(source or "folder"), values),
            _outputs(outputs or []),
            lot=lot or "",
        )
        require_places(opened, made)
        add_station(
            opened,
            name,
            made,
            class_id=_class_id(opened, class_name or ""),
            detector_id=_detector_id(opened, detector or 0),
        )
    say(f"✓ {name}")


@setup.command("edit")
def edit(
    project: Folder,
    name: Name,
    source: Source = None,
    values: Set = None,
    outputs: Outputs = None,
    class_name: ClassName = None,
    detector: DetectorId = None,
    lot: Lot = None,
) -> None:
    """Change what is named of a station; the rest stays."""
    from inspector.records import project as projects
    from inspector.records.line.stations import Part, change_station, find_station
    from inspector.stations.places import require_places

    with projects.open(project) as opened:
        opened.who = settings.load().reviewer
        row = find_station(opened, name)
        if row.settings is None:
            raise SettingsError(
                f"The settings of the station “{row.name}” are damaged.", "Remove it and add it again."
            )
        before = row.settings
        other = source is not None and source != before.source.kind
        made = replace(
            before,
            source=_source(Part(source or "") if other else before.source, values),
            outputs=before.outputs if outputs is None else _outputs(outputs, before.outputs),
            lot=before.lot if lot is None else lot,
        )
        require_places(opened, made, row.id)
        change_station(
            opened,
            row.id,
            name=row.name,
            settings=made,
            class_id=row.class_id if class_name is None else _class_id(opened, class_name),
            detector_id=row.detector_id if detector is None else _detector_id(opened, detector),
        )
    say(f"✓ {row.name}")


@setup.command("remove")
def remove(project: Folder, name: Name) -> None:
    """Take a station out; its results stay."""
    from inspector.records import project as projects
    from inspector.records.line.stations import find_station, remove_station

    with projects.open(project) as opened:
        opened.who = settings.load().reviewer
        row: StationRow = find_station(opened, name)
        remove_station(opened, row.id)
    say(f"✓ {row.name} was taken out; its results stay.")


def _words(part: "Part") -> str:
    """A source without what may be secret."""
    place = part.values.get("path") or part.values.get("device") or part.values.get("port") or ""
    return f"{part.kind} {place}".strip()


def _source(before: "Part", values: Sequence[str] | None) -> "Part":
    from inspector.records.line.stations import Part
    from inspector.stations.sources.catalogue import source_values

    given = Part(before.kind, {**before.values, **_pairs(values or [])})
    return replace(given, values=source_values(given))


def _outputs(words: Sequence[str], before: "Sequence[Part]" = ()) -> "tuple[Part, ...]":
    """Raises `SettingsError` for what can't be. Each has a key of its own, which says what it was told: that of the one `before` to the
    same receiver, else a new one."""
    from inspector.records.line.stations import Part
    from inspector.stations.fields import checked
    from inspector.stations.outputs.catalogue import find_output, with_keys

    found: list[Part] = []
    for text in words:
        if text.strip() == "none":
            continue
        try:
            kind, *pairs = shlex.split(text)
        except ValueError:
            raise SettingsError(
                f"The output “{text}” can't be read.", "Write KIND NAME=VALUE …, with quotes around spaces."
            ) from None
        found.append(Part(kind, checked(find_output(kind).fields, _pairs(pairs))))
    for one in found:
        if words_on := find_output(one.kind).exposed(one.values):
            say(f"! {one.kind}: {words_on}", error=True)
    return with_keys(found, before)


def _pairs(words: Sequence[str]) -> "dict[str, Value]":
    found: dict[str, Value] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise SettingsError(f"“{word}” is no setting.", "Write NAME=VALUE.")
        found[name.strip()] = value
    return found


def _class_id(project: "Project", name: str) -> int | None:
    from inspector.records.classes import find_class

    return find_class(project, name).id if name else None


def _detector_id(project: "Project", number: int) -> int | None:
    from inspector.records.detectors import find_detector

    return find_detector(project, number).id if number else None
