"""The six department systems of the sandbox, as real HTTP servers.

They stand at both ends of a record's path: the hub pulls from them and pushes to them over
the departments' own protocols. Nothing here imports the hub, and the hub imports nothing here.
"""
