"""The web door: Grok views over `waeup.kofa.operations`.

A view reads a form, calls one operation, says what happened, and redirects.
`page` is what all views have in common; the other modules follow the officer's
way: `login`, `start`, `datacenter`, `importing`, `exports`, `downloads`, `errors`.
"""
