"""WAeUP Kofa, the student portal for large universities: its data center.

Office staff bring CSV files to the data center (:mod:`waeup.kofa.datacenter`), which keeps them,
imports them row by row into the object database, gives back the rows that failed with a reason
in each, and exports objects again. Who is new reads :mod:`waeup.kofa.interfaces` first: it tells
the life of a file. Imports point down, from the doors (``browser``, ``cli``, ``api``) over
``operations``, the components and the engines to the pure rooms (``spool``, ``tabular``,
``conversion``, ``journal``); a test holds the code to that.
"""
