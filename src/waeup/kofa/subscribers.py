"""Every reaction of the data center to an event, on one screen."""

import grok
from zope.interface import Interface
from zope.lifecycleevent.interfaces import IObjectRemovedEvent

from waeup.kofa.interfaces import IDataCenter, IDataCenterStorageMovedEvent, IUniversity
from waeup.kofa.jobs.interfaces import IRunEndedEvent
from waeup.kofa.notices import tell_end_of_run
from waeup.kofa.removals import note_removal


@grok.subscribe(IDataCenter, IDataCenterStorageMovedEvent)
def tell_where_logs_go_on(datacenter, event):  # type: ignore[no-untyped-def]
    """Begin the log at the new place with the reason why it begins there.

    Loggers need no notice: they find their file whenever they write.
    """
    datacenter.logger.info("storage path set: %s", datacenter.storage)


@grok.subscribe(IRunEndedEvent)
def tell_import_managers(event):  # type: ignore[no-untyped-def]
    """Send a message, where mail is set up."""
    tell_end_of_run(grok.getSite(), event.run)


@grok.subscribe(Interface, IObjectRemovedEvent)
def keep_rows_of_removed_objects(obj, event):  # type: ignore[no-untyped-def]
    """Keep the rows of what is removed, each part of it included, but not of a whole portal."""
    if not IUniversity.providedBy(event.object):
        note_removal(obj)
