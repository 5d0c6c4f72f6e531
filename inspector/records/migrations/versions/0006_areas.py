"""What of a class's pictures is inspected."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("classes", sa.Column("area", sa.String(), nullable=True))
