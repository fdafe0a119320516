"""What happens when the data center moves."""

import os

import grok

from waeup.kofa.interfaces import IDataCenter, IDataCenterStorageMovedEvent


@grok.subscribe(IDataCenter, IDataCenterStorageMovedEvent)
def handle_storage_moved(obj, event):
    """Write down where the files of caves are."""
    with open(os.path.join(obj.storage, "logs", "caves-moved.log"), "a") as stream:
        stream.write(f"{event.object.storage}\n")
