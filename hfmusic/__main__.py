"""`python -m hfmusic` is `hfmusic`."""

from hfmusic.cli import main

main()
