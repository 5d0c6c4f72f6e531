"""The results of a station that are worst."""

from datetime import datetime

from inspector.records.line.trends import JOINED, TrendOf, conditions, moment_text
from inspector.records.project import Project

_SEVERE = "CASE r.severity WHEN 3 THEN -1 WHEN 4 THEN 2 ELSE r.severity END"
"""What failed has no picture to show; what isn't this product counts as NG."""


def worst_results(
    project: Project, of: TrendOf, since: datetime, until: datetime, limit: int, *, only_ng: bool = False
) -> list[int]:
    """Ids of at most `limit` results that came in a span (aware, `since` <= moment < `until`), the most severe with the highest scores
    first, with people's words; `only_ng`: none but NG and other products."""
    least = 2 if only_ng else 0
    with project.reading() as session:
        condition, given, _ = conditions(session, of)
        rows = session.connection().exec_driver_sql(
            f"SELECT r.id FROM {JOINED} WHERE {condition} AND {_SEVERE} >= ? "
            f"ORDER BY {_SEVERE} DESC, r.image_score DESC LIMIT ?",
            (*given, moment_text(since), moment_text(until), least, limit),
        )
        return [int(row[0]) for row in rows]
