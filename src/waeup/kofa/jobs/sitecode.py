"""Code of sites that is called in a run: it leaves transactions alone.

Hooks of kinds, rules and subscribers work in the transaction of a batch.  One that ended it would
store rows without a checkpoint, or lose rows that count as done.  So `Hold` keeps the transaction
from being ended by anybody but the run itself; that costs nothing for a row.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType, TracebackType
from typing import Any

import transaction
from transaction.interfaces import TransactionFailedError

from waeup.kofa.errors import CodeFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.atfault import module_of, name_of

#: What ends a transaction, or lets it never be stored.
_ENDS = ("commit", "abort", "doom")
#: What code of sites may call that ends it.
_CALLS = (*_ENDS, "begin", "sync")
#: The status of a transaction by which nothing can be stored any more: a savepoint has failed.
_SPOILT = "Commit failed"


class Hold:
    """Keeps the transaction of this thread, within a block, from being ended by what is called.

    There `commit`, `abort`, `begin` and `doom` do nothing but raise `CodeFault`, which names who
    calls them.  It is raised at the end of the block, too, for a caller may have passed over it,
    as over a savepoint that has failed.
    """

    def __init__(self) -> None:
        self._held: Any = None
        self._former: dict[str, Any] = {}
        self._may_commit = False
        self.fault: CodeFault | None = None

    def __enter__(self) -> "Hold":
        self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        held = self._held
        self._let_go()
        is_own = error is None or isinstance(error, Exception)
        if self.fault is not None and error is not self.fault and is_own:
            raise self.fault from error
        if error is None and held is not None and held.status == _SPOILT:
            error = _first_failure(held)
        if isinstance(error, TransactionFailedError):
            raise CodeFault(
                _(
                    "Code that was called has gone on although a savepoint of the transaction had "
                    "failed. It must let such an error through: nothing can be stored any more."
                )
            ) from error

    def commit(self) -> None:
        """Commit the transaction, which is held until the hooks before a commit are through."""
        self._held.addBeforeCommitHook(self._release)
        self._may_commit = True
        transaction.commit()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this block the transaction can be ended; that of its end is held afterwards."""
        self._let_go()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        self._held = held = transaction.get()
        # Of the object, not of its class: a hold may be within another one.
        self._former = {name: vars(held)[name] for name in _ENDS if name in vars(held)}
        for name in _ENDS:
            setattr(held, name, partial(self._refuse, name))

    def _release(self) -> None:
        """Let the transaction go, unless somebody has tried to end it."""
        self._let_go()
        if self.fault is not None:
            raise self.fault

    def _let_go(self) -> None:
        if self._held is None:
            return
        for name in _ENDS:
            delattr(self._held, name)
        vars(self._held).update(self._former)
        self._held = None

    def _refuse(self, call: str) -> None:
        if call == "commit" and self._may_commit:
            self._may_commit = False
            type(self._held).commit(self._held)
            return
        code, call = _caller(call)
        self.fault = CodeFault(
            _(
                "The code ${code} has called ${call} of the transaction. What is called in a run "
                "must not do that: what it changes is stored with the rest, or not at all.",
                mapping={"code": code, "call": call},
            )
        )
        raise self.fault


def _first_failure(spoilt: Any) -> TransactionFailedError | None:
    """Return what tells the log where the savepoint of a transaction has failed."""
    try:
        spoilt.savepoint()
    except TransactionFailedError as exc:
        return exc
    return None


def _caller(call: str) -> tuple[str, str]:
    """Return the name of who has ended a transaction by `call`, and how."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and module_of(frame).partition(".")[0] in ("transaction", "ZODB"):
        if frame.f_code.co_name in _CALLS:
            call = frame.f_code.co_name
        frame = frame.f_back
    return ("?" if frame is None else name_of(frame)), call
