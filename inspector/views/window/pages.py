"""The pages of the window: their names, icons, and where their code is."""

import importlib
from dataclasses import dataclass

from inspector.views.shared.page import Page


@dataclass(frozen=True, slots=True)
class PageInfo:
    """A page is made when it is first shown. `factory`: "module:Class". `tab`: it has a tab of its own."""

    name: str
    title: str
    icon: str
    factory: str
    tab: bool = True
    needs_project: bool = True

    def kind(self) -> type[Page]:
        """Its class; the first time, its code is loaded."""
        module, _, name = self.factory.partition(":")
        found: type[Page] = getattr(importlib.import_module(module), name)
        return found


PAGES = (
    PageInfo("start", "Start", "home", "inspector.views.start.page:StartPage", needs_project=False),
    PageInfo("teach", "Teach", "teach", "inspector.views.teach.page:TeachPage"),
    PageInfo("inspect", "Inspect", "inspect", "inspector.views.inspect.page:InspectPage"),
    PageInfo("results", "Results", "results", "inspector.views.results.page:ResultsPage"),
    PageInfo(
        "evaluate",
        "Evaluate",
        "evaluate",
        "inspector.views.evaluate.page:EvaluatePage",
        needs_project=False,
    ),
    PageInfo("line", "Line", "line", "inspector.views.line.page:LinePage"),
    PageInfo("qualify", "Qualify", "qualify", "inspector.views.qualify.page:QualifyPage"),
    PageInfo(
        "weights",
        "Weights",
        "weights",
        "inspector.views.settings.weights_page:WeightsPage",
        False,
        needs_project=False,
    ),
    PageInfo(
        "preferences",
        "Preferences",
        "settings",
        "inspector.views.settings.preferences:PreferencesPage",
        False,
        needs_project=False,
    ),
)


def info(name: str) -> PageInfo:
    return next(page for page in PAGES if page.name == name)


def load() -> None:
    """Load the code of every page, and with it pyqtgraph and superqt, so that opening the first one doesn't wait for
    that. It makes classes only and nothing that belongs to a thread: for a worker, once the window is on screen."""
    for page in PAGES:
        page.kind()
