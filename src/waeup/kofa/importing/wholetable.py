"""The import of a whole table, as callers of a processor see it.

`doImport` is the way in of Kofa 1.9, `importTable` that of the portal.  Both end in
the row engine, inside the caller's transaction.
"""

import contextlib
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grok

from waeup.kofa import conversion
from waeup.kofa.errors import MappingError
from waeup.kofa.importing import engine
from waeup.kofa.importing.canonical import unpacked
from waeup.kofa.importing.delegation import import_by_override
from waeup.kofa.importing.hooks import default, overridden
from waeup.kofa.importing.reading import limits, options_in_force
from waeup.kofa.importing.report import Report
from waeup.kofa.journal import deferred_lines
from waeup.kofa.tabular.options import ReadOptions


class WholeTable:
    """The part of a processor that does not look at single rows."""

    checkHeaders: Callable[..., bool]

    @default
    def doImport(
        self,
        path: str,
        headerfields: Sequence[str],
        mode: str = "create",
        user: str = "Unknown",
        logger: logging.Logger | None = None,
        ignore_empty: bool = True,
        *,
        constants: Mapping[str, str] | None = None,
        values: conversion.Values = (),
        site: Any = None,
        options: ReadOptions | None = None,
    ) -> tuple[int, int, str, str | None]:
        """See `IBatchProcessor`.

        `constants` sets fields to the same text for all rows, `values` says which texts stand
        for others, as in `waeup.kofa.conversion.Mapping`; `site` is handed to
        the hooks (default: the current site).  `user` is handed to `createLogfile`;
        log lines name the principal that acts.  `options` say how the table is to be
        read, where that shall not be found.
        """
        constants = dict(constants or {})
        engine.check_mode(self, mode)
        try:
            mapping = conversion.Mapping.from_headerfields(headerfields, constants.items(), values)
        except MappingError:
            # What is missing is said before what is double.
            self.checkHeaders([*headerfields, *constants], mode)
            raise
        # Whoever overrides `doImport` has been asked by `importTable` already.
        run = self._import if overridden(self, "doImport") else self.importTable
        folder = tempfile.mkdtemp(prefix="kofa-import-")
        try:
            report = run(
                path,
                mapping,
                mode,
                folder=folder,
                site=site,
                user=user,
                logger=logger,
                ignore_empty=ignore_empty,
                options=options,
            )
        except BaseException:
            engine.discard_results(folder, path)
            raise
        assert report.finished is not None
        return report.total, report.failed, report.finished, report.pending

    def importTable(
        self,
        path: str,
        mapping: conversion.Mapping,
        mode: str,
        *,
        folder: str,
        site: Any = None,
        user: str = "Unknown",
        logger: logging.Logger | None = None,
        ignore_empty: bool = True,
        progress: Callable[[engine.Progress], None] | None = None,
        options: ReadOptions | None = None,
        read_from: str | None = None,
    ) -> Report:
        """See `IBatchProcessor`.

        A processor of a site that has overridden `doImport` is asked by that.
        """
        if overridden(self, "doImport"):
            return import_by_override(
                self,
                path,
                mapping,
                mode,
                folder=folder,
                site=site,
                user=user,
                logger=logger,
                ignore_empty=ignore_empty,
                options=options,
                read_from=read_from,
            )
        return self._import(
            path,
            mapping,
            mode,
            folder=folder,
            site=site,
            user=user,
            logger=logger,
            ignore_empty=ignore_empty,
            progress=progress,
            options=options,
            read_from=read_from,
        )

    def _import(
        self,
        path: str,
        mapping: conversion.Mapping,
        mode: str,
        *,
        folder: str,
        site: Any = None,
        user: str = "Unknown",
        logger: logging.Logger | None = None,
        ignore_empty: bool = True,
        progress: Callable[[engine.Progress], None] | None = None,
        options: ReadOptions | None = None,
        read_from: str | None = None,
    ) -> Report:
        """Import a table with the row engine; log lines join the transaction of the site."""
        if site is None:
            site = grok.getSite()
        connection = getattr(site, "_p_jar", None)
        with contextlib.ExitStack() as stack:
            if connection is not None:
                stack.enter_context(deferred_lines(connection.transaction_manager))
            if options is None:
                options = options_in_force()
            if read_from is None:
                # Outside of the data center: nobody has unpacked it yet.
                table = stack.enter_context(unpacked(path, limits(), sheet=options.sheet))
                options, read_from = table.reading(options), table.path
            run = engine.RowEngine(
                self,
                path,
                mapping,
                mode,
                site,
                ignore_empty,
                options=options,
                read_from=read_from,
            )
            report = run.run(folder, progress)
            if logger is not None:
                self.createLogfile(
                    path,
                    report.pending,
                    report.total,
                    report.failed,
                    mode,
                    user,
                    report.seconds,
                    logger,
                )
        return report

    def createLogfile(
        self,
        path: str,
        fail_path: str | None,
        num: int,
        warnings: int,
        mode: str,
        user: str,
        timedelta: float,
        logger: logging.Logger | None = None,
    ) -> None:
        """Log one line about a whole import, in the words of Kofa 1.9; nothing without a logger.

        `num` rows took `timedelta` seconds, `warnings` of them failed.  `fail_path`
        and `user` are there for those who override the method.
        """
        if logger is None:
            return
        logger.info(
            "processed: %s, %s mode, %s lines (%s successful/ %s failed), %0.3f s (%0.4f s/item)",
            path,
            mode,
            num,
            num - warnings,
            warnings,
            timedelta,
            timedelta / num if num else 0.0,
        )
