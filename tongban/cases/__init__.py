"""Cases: one acceptance number for one matter in all departments, and where it stands."""
