"""Pages for browsers and printers, from the templates in `resources`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from inspector.paths import resources
from inspector.text import one_line

if TYPE_CHECKING:
    import jinja2


def page(name: str, filters: dict[str, Callable[..., str]] | None = None) -> "jinja2.Template":
    """A template by its file name, with `filters` that it uses; whatever is put into it is shown as text, never obeyed."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
    )
    environment.filters.update(filters or {})
    return environment.get_template(name)


def _visible(value: Any) -> Any:
    """Names and words from elsewhere without signs that a browser obeys instead of showing."""
    return one_line(value) if isinstance(value, str) else value
