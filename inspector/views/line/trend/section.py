"""…"""

from inspector.views.look.sections import Section


class TrendSection(Section):
    """…"""
