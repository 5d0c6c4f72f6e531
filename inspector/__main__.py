"""`python -m inspector` and the `inspector` command."""

import sys


def main() -> None:
    """The `inspector` command."""
    if getattr(
        sys, "frozen", False
    ):  # worker processes are this program too, with arguments of multiprocessing
        import multiprocessing

        multiprocessing.freeze_support()
    if len(sys.argv) == 2 and sys.argv[1].startswith("--answer"):
        from inspector.views import display

        if sys.argv[1] == display.ANSWER:
            display.answer()
            return
    from inspector.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
