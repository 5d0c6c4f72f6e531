"""The Qualify page: what shows others, and oneself, that the detector can be trusted."""

from inspector.views.look.sections import SectionInfo, SectionsPage

SECTIONS = (
    SectionInfo(
        "golden",
        "Golden set",
        "golden",
        "Parts whose verdict must never change",
        "inspector.views.qualify.golden.section:GoldenSection",
    ),
    SectionInfo(
        "smallest",
        "Smallest defect",
        "search",
        "From which size on a defect is found",
        "inspector.views.qualify.smallest.section:SmallestSection",
    ),
    SectionInfo(
        "study",
        "Study",
        "study",
        "How people and the detector judge the same parts",
        "inspector.views.qualify.study.section:StudySection",
    ),
    SectionInfo(
        "audit",
        "Audit",
        "audit",
        "Who did what in this project",
        "inspector.views.qualify.audit.section:AuditSection",
    ),
)


class QualifyPage(SectionsPage):
    infos = SECTIONS
    shortcuts = (
        ("Ctrl+E", "Export what the section shows"),
        ("O or 1", "Study: call the part OK"),
        ("N or 2", "Study: call the part NG"),
        ("Backspace", "Study: back one part"),
        ("Esc", "Study: pause"),
    )
