"""The synthetic city: one file per kind of thing that departments keep records of.

Each file turns a seeded random stream into source documents exactly as a department serves them.
Everything made here is valid; faults are added later, by `sandbox.defects`, and written down in the
truth file. Nothing here opens a socket or writes a file.
"""
