"""The sandbox: a synthetic city and the department servers that hand it out.

It stands where the real departments stand: before the first step of a record's path and after the
last. It never imports tongban or connectors, is never imported by them, and holds no real person:
every number carries the area code 620899, which no county ever had.
"""
