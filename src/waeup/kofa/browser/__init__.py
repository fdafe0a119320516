"""The web door: Grok views over `waeup.kofa.operations`.

A view reads a form, calls one operation, says what happened, and redirects.  Here is what all
pages share, from the request to the layout (`page`), and where people arrive (`login`, `start`).
The rooms follow the way of a file: `imports` brings it in, `runs` shows what becomes of it,
`files` has what waits, what is done with and what can be fetched, `logs` tells afterwards what
happened; `administration` is for the portal and its people.

A room knows nothing of another, but that all may show runs.  Their templates stand beside them;
style sheet and scripts are in ``static``, for all.
"""
