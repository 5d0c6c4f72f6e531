"""The help and the tour."""

from __future__ import annotations

from stage import Stage

from inspector.views.help.tour import Tour
from inspector.views.help.window import HelpWindow


def scene_tour(stage: Stage) -> None:
    stage.open_demo("inspect")
    Tour(stage.window, stage.window).go(1)


def scene_tour_teach(stage: Stage) -> None:
    stage.window.findChildren(Tour)[0].go(5)


def after_tour_teach(stage: Stage) -> None:
    stage.window.findChildren(Tour)[0].end()


def scene_help(stage: Stage) -> None:
    stage.open_demo("inspect")
    stage.window.menus.show_help()
    stage.wait(lambda: bool(stage.window.findChildren(HelpWindow)))
    stage.settle()


def after_help(stage: Stage) -> None:
    stage.window.findChildren(HelpWindow)[0].close()
