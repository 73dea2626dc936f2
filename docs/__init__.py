"""The documentation, and the generator of the reference pages that are made from code."""
