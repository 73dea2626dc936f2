"""One file per revision, named `r<number>_<what>`; a revision that was released never changes."""
