"""The languages of the portal, and the domain of all texts that people read.

A text is marked with ``MessageFactory`` where it is written, as a whole sentence with ``${names}``;
a door shows it in the language of the person. Files, logs, the command line and the socket speak
English, which is the text itself.
"""

from zope.i18nmessageid import MessageFactory as _ZopeMessageFactory

DOMAIN = "waeup.kofa"

MessageFactory = _ZopeMessageFactory(DOMAIN)

#: The languages that all texts are translated into, each under its own name.
LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}
