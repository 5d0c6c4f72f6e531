"""The page Teach of an empty project."""

from collections.abc import Callable

import pytest

from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow


@pytest.fixture
def page(project_window: MainWindow, idle: Callable[[], None]) -> TeachPage:
    idle()
    made = project_window.pages["teach"]
    assert isinstance(made, TeachPage)
    return made
