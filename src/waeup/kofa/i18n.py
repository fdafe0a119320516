"""The translation domain of all texts that people read.

Doors mark their texts with ``MessageFactory``; rooms below the doors speak
plain text.
"""

from zope.i18nmessageid import MessageFactory as _ZopeMessageFactory

MessageFactory = _ZopeMessageFactory("waeup.kofa")
