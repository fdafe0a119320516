"""What becomes of an order: imports, checks, undos, exports and moves, while they run and after.

`runs` lists them, `history` tells what each row has done to which object, `figures` sums up what
was imported over time.  `runparts` is what pages of all rooms show of a run.
"""
