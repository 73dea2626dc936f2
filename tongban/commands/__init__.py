"""The command line's commands, one file per group; each has an `app` that `tongban.cli` adds.

Thin: a command reads its options, calls the package that does the work, and prints. Heavy
libraries are imported inside the commands, so that `--help` answers at once.
"""
