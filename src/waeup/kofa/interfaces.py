"""The public contracts of the data center, in the order of the flow.

The life of a file:

* An officer *uploads* a table.  It is streamed to disk, made durable, and then
  shown among the **pending files** of the data center (`IDataCenter`); each is
  seen through an `IDataCenterFile`.
* The table is previewed and its columns are *mapped* to the fields of a kind of
  objects.  A kind is known by its `IBatchProcessor`.
* The processor *imports* row by row inside the caller's transaction.  A row
  ends in exactly one of two files: **finished**, or **pending** with a reason.
* `IDataCenter.distProcessedFiles` puts source and result files into their
  places.  It survives a kill at any instant.
* Everything is told in *log files* (`ILogFile`), which officers may search.
* When the storage path changes, `IDataCenterStorageMovedEvent` is notified.

Contracts below are for site components and integrators.  What a room keeps to
itself is in the ``interfaces`` module of that room.
"""

from zope import schema
from zope.interface import Attribute, Interface, implementer
from zope.interface.interfaces import IObjectEvent, ObjectEvent
from zope.schema.interfaces import ISource

from waeup.kofa.errors import DuplicationError, FatalCSVError

__all__ = [
    "BACK_COLUMN",
    "DELETION_MARKER",
    "ERRORS_COLUMN",
    "IGNORE_COLUMN",
    "IGNORE_MARKER",
    "RAW_COLUMN",
    "REMOVED_COLUMN",
    "DataCenterStorageMovedEvent",
    "DuplicationError",
    "ExportBegunEvent",
    "ExportDoneEvent",
    "FatalCSVError",
    "FileArrivedEvent",
    "FileDeletedEvent",
    "FilePurgedEvent",
    "FileRestoredEvent",
    "IBatchDoneEvent",
    "IBatchProcessor",
    "ICSVExporter",
    "IDataCenter",
    "IDataCenterConfig",
    "IDataCenterFile",
    "IDataCenterStorageMovedEvent",
    "IExportBegunEvent",
    "IExportDoneEvent",
    "IFieldConverter",
    "IFileArrivedEvent",
    "IFileDeletedEvent",
    "IFilePurgedEvent",
    "IFileRestoredEvent",
    "IKofaObject",
    "ILogFile",
    "ILogger",
    "ILoggerCollector",
    "IMappingMadeEvent",
    "IObjectConverter",
    "IRowDoneEvent",
    "IRunBegunEvent",
    "IRunEndedEvent",
    "IRunOrderedEvent",
    "IRunOverEvent",
    "IRunResumedEvent",
    "IUniversity",
    "MappingMadeEvent",
]

#: Cell text that sets a field to its missing value (Kofa 1.9).
DELETION_MARKER = "XXX"
#: Cell text that leaves a field untouched (Kofa 1.9).
IGNORE_MARKER = "<IGNORE>"
#: Header that drops its column (Kofa 1.9).
IGNORE_COLUMN = "--IGNORE--"
#: Column of pending files that holds the reasons (Kofa 1.9); ignored on import.
ERRORS_COLUMN = "--ERRORS--"
#: Column of pending files that holds the text of rows without cells; ignored on import.
RAW_COLUMN = "--RAW--"
#: Column that says when an object was removed (Kofa 1.9); no kind needs to have such a field.
REMOVED_COLUMN = "del_date"
#: Column that says when a removed object came back.
BACK_COLUMN = "back_date"


class IKofaObject(Interface):
    """Marks every object of a Kofa portal."""


class IUniversity(IKofaObject):
    """The site: a university's portal."""


# -- the data center -------------------------------------------------------


class IDataCenterConfig(Interface):
    """What is said about data centers: a mapping with the keys below.

    Registered as a global utility by the process, and as a local one by a portal, whose
    people may set what they want (`waeup.kofa.configuration`).  The path is consulted only
    when a data center is made; afterwards the data center itself knows where its files are.
    """

    path = schema.TextLine(title="Path", description="An existing folder.", required=True)
    upload_limit = schema.Int(
        title="Largest upload in bytes", description="200 MiB without it.", required=False
    )
    limits = Attribute("The `waeup.kofa.tabular.Limits` of a table; the usual ones without it.")
    undo_days = schema.Int(
        title="Days for which an import can be taken back",
        description="30 without it.",
        required=False,
    )
    remove_share = schema.Float(
        title="Share of all objects of a kind that a run may remove without being asked",
        description="0.1 without it.",
        required=False,
    )
    change_share = schema.Float(
        title="Share of all objects of a kind that a run may change without being asked",
        description="0.5 without it.",
        required=False,
    )
    export_hours = schema.Float(
        title="Hours for which the result of an export is kept",
        description="24 without it.",
        required=False,
    )
    mail_from = schema.ASCIILine(
        title="Sender of messages about runs",
        description="Without it, or without an `IMailDelivery`, none are sent.",
        required=False,
    )
    storage_roots = schema.List(
        title="Folders below which the storage may be moved by a page",
        description="Without them only the operator moves it.",
        value_type=schema.TextLine(),
        required=False,
    )
    api_requests = schema.Int(
        title="Requests a minute that a token may send to a process",
        description="600 without it; 0 for any number.",
        required=False,
    )
    api_wrong_tokens = schema.Int(
        title="Requests a minute with wrong tokens that an address may send to a process",
        description="30 without it; 0 for any number.",
        required=False,
    )
    time_zone = schema.TextLine(
        title="Time zone of times on pages",
        description="A name of the IANA data base; the server's own without it.",
        required=False,
    )


class IDataCenter(IKofaObject):
    """The place where CSV files are kept, imported, and given back.

    Needs neither a database connection nor a principal.
    """

    storage = schema.TextLine(
        title="Storage path",
        description="Absolute path of the folder that holds all files.",
        readonly=True,
    )
    deleted_path = schema.TextLine(title="Path of the data of deleted items", readonly=True)
    graduated_path = schema.TextLine(
        title="Path of the data of graduated students",
        description="The folder is made when it is first used.",
        readonly=True,
    )
    max_files = schema.Int(title="Number of finished files that are listed at most", default=100)

    def folder(name):
        """Return the path of a folder of the storage, which is made when first used.

        Raises `InvalidName` for a name that is not one of Kofa's folders.
        """

    def getPendingFiles(sort="name"):
        """List the files that wait for an import as `IDataCenterFile` objects.

        `sort` is ``'name'`` (ascending) or ``'date'`` (newest first).  A missing
        storage gives an empty list.
        """

    def getFinishedFiles():
        """List the result files of finished rows, newest first, as `IDataCenterFile`.

        At most `max_files` are listed; originals are not.
        """

    def setStoragePath(path, move=False, overwrite=False):
        """Keep files in the existing folder `path` from now on.

        With `move` the top-level entries of the old storage are copied; entries
        that exist already are replaced with `overwrite`, otherwise left alone.
        The old folder keeps its content.  Notifies `IDataCenterStorageMovedEvent`,
        also when the path is the same.  Raises ValueError when there is no such
        folder.  Where the data center lives in a database, an abort of the
        transaction takes the copies back.

        Returns the list of names that were not copied.
        """

    def distProcessedFiles(
        successful, source_path, finished_file, pending_file, mode="create", move_orig=True
    ):
        """Put a processed source and its result files into their places.

        `successful` says that no row failed; `source_path` lies in the storage;
        `finished_file` and `pending_file` (or None) are the result files, in a
        folder that is removed when nothing else is in it.  `mode` becomes part of
        the file names.  `move_orig` has no effect; it stands for Kofa 1.9.

        Is done as a whole or, after a kill, is completed by `recover`.  Raises
        `NoSuchItem` when the source is gone, because another process was quicker;
        then nothing was changed.
        """

    def recover():
        """Complete what a killed process left half done in the storage.

        Call it when a process starts to work with a storage; each call of
        `distProcessedFiles` does so too.  A second call changes nothing.
        """

    def getLogFiles(exclude_backups=True):
        """List log files as `ILogFile` objects, sorted by name.

        ``payments.log`` is never listed; backups (``main.log.1``) only on demand.
        """

    def queryLogfiles(basename, query=None, limit=0, start=0):
        """Generate the lines of a log and its backups that match an expression.

        `basename` is the name of a log file, `query` a regular expression in
        RE2's syntax that is searched for in each line (line end included).  The
        oldest backup comes first.  At most `limit` lines are given (0: all), from
        match number `start`, counted from zero.  Raises ValueError
        (``Invalid query string: ...``) with the first line, when `query` is none.
        """


class IDataCenterFile(Interface):
    """A file of the data center, described in texts that can be shown."""

    name = schema.TextLine(title="Name", readonly=True)
    size = schema.TextLine(title="Size", description="For example ``13 bytes``.", readonly=True)
    uploaddate = schema.TextLine(title="Date of last change, local time", readonly=True)
    lines = schema.Int(
        title="Number of lines", description="Counted when first asked for.", readonly=True
    )

    def getDate():
        """Return the date of the last change as ``YYYY-MM-DD HH:MM:SS``, local time."""

    def getSize():
        """Return the size as text: ``N bytes``, ``N.NN kb``, ``N.NN MB`` or ``N.NN GB``."""

    def getLinesNumber():
        """Return the number of physical lines; 1 for a file that is no CSV file."""


class ILogFile(IDataCenterFile):
    """A log file of the data center."""

    userid = Attribute("User named by a marker line ``user: ...``, or ``<UNKNOWN>``.")
    mode = Attribute("Mode named by a marker line ``mode: ...``, or ``<NOT SET>``.")
    stats = Attribute("Text of a marker line ``processed: ...``, or ``<Info not avail.>``.")
    source = Attribute("Path named by a marker line ``source: ...``, or None.")


class IDataCenterStorageMovedEvent(IObjectEvent):
    """The storage path of a data center was set; `object` is the data center."""


@implementer(IDataCenterStorageMovedEvent)
class DataCenterStorageMovedEvent(ObjectEvent):
    """See `IDataCenterStorageMovedEvent`."""


# -- what happens to files and runs ------------------------------------------
#
# In the order of the flow.  Each event is notified in the transaction that does what it tells:
# all that a subscriber changes in the database is committed with it, or not at all.  A transaction
# that others were in the way of is repeated, and its events with it; a check notifies those of its
# rows in a transaction that is aborted.  So what a subscriber does outside the database must join
# the transaction (see `IBatchProcessor`).  It never begins, commits or aborts one: a run stops
# before that, and names who has tried it.  The site is set.  Where nobody subscribes to them,
# events of rows, batches and begins are not made.


class IFileArrivedEvent(Interface):
    """A file was taken in, and waits for an import; nobody has looked into it yet.

    A subscriber may order a check or an import.  An exception of a subscriber refuses the file:
    nothing stays of it.
    """

    datacenter = Attribute("The data center.")
    file = Attribute("The `waeup.kofa.ledger.FileEntry`: name, owner, size, digest.")


class _FileEvent:
    """Something that happens to a file that the ledger knows."""

    def __init__(self, datacenter, file):  # type: ignore[no-untyped-def]
        self.datacenter = datacenter
        self.file = file


@implementer(IFileArrivedEvent)
class FileArrivedEvent(_FileEvent):
    """See `IFileArrivedEvent`."""


class IFileDeletedEvent(Interface):
    """Somebody has deleted a pending file, which is kept in the folder ``deleted``.

    It is moved when the transaction has been committed.  An exception of a subscriber refuses it,
    for all files that are deleted together.
    """

    datacenter = Attribute("The data center.")
    file = Attribute("The `waeup.kofa.ledger.FileEntry`: ``origin`` was its name, ``name`` is it.")


@implementer(IFileDeletedEvent)
class FileDeletedEvent(_FileEvent):
    """See `IFileDeletedEvent`."""


class IFileRestoredEvent(Interface):
    """A deleted file is a pending file again.

    A file that was not deleted, but finished, comes back as a copy of itself: that arrives.  An
    exception of a subscriber refuses it.
    """

    datacenter = Attribute("The data center.")
    file = Attribute("The `waeup.kofa.ledger.FileEntry`: ``name`` is its name, ``origin`` was it.")


@implementer(IFileRestoredEvent)
class FileRestoredEvent(_FileEvent):
    """See `IFileRestoredEvent`."""


class IFilePurgedEvent(Interface):
    """A file of ``finished``, ``unfinished``, ``deleted`` or ``graduated`` goes for good.

    It goes when the transaction has been committed; one that has changed until then stays, and one
    that stays because the process was killed in between is told again when it goes.  An exception
    of a subscriber keeps it: where somebody has ordered that, with all files that were to go with
    it; where it was only too old, until the next look at what is, and the exception is logged.
    """

    datacenter = Attribute("The data center.")
    name = Attribute("Path of the file below the storage.")
    user = Attribute("Id of the principal who has ordered it; '' for a file that is too old.")


@implementer(IFilePurgedEvent)
class FilePurgedEvent:
    """See `IFilePurgedEvent`."""

    def __init__(self, datacenter, name, user=""):  # type: ignore[no-untyped-def]
        self.datacenter = datacenter
        self.name = name
        self.user = user


class IMappingMadeEvent(Interface):
    """Somebody has said which columns of a table fill which fields.

    That is told when it is kept: with a draft, under a name, or in an order, before
    `IRunOrderedEvent`.  What is prepared on pages is thus told twice, first of its draft, once
    no field is filled twice.  An order that takes up a former one, as an undo does, makes no
    mapping.  An exception of a subscriber refuses it, and nothing is kept; a
    `waeup.kofa.errors.Refused` is shown to the person.
    """

    datacenter = Attribute("The data center.")
    kept = Attribute("Where it is kept: ``draft``, ``name`` or ``order``.")
    name = Attribute(
        "Id of the draft, the name, or the kind of the order (``import``, ``check``)."
    )
    file = Attribute("Name of the pending file; '' for a mapping that is kept under a name.")
    processor = Attribute("Name of the `IBatchProcessor`.")
    mode = Attribute("What is to be done with the rows; '' where that is not said yet.")
    header = Attribute("Tuple of the names of the columns.")
    mapping = Attribute("The `waeup.kofa.conversion.Mapping`: the fields of these columns.")


@implementer(IMappingMadeEvent)
class MappingMadeEvent:
    """See `IMappingMadeEvent`."""

    def __init__(self, datacenter, kept, name, file, processor, mode, header, mapping):  # type: ignore[no-untyped-def]
        self.datacenter = datacenter
        self.kept = kept
        self.name = name
        self.file = file
        self.processor = processor
        self.mode = mode
        self.header = header
        self.mapping = mapping


class IRunOrderedEvent(Interface):
    """Somebody has ordered a run: an import, a check, an undo, an export, or a move.

    What was ordered is in ``run.order``: its kind, the file, the mapping.  An exception of a
    subscriber refuses the order; a `waeup.kofa.errors.Refused` is shown to the person.
    """

    run = Attribute("The `waeup.kofa.jobs.record.Run`.")


class IRunBegunEvent(Interface):
    """A worker begins with a run; told once, in a transaction of its own, before any row.

    One that goes on after a stop does not begin again.  A `waeup.kofa.errors.Refused` of a
    subscriber cancels the run, nothing was done, and the person reads its message; any other
    exception stops it, so that it can be resumed.
    """

    run = Attribute("The `waeup.kofa.jobs.record.Run`.")


class IRunResumedEvent(Interface):
    """Somebody lets a run go on that was stopped or cancelled.

    ``run.user`` is who.  An exception of a subscriber refuses it; a `waeup.kofa.errors.Refused`
    is shown to the person.
    """

    run = Attribute("The `waeup.kofa.jobs.record.Run`, which is queued again.")


class IRowDoneEvent(Interface):
    """A row of an import or a check has created, changed or removed an object.

    Comes behind the events of the object itself (``zope.lifecycleevent``), which tell what
    happens to objects, whoever does it; this one tells of rows.  An exception of a subscriber
    fails the row: all it has changed is taken back, and the message is its reason.
    """

    object = Attribute("The object.")
    outcome = Attribute("``created``, ``updated`` or ``removed``.")
    row = Attribute("The row as hooks get it.")
    number = Attribute("The number of the source row, counted from 1.")
    processor = Attribute("The `IBatchProcessor`.")
    run = Attribute("The id of the import; '' for a check, and for `IBatchProcessor.doImport`.")


class IBatchDoneEvent(Interface):
    """Rows of an import, or of an undo, are done; their transaction is committed next.

    A subscriber sees all that they have changed, and may do once for many rows what would take
    long for each.  An exception stops the run before the commit: nothing of the batch stays, and
    the run can be resumed at its first row.
    """

    run = Attribute("The `waeup.kofa.jobs.record.Run`.")
    counts = Attribute("Dict: outcome -> number of rows of this batch.")
    failed = Attribute("Dict: number of a source row of this batch that failed -> its reason.")


class IRunEndedEvent(Interface):
    """A run is finished; notified in the transaction that says so.

    Its files are in their places: ``run.report`` names them.  An exception of a subscriber stops
    the run at its last step, to be resumed.
    """

    run = Attribute("The `waeup.kofa.jobs.record.Run`.")


class IRunOverEvent(Interface):
    """A run is finished, stopped or cancelled; notified in the transaction that says so.

    ``run.state`` says which.  One that goes on afterwards ends again.  Nobody need act.  That a
    subscriber fails keeps no run from its end: what it has changed is taken back, its exception
    is logged.  The same holds for a hook that it adds to be called before the commit; the others
    are not told then, either.
    """

    datacenter = Attribute("The data center of the run.")
    run = Attribute("The `waeup.kofa.jobs.record.Run`, in its new state.")


class IExportBegunEvent(Interface):
    """An export is written at once, without a run: by ``kofactl export``, or by the API.

    Nothing is written yet.  An exception of a subscriber refuses the export; a
    `waeup.kofa.errors.Refused` is shown to the person.  Other than with all the events above
    nothing is to be stored here, nor with `IExportDoneEvent`: what a subscriber changes, and what
    joins the transaction, is kept by the API, and dropped by the command, which only reads.  Log
    lines are written at once.
    """

    datacenter = Attribute("The data center.")
    wish = Attribute("The `waeup.kofa.exporting.Wish`: exporter, filters, keys, format.")
    user = Attribute("Id of the principal who exports.")


class _ExportEvent:
    """Something that happens to an export without a run."""

    def __init__(self, datacenter, wish, user):  # type: ignore[no-untyped-def]
        self.datacenter = datacenter
        self.wish = wish
        self.user = user


@implementer(IExportBegunEvent)
class ExportBegunEvent(_ExportEvent):
    """See `IExportBegunEvent`."""


class IExportDoneEvent(Interface):
    """An export that is written at once is written; it may have left already.

    Comes in the same transaction as `IExportBegunEvent`, to which it belongs.  That a subscriber
    fails changes nothing any more: its exception is logged.
    """

    datacenter = Attribute("The data center.")
    wish = Attribute("The `waeup.kofa.exporting.Wish`.")
    user = Attribute("Id of the principal who exports.")
    outcome = Attribute("The `waeup.kofa.exporting.Outcome`: rows, unknown keys, seconds.")


@implementer(IExportDoneEvent)
class ExportDoneEvent(_ExportEvent):
    """See `IExportDoneEvent`."""

    def __init__(self, datacenter, wish, user, outcome):  # type: ignore[no-untyped-def]
        super().__init__(datacenter, wish, user)
        self.outcome = outcome


# -- kinds of objects ------------------------------------------------------


class IFieldConverter(Interface):
    """Text of a cell to value of a field, and back; one object for both directions.

    Looked up by `waeup.kofa.conversion.converter_for`; an adapter from a field's
    interface to this one plugs in a converter for a kind of field.
    """

    def convert(text):
        """Return the value that `text` (str, outer blanks removed) stands for.

        Raises `ConversionError` with a message in plain words when there is none.
        """

    def render(value):
        """Return the text that `convert` turns into `value` again."""


class IObjectConverter(Interface):
    """Converts the texts of a whole object; a schema is adapted to it (Kofa 1.9)."""

    def fromStringDict(data_dict, context, form_fields=None, mode="create"):
        """Return ``(errors, invariant_messages, values)`` for a dict of texts.

        `errors` are pairs of field and message; when anything is wrong, `values` is
        empty.  Names that are no fields are passed over.  `context` is the object
        that vocabularies are bound to, or the name of a factory: then the site is.
        `form_fields` limits the fields to those of its elements, by ``__name__``.
        """


class ILookupSource(ISource):
    """The values of a Choice, too many to be listed: asked for one text at a time.

    A source that can list its values needs none of this.  All methods are asked while rows are
    converted, and change nothing.
    """

    title = Attribute("What the values are, for people.")

    def find(text):
        """Return the value that a cell stands for; raises LookupError when there is none."""

    def token(value):
        """Return the text that `find` turns into `value` again."""

    def suggest(text):
        """Return pairs of token and title that `text` may have meant, the closest first; few."""


class IBatchProcessor(Interface):
    """Imports the rows of a table as objects of one kind; a named global utility.

    At the beginning of each transaction `prepareSite` is called, when objects may be made.  For
    each row of the table `emptyRow`, `applyMapping`, `checkConversion` and
    `stringFromErrs` are called; then the hooks in this order, always with the row as a
    dict of field names and converted values:

    create: `parentsExist`, `entryExists`, `checkCreateRequirements`,
    `callFactory`, `updateEntry`, `addEntry`;
    update: `getEntry`, `checkUpdateRequirements`, `updateEntry`;
    remove: `entryExists`, `checkRemoveRequirements`, `delEntry`.

    upsert: `getEntry`, then as for update or, where there is none, as for create.

    An exception that a hook raises is an error of the row: the row becomes
    pending with the message as its reason, and leaves nothing half done.  Errors of
    storage, files, memory and network stop the import instead.

    Hooks, and subscribers of the events that they cause, are called more than once for a
    row: by a check, and again when a batch of rows is repeated.  So all they do outside the
    database must join the transaction, as log lines (`waeup.kofa.logger`) and mail
    (`zope.sendmail`) do; then a check, an abort or a retry leaves no trace.
    """

    name = schema.TextLine(title="Title shown to people")
    util_name = schema.TextLine(title="Name of the utility")
    iface = Attribute("The schema interface of the objects.")
    location_fields = Attribute("List of the fields that say where an object is.")
    factory_name = Attribute("Name of the `IFactory` utility that makes an object.")
    permission = Attribute("Id of the permission that an import needs.")
    scope = schema.TextLine(
        title="What imports write",
        description="Runs of one scope wait for each other; others go side by side.",
    )

    req = Attribute("Dict: mode -> list of the fields that must be there.")
    required_fields = Attribute("Names of required fields that have no default.")
    available_fields = Attribute("Sorted list of all fields that a column can fill.")
    modes = Attribute("Tuple of the modes that this processor can do.")
    template_name = Attribute("Name of the empty table, e.g. ``facultyimport_000.csv``.")

    def getHeaders(mode="create"):
        """Return the fields that a column can fill."""

    def get_csv_skeleton():
        """Return the text of a table that has only a header, CRLF terminated."""

    def checkHeaders(headerfields, mode="create"):
        """Return True, or raise `FatalCSVError` when columns are missing or double."""

    def getMapping(path, headerfields, mode):
        """Return a dict from the column names of the file at `path` to fields.

        For a workbook or a packed file `path` is that of the text that was made of it.
        """

    def emptyRow(row):
        """Tell whether a dict of column names and texts holds nothing.

        Such a row is no source row.  Lines that hold only separators never get here.
        """

    def applyMapping(row, mapping):
        """Return a dict of fields and texts for one of column names and texts.

        `mapping` is what `getMapping` returned.
        """

    def checkConversion(row, mode="ignore", ignore_empty=True):
        """Return ``(errors, invariant_errors, converted)`` for a dict of texts.

        `errors` is a list of pairs (field, message), `invariant_errors` a list of
        messages; when there is any, `converted` is empty.
        """

    def stringFromErrs(errors, inv_errors):
        """Return all conversion errors in one text, which becomes the reason."""

    def getRowKey(row):
        """Return a text that says which object a row means, or None when it does not say.

        Rows with the same text mean the same object.  `row` is as hooks get it, or, where
        conversion failed, a dict of texts.
        """

    def countEntries(site):
        """Return how many objects of the kind there are, or None where that is not known."""

    def checkNumbers(numbers, site):
        """Return None, or a question that a person must answer with yes before an import begins.

        `numbers` is a `waeup.kofa.importing.confirming.Numbers`.  Is asked when an import is
        ordered, also one that only creates, unless the numbers were confirmed already.
        """

    def getExtraState(obj):
        """Return what belongs to an object and is not among its attributes, as plain data.

        Is asked before `updateEntry` and `delEntry`, and kept for an undo.
        """

    def setExtraState(obj, state):
        """Give an object back what `getExtraState` has returned."""

    def checkUndo(obj, values, site):
        """Return None, or a message that says why an undo must not give `values` back.

        They are former values of the object's attributes; when an object that was removed is to
        return, all that it had.  None instead of values: the object, which the import has made,
        is to be removed.
        """

    def prepareSite(site):
        """Make what must be there before an object is made, such as the container, if it is not.

        Called in each transaction of an import or a check in which objects may be made.
        """

    def parentsExist(row, site):
        """Tell whether there is a place to put the object."""

    def parentsMissing(row, site):
        """Return a message that says which container there is not, and what to do.

        Asked of a row for whose object there is no place.  It begins with "Not all parents do
        exist yet.": by that results and checks know that something is to be imported first.
        """

    def entryExists(row, site):
        """Tell whether the object exists."""

    def getParent(row, site):
        """Return the container of the object, or None."""

    def getEntry(row, site):
        """Return the object, or None."""

    def addEntry(obj, row, site):
        """Put a new object into its place."""

    def delEntry(row, site):
        """Remove the object."""

    def checkCreateRequirements(parent, row, site):
        """Return None, or a message that says why the object must not be made."""

    def checkUpdateRequirements(obj, row, site):
        """Return None, or a message that says why the object must not be changed."""

    def checkRemoveRequirements(obj, row, site):
        """Return None, or a message that says why the object must not be removed."""

    def callFactory(*args, **kw):
        """Return a new object."""

    def updateEntry(obj, row, site, filename):
        """Set the attributes of `obj`; return a text ``field=value, ...``.

        `filename` is the name of the source without extension, for log lines.
        """

    def writeFailedRow(writer, row, warnings):
        """Write a failed row, a dict of fields and texts, to the pending file.

        `writer` has the method `writerow` of `csv.DictWriter`; the column
        ``--ERRORS--`` takes `warnings`, the reason or a list of reasons.  A row that
        an override does not write is written without it.
        """

    def createLogfile(path, fail_path, num, warnings, mode, user, timedelta, logger):
        """Log one line about a whole import.

        `num` rows took `timedelta` seconds, `warnings` of them failed.
        """

    def doImport(
        path, headerfields, mode="create", user="Unknown", logger=None, ignore_empty=True
    ):
        """Import the table at `path` inside the caller's transaction.

        It may be any file that can be uploaded.

        Never begins, commits or aborts a transaction, needs no connection.
        `headerfields` names, by position, the field that each column fills, or
        ``--IGNORE--``.  Raises `FatalCSVError` or `TableError` before anything is
        changed.

        Returns ``(num_rows, num_failed, finished_path, pending_path)``; the last
        is None when no row failed.  The paths lie in a new temporary folder that
        belongs to the caller; `IDataCenter.distProcessedFiles` removes it.
        """

    def importTable(
        path,
        mapping,
        mode,
        *,
        folder,
        site=None,
        user="Unknown",
        logger=None,
        ignore_empty=True,
        progress=None,
        options=None,
        read_from=None,
    ):
        """Import a table as the portal does, and return a `Report`.

        `mapping` is a `waeup.kofa.conversion.Mapping`.  Result files are made in the
        existing `folder`.  `progress` is called from time to time with the counts so
        far.  `options`, of `waeup.kofa.tabular.options`, say how the table is read where
        that shall not be found; `read_from` is the path of the text that was made of a
        workbook or of a packed file.  Otherwise like `doImport`, which is asked where a
        site overrides it.
        """


class ICSVExporter(Interface):
    """Exports objects of one kind as a table; a named global utility.

    The portal asks `get_filtered` or `get_selected` for the objects and `write_item` for the row
    of each.  Where a site overrides `export` or one that calls it, the portal calls that, and
    takes the columns that are wanted from the file.  All methods read the database and change
    nothing.
    """

    title = schema.TextLine(title="Title shown to people")
    fields = Attribute("Tuple of the columns.")
    permission = Attribute("Id of the permission that an export needs besides `exportData`.")
    secret_fields = Attribute(
        "Columns with hashes of passwords; they are written only for who manages users and asks."
    )
    key_fields = Attribute("Columns whose values `get_selected` takes, in the order of asking.")
    filters = Attribute(
        "Schema of the keywords of `get_filtered`, or None. A filter may be left empty; the text "
        "of one follows the grammar of cells."
    )
    safe_cells = Attribute("Whether texts that a spreadsheet would evaluate are guarded.")
    quoting = Attribute("Which cells are quoted, as a constant of the module csv.")

    def mangle_value(value, name, context=None):
        """Return the text of a cell."""

    def count(site):
        """Return how many objects there are, or None where that takes long to know."""

    def get_filtered(site, **kw):
        """Return the objects that fit the keywords."""

    def get_selected(site, selected):
        """Return the objects that have one of the ids `selected`."""

    def write_item(obj, writer):
        """Write the rows of an object; `writer` has the methods of `csv.DictWriter`."""

    def export(iterable, filepath=None):
        """Write objects as CSV; return the text when no `filepath` is given."""

    def export_all(site, filepath=None):
        """Export all objects of the site."""

    def export_filtered(site, filepath=None, **kw):
        """Export the objects that fit the keywords."""

    def export_selected(site, filepath=None, **kw):
        """Export the objects whose ids are in the keyword `selected`."""


# -- logs ------------------------------------------------------------------


class ILogger(Interface):
    """A component with a log file of its own (the mixin `waeup.kofa.logger.Logger`)."""

    logger_name = schema.TextLine(title="Name of the logger; ``${sitename}`` is replaced.")
    logger_filename = schema.TextLine(title="Name of the file below ``logs``.")
    logger_format_str = schema.TextLine(title="Form of a line, for `logging.Formatter`.")
    logger = Attribute("The `logging.Logger` that writes into that file.")

    def logger_setup(logger):
        """Give `logger` the one handler it needs; None when there is no data center."""

    def logger_get_logdir():
        """Return the path of the folder of logs, which is made if missing, or None."""

    def logger_get_logfile_path():
        """Return the path of the log file, or None without site or data center."""

    def logger_logfile_changed():
        """Set the logger up anew."""

    def logger_shutdown():
        """Remove and close all handlers."""


class ILoggerCollector(Interface):
    """Knows the components that log, by the names of their sites (Kofa 1.9); a utility.

    Kofa 1.9 told them when the storage had moved.  Here a logger looks for the storage with each
    line, so nobody needs to be registered, and nothing comes of it.
    """

    def getLoggers(site):
        """Return the components that were registered for `site`."""

    def registerLogger(site, logging_component):
        """Remember a component, once; a site without a name has none."""

    def unregisterLogger(site, logging_component):
        """Forget a component; one that is not known is passed over."""
