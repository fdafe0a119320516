"""Every reaction of the data center to an event, on one screen."""

import grok
from zope.interface import Interface
from zope.lifecycleevent.interfaces import IObjectRemovedEvent

from waeup.kofa.interfaces import (
    IDataCenter,
    IDataCenterStorageMovedEvent,
    IFileArrivedEvent,
    IRunEndedEvent,
    IRunOverEvent,
    IUniversity,
)
from waeup.kofa.notices import tell_end_of_run
from waeup.kofa.removals import note_removal
from waeup.kofa.webhooks import outbox


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


@grok.subscribe(IRunOverEvent)
def tell_programs_of_runs(event):  # type: ignore[no-untyped-def]
    """Queue messages for programs that want to know."""
    outbox.tell_end_of_run(event.datacenter, event.run)


@grok.subscribe(IFileArrivedEvent)
def tell_programs_of_files(event):  # type: ignore[no-untyped-def]
    """Queue messages for programs that want to know."""
    outbox.tell_file(event.datacenter, event.file)


@grok.subscribe(Interface, IObjectRemovedEvent)
def keep_rows_of_removed_objects(obj, event):  # type: ignore[no-untyped-def]
    """Keep the rows of what is removed, each part of it included, but not of a whole portal."""
    if not IUniversity.providedBy(event.object):
        note_removal(obj)
