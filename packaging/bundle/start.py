"""What the frozen program runs."""

from inspector.__main__ import main

main()
