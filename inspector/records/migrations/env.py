"""Alembic runs this; the connection comes from `records.project`."""

from alembic import context

from inspector.records.schema import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
