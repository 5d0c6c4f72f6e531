"""The tables of a project. Any change here goes with a new Alembic revision in `migrations/versions`."""

from inspector.records.tables.base import Base as Base
from inspector.records.tables.columns import EPOCH, Json, Text, Utc, present
from inspector.records.tables.columns import now as now
from inspector.records.tables.columns import word as word
from inspector.records.tables.inspected import Outline as Outline
from inspector.records.tables.inspected import Region as Region
from inspector.records.tables.inspected import Result as Result
from inspector.records.tables.inspected import Review as Review
from inspector.records.tables.inspected import Run as Run
from inspector.records.tables.line import Arrival as Arrival
from inspector.records.tables.line import Delivery as Delivery
from inspector.records.tables.line import PassedOver as PassedOver
from inspector.records.tables.line import Role as Role
from inspector.records.tables.line import Station as Station
from inspector.records.tables.qualification import Act as Act
from inspector.records.tables.qualification import GoldenCheck as GoldenCheck
from inspector.records.tables.qualification import GoldenPart as GoldenPart
from inspector.records.tables.qualification import GoldenScore as GoldenScore
from inspector.records.tables.qualification import SmallestTest as SmallestTest
from inspector.records.tables.qualification import Study as Study
from inspector.records.tables.qualification import StudyPart as StudyPart
from inspector.records.tables.qualification import StudyWord as StudyWord
from inspector.records.tables.taught import Class as Class
from inspector.records.tables.taught import Detector as Detector
from inspector.records.tables.taught import DetectorShot as DetectorShot
from inspector.records.tables.taught import Job as Job
from inspector.records.tables.taught import ProjectInfo as ProjectInfo
from inspector.records.tables.taught import Shot as Shot
from inspector.records.tables.taught import StoredImage as StoredImage
from inspector.records.tables.taught import Threshold as Threshold

KNOWN_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
"""Every revision that can be opened, oldest first; any other was written by a newer Inspector."""
REVISION = KNOWN_REVISIONS[-1]

_PRESENT = {Utc: present(Utc, EPOCH), Text: present(Text, ""), Json: present(Json, {})}
for _column in (column for table in Base.metadata.sorted_tables for column in table.columns):
    if not _column.nullable:
        _column.type = _PRESENT.get(type(_column.type), _column.type)
