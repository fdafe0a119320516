"""What the exit code of ``kofactl`` says; a shell, and who writes scripts, go by it."""

#: Every row is done, or the command did what it should.
DONE = 0
#: An import left rows in a pending file, or something is left that a person has to look at.
LEFT = 1
#: The command or its input was refused; nothing was changed.
REFUSED = 2
#: The machine or the program failed.
FAULT = 3
#: As a shell counts them: 128 and the number of the signal.
INTERRUPTED, NOBODY_READS = 130, 141
