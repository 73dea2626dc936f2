"""Fake: one declared system, served from its own description while the department is closed.

Records are synthetic (area code 620899), made from the mapping's examples or, without any, from the
contract's types; they honour windows, paging, success layers and the presence of an identity, and
pushes are answered record by record. What the description does not say, the fake does not know: it
proves that our files fit together, never that they fit the department. It imports no sandbox.
"""
