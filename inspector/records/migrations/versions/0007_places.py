"""Places of images that somebody called no defect, kept beside the shots; which classes a detector takes over."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shots", sa.Column("place", sa.String(), nullable=True))
    op.drop_index("uq_shots_class_image", "shots")
    op.create_index(
        "uq_shots_class_image",
        "shots",
        ["class_id", "image_id"],
        unique=True,
        sqlite_where=sa.text("place IS NULL"),
    )
    op.add_column("detectors", sa.Column("takes", sa.String(), nullable=True))
