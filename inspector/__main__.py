"""`python -m inspector` and the `inspector` command."""


def main() -> None:
    from inspector.cli import app

    app()


if __name__ == "__main__":
    main()
