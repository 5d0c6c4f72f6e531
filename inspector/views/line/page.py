"""The Line page: parts that are inspected as they come."""

from inspector.views.look.sections import SectionInfo, SectionsPage

SECTIONS = (
    SectionInfo(
        "stations",
        "Stations",
        "inspect",
        "Where parts are inspected as they come",
        "inspector.views.line.stations.section:StationsSection",
    ),
    SectionInfo(
        "trend",
        "Trend",
        "evaluate",
        "How a line goes over time",
        "inspector.views.line.trend.section:TrendSection",
    ),
)


class LinePage(SectionsPage):
    infos = SECTIONS
