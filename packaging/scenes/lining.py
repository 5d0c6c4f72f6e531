"""The Line page: stations, their setup, the operator view, roles."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from stage import Stage


def _folder(stage: Stage, name: str) -> Path:
    folder = stage.work / "camera" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _section(stage: Stage) -> Any:
    """The stations of the demo: two presses and an oven, set up once."""
    from inspector.records.classes import list_classes
    from inspector.records.line.stations import Part, StationSettings, add_station, list_stations

    stage.open_demo("line")
    stage.window.context.settings.reviewer = "Ada"
    project = stage.window.context.project
    assert project is not None
    classes = {row.name: row.id for row in list_classes(project)}
    if not list_stations(project):
        for number, name in enumerate(classes, 1):
            source = Part("folder", {"path": str(_folder(stage, f"press {number}"))})
            outputs = (Part("jsonl", {"folder": str(stage.work / "told")}, "jsonl-1"),) if number == 1 else ()
            settings = StationSettings(source, outputs, lot="A-2041" if number == 1 else "")
            add_station(project, f"Press {number}", settings, class_id=classes[name])
    page = stage.window.pages["line"]
    page.show_section("stations")  # type: ignore[attr-defined]
    section = page.section  # type: ignore[attr-defined]
    stage.wait(lambda: section.cards)
    return section


def _put(stage: Stage, number: int, kind: str, count: int, *, last: str) -> None:
    """So many pictures of parts, each with a name of its own; the `last` is good or not."""
    folder = _folder(stage, f"press {number}")
    good = sorted((stage.parts / kind / "test" / "good").iterdir())
    bad = sorted(one for one in (stage.parts / kind / "test").glob("*/*") if one.parent.name != "good")
    for place in range(count):
        own = bad if place % 6 == 3 else good
        if place == count - 1:
            own = good if last == "good" else bad
        moment = time.strftime("%H%M%S")
        shutil.copy(own[place % len(own)], folder / f"{moment}_{place:03}.png")


def _run(stage: Stage, section: Any, name: str) -> int:
    key = next(view.row.id for view in section.views if view.row.name == name)
    if not section.context.stations.running(key):
        section.edits.start(section.cards[key].view.row)
    stage.wait(lambda: (state := section.context.stations.state(key)) is not None and state.running)
    return int(key)


def _operate(stage: Stage, last: str) -> Any:
    section = _section(stage)
    kind = section.views[0].row.class_name
    key = _run(stage, section, "Press 1")
    before = section.context.stations.state(key).judged
    _put(stage, 1, kind, 23, last=last)
    stage.wait(lambda: section.context.stations.state(key).judged >= before + 23)
    section.operate(key)
    view = section.operator
    size = stage.window.size()
    view.showNormal()
    view.resize(size)
    stage.wait(lambda: view.shown is not None and view.picture.pictured == view.shown.result_id)
    stage.settle(1.5)
    stage.shown = view
    return view


def _leave(stage: Stage) -> None:
    stage.shown = None
    section = stage.window.pages["line"].section  # type: ignore[attr-defined]
    if section.operator is not None:
        section.operator.leave()
    runner = stage.window.context.runner
    for job in runner.stations:
        runner.cancel(job)
    stage.wait(lambda: not runner.stations)
    stage.settle()


def scene_line_no_stations(stage: Stage) -> None:
    stage.new_project()
    stage.window.show_page("line")


def scene_line_stations(stage: Stage) -> None:
    """Two run, one of them with a source that went away; the third stands still."""
    section = _section(stage)
    kinds = [view.row.class_name for view in section.views]
    for number, name in ((1, "Press 1"), (2, "Press 2")):
        key = _run(stage, section, name)
        before = section.context.stations.state(key).judged
        _put(stage, number, kinds[number - 1], 14, last="good")
        stage.wait(lambda key=key, before=before: section.context.stations.state(key).judged >= before + 14)
    folder = _folder(stage, "press 2")
    folder.rename(folder.with_name("press 2 away"))
    stage.wait(lambda: section.context.stations.state(key).source)
    section.refresh()
    stage.settle(1.5)


def after_line_stations(stage: Stage) -> None:
    _leave(stage)
    away = stage.work / "camera" / "press 2 away"
    if away.exists():
        away.rename(stage.work / "camera" / "press 2")


def _dialog(stage: Stage, tab: int) -> Any:
    section = _section(stage)
    section.edit_row(section.views[0].row)
    stage.wait(lambda: section.dialog is not None)
    section.dialog.show_tab(tab)
    stage.settle(1.0)
    return section.dialog


def scene_line_setup(stage: Stage) -> None:
    _dialog(stage, 0)


def scene_line_setup_genicam(stage: Stage) -> None:
    """An industrial camera, triggered by MQTT."""
    dialog = _dialog(stage, 0)
    dialog.source.setCurrentIndex(dialog.source.findData("genicam"))
    form = dialog.form
    form.inputs["camera"].setText("22618941")
    form.inputs["trigger"].setCurrentIndex(form.inputs["trigger"].findData("mqtt"))
    form.inputs["trigger_host"].setText("broker.plant")
    form.inputs["exposure"].setValue(4000)
    form.inputs["features"].setText("PixelFormat=BayerRG8")
    stage.settle()


def scene_line_setup_genicam_foot(stage: Stage) -> None:
    """The same, scrolled down."""
    scene_line_setup_genicam(stage)
    area = stage.window.pages["line"].section.dialog._stack.currentWidget()  # type: ignore[attr-defined]
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
    stage.settle()


def scene_line_setup_tells(stage: Stage) -> None:
    dialog = _dialog(stage, 1)
    dialog.outputs.cards[0].try_button.click()
    stage.settle()


def scene_line_setup_keeps(stage: Stage) -> None:
    _dialog(stage, 2)


def scene_line_setup_shifts(stage: Stage) -> None:
    _dialog(stage, 3)


def after_line_setup(stage: Stage) -> None:
    section = stage.window.pages["line"].section  # type: ignore[attr-defined]
    if section.dialog is not None:
        section.dialog.reject()
    stage.settle()


after_line_setup_genicam = after_line_setup_genicam_foot = after_line_setup
after_line_setup_tells = after_line_setup_keeps = after_line_setup_shifts = after_line_setup


def scene_operator_ok(stage: Stage) -> None:
    _operate(stage, "good")


def scene_operator_ng(stage: Stage) -> None:
    _operate(stage, "defective")


after_operator_ok = after_operator_ng = _leave


def scene_roles(stage: Stage) -> None:
    """Preferences of a project in which engineer and inspector ask for a PIN."""
    from inspector.domain import Role
    from inspector.records.line.roles import set_pin

    stage.open_demo("preferences")
    context = stage.window.context
    assert context.project is not None
    for role, pin in ((Role.ENGINEER, "4711"), (Role.INSPECTOR, "2580")):
        set_pin(context.project, role, pin)
    context.sign_in(Role.ENGINEER, "Ada")
    stage.settle()
    from PySide6.QtWidgets import QScrollArea

    for area in stage.window.page.findChildren(QScrollArea):  # the roles are at its foot
        area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())


def scene_roles_asked(stage: Stage) -> None:
    """An operator wants to set up a station."""
    scene_roles(stage)
    stage.window.context.sign_in(None)
    section = _section(stage)
    section.add()
    stage.wait(lambda: stage.window.door.dialog is not None)


def after_roles(stage: Stage) -> None:
    from inspector.domain import Role
    from inspector.records.line.roles import remove_pin

    if stage.window.door.dialog is not None:
        stage.window.door.dialog.reject()
    project = stage.window.context.project
    assert project is not None
    remove_pin(project, Role.ENGINEER)
    stage.window.context.sign_in(None)
    stage.settle()


after_roles_asked = after_roles
