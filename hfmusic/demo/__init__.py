"""What the Spaces share: the look of their pages, a score that plays, errors in words, and how they are served.

`hfmusic demo NAME` opens `spaces/NAME/app.py`, whose `build()` makes the page and which does nothing but call verbs.
"""
