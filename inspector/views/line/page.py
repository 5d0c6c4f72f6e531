"""The Line page: parts that are inspected as they come."""

from inspector.views.look.sections import SectionInfo, SectionsPage

SECTIONS = (
    SectionInfo(
        "stations",
        "Stations",
        "station",
        "Where parts are inspected as they come",
        "inspector.views.line.stations.section:StationsSection",
    ),
    SectionInfo(
        "trend",
        "Trend",
        "trend",
        "How a line goes over time",
        "inspector.views.line.trend.section:TrendSection",
    ),
)


class LinePage(SectionsPage):
    infos = SECTIONS
    shortcuts = (
        ("A", "Operator view: what was said is right"),
        ("X", "Operator view: what was said is wrong"),
        ("T", "Operator view: take a picture"),
        ("Esc", "Leave the operator view"),
    )

    def operate(self, name: str, *, start: bool) -> None:
        """Open the operator view of a station by name, and `start` it."""
        from inspector.views.line.stations.section import StationsSection

        self.show_section("stations")
        assert isinstance(self.section, StationsSection)
        self.section.operate_named(name, start=start)
