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
