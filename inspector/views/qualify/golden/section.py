"""The golden set of the project: parts whose verdict must never change."""

from __future__ import annotations

from inspector.views.qualify.section import Section


class GoldenSection(Section):
    pass
