"""`python -m inspector` and the `inspector` command."""


def main() -> None:
    """The `inspector` command."""
    from inspector.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
