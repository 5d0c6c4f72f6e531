"""First revision: classes, images, shots, detectors, thresholds, runs, results, regions, reviews, jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UNCHANGEABLE = {
    "reviews": "reviews are append-only",
    "detector_shots": "the shots of a detector never change",
    "thresholds": "thresholds are a history",
}


def upgrade() -> None:
    op.create_table('classes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.Column('removed', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_classes'))
    )
    op.create_index('uq_classes_key', 'classes', ['key'], unique=True, sqlite_where=sa.text('removed IS NULL'))
    op.create_table('images',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('suffix', sa.String(), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('mode', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_images')),
    sa.UniqueConstraint('sha256', name=op.f('uq_images_sha256'))
    )
    op.create_table('jobs',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('message', sa.String(), nullable=False),
    sa.Column('hint', sa.String(), nullable=False),
    sa.Column('result', sa.JSON(), nullable=False),
    sa.Column('started', sa.DateTime(), nullable=False),
    sa.Column('ended', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs'))
    )
    op.create_table('project',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.CheckConstraint('id = 1', name=op.f('ck_project_one_row')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_project'))
    )
    op.create_table('detectors',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('method', sa.String(), nullable=False),
    sa.Column('backbone', sa.JSON(), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.Column('false_alarm_rate', sa.Double(), nullable=False),
    sa.Column('taught_names', sa.JSON(), nullable=False),
    sa.Column('held_out', sa.JSON(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.Column('removed', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_detectors_job_id_jobs'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_detectors'))
    )
    op.create_table('shots',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('class_id', sa.Integer(), nullable=False),
    sa.Column('image_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.Column('removed', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['class_id'], ['classes.id'], name=op.f('fk_shots_class_id_classes'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['image_id'], ['images.id'], name=op.f('fk_shots_image_id_images'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_shots'))
    )
    op.create_index('ix_shots_image', 'shots', ['image_id'], unique=False)
    op.create_index('uq_shots_class_image', 'shots', ['class_id', 'image_id'], unique=True)
    op.create_table('detector_shots',
    sa.Column('detector_id', sa.Integer(), nullable=False),
    sa.Column('shot_id', sa.Integer(), nullable=False),
    sa.Column('class_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['class_id'], ['classes.id'], name=op.f('fk_detector_shots_class_id_classes'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['detector_id'], ['detectors.id'], name=op.f('fk_detector_shots_detector_id_detectors'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['shot_id'], ['shots.id'], name=op.f('fk_detector_shots_shot_id_shots'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('detector_id', 'shot_id', name=op.f('pk_detector_shots'))
    )
    op.create_index('ix_detector_shots_class', 'detector_shots', ['class_id', 'detector_id'], unique=False)
    op.create_table('runs',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('detector_id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('class_id', sa.Integer(), nullable=True),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.Column('removed', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['class_id'], ['classes.id'], name=op.f('fk_runs_class_id_classes'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['detector_id'], ['detectors.id'], name=op.f('fk_runs_detector_id_detectors'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_runs_job_id_jobs'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_runs'))
    )
    op.create_table('thresholds',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('detector_id', sa.Integer(), nullable=False),
    sa.Column('class_id', sa.Integer(), nullable=False),
    sa.Column('review', sa.Double(), nullable=False),
    sa.Column('ng', sa.Double(), nullable=False),
    sa.Column('pixel', sa.Double(), nullable=False),
    sa.Column('provenance', sa.JSON(), nullable=False),
    sa.Column('who', sa.String(), nullable=False),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['class_id'], ['classes.id'], name=op.f('fk_thresholds_class_id_classes'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['detector_id'], ['detectors.id'], name=op.f('fk_thresholds_detector_id_detectors'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thresholds'))
    )
    op.create_index('ix_thresholds_newest', 'thresholds', ['detector_id', 'class_id', 'id'], unique=False)
    op.create_table('results',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('run_id', sa.Integer(), nullable=False),
    sa.Column('detector_id', sa.Integer(), nullable=False),
    sa.Column('image_id', sa.Integer(), nullable=True),
    sa.Column('class_id', sa.Integer(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('image_score', sa.Double(), nullable=True),
    sa.Column('class_confidence', sa.Double(), nullable=True),
    sa.Column('decision', sa.String(), nullable=True),
    sa.Column('override', sa.String(), nullable=True),
    sa.Column('severity', sa.Integer(), sa.Computed("CASE coalesce(override, decision) WHEN 'ok' THEN 0 WHEN 'review' THEN 1 WHEN 'ng' THEN 2 ELSE 3 END", persisted=False), nullable=False),
    sa.Column('reviewed', sa.DateTime(), nullable=True),
    sa.Column('defect_type', sa.String(), nullable=False),
    sa.Column('map', sa.String(), nullable=True),
    sa.Column('regions_threshold_id', sa.Integer(), nullable=True),
    sa.Column('is_shot', sa.Boolean(), nullable=False),
    sa.Column('error', sa.String(), nullable=False),
    sa.Column('hint', sa.String(), nullable=False),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['class_id'], ['classes.id'], name=op.f('fk_results_class_id_classes'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['detector_id'], ['detectors.id'], name=op.f('fk_results_detector_id_detectors'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['image_id'], ['images.id'], name=op.f('fk_results_image_id_images'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['regions_threshold_id'], ['thresholds.id'], name=op.f('fk_results_regions_threshold_id_thresholds'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_results_run_id_runs'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_results'))
    )
    op.create_index('ix_results_class', 'results', ['class_id'], unique=False)
    op.create_index('ix_results_defect_type', 'results', ['defect_type'], unique=False)
    op.create_index('ix_results_image', 'results', ['image_id'], unique=False)
    op.create_index('ix_results_judged', 'results', ['detector_id', 'class_id', 'image_score'], unique=False)
    op.create_index('ix_results_name', 'results', ['name'], unique=False)
    op.create_index('ix_results_reviewed', 'results', ['reviewed'], unique=False)
    op.create_index('ix_results_run', 'results', ['run_id', 'id'], unique=False)
    op.create_index('ix_results_run_severity', 'results', ['run_id', 'severity'], unique=False)
    op.create_index('ix_results_score', 'results', ['image_score'], unique=False)
    op.create_index('ix_results_severity', 'results', ['severity'], unique=False)
    op.create_table('regions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('result_id', sa.Integer(), nullable=False),
    sa.Column('x', sa.Integer(), nullable=False),
    sa.Column('y', sa.Integer(), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('area', sa.Integer(), nullable=False),
    sa.Column('peak', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['result_id'], ['results.id'], name=op.f('fk_regions_result_id_results'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_regions'))
    )
    op.create_index('ix_regions_result', 'regions', ['result_id'], unique=False)
    op.create_table('reviews',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('result_id', sa.Integer(), nullable=False),
    sa.Column('decision', sa.String(), nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('defect_type', sa.String(), nullable=False),
    sa.Column('who', sa.String(), nullable=False),
    sa.Column('withdraws', sa.Integer(), nullable=True),
    sa.Column('created', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['result_id'], ['results.id'], name=op.f('fk_reviews_result_id_results'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['withdraws'], ['reviews.id'], name=op.f('fk_reviews_withdraws_reviews'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reviews'))
    )
    op.create_index('ix_reviews_result', 'reviews', ['result_id', 'id'], unique=False)
    for table, sentence in UNCHANGEABLE.items():
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
            )
