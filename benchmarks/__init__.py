"""How fast the data center is, as ratios to named floors: `make bench`.

Stands beside the package, which does not know of it, and calls it as integrators
do.  A benchmark is a module with a function ``run(folder, quick)`` that returns an
`Outcome`; `__main__` lists them.  `people` makes the files that they read,
`frame` measures, `pages` writes the figures into the manual.

No figure here is a test: a busy machine must not fail a build.
"""
