"""…"""

from inspector.views.look.sections import Section


class StationsSection(Section):
    """…"""
