"""When a line was followed that a test makes up."""

from datetime import UTC, datetime

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
