"""The door for programs: operations as messages, beside the pages for people.

While a portal runs, ``kofactl`` asks it over a Unix socket in the instance directory.  `local`
is the portal's end of it and `remote` that of ``kofactl``; `wire` turns values into messages,
`sockets` carries these, and `acting` opens the portal for one person.
"""
