"""What happened: the logs of the data center, and the lines that fit what is looked for.

`logs` has the pages, `loglines` what a line looks like, with links to the run that it is of.
"""
