"""`python -m smartcam`."""

from smartcam.cli import main

main()
