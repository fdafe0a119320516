"""Messages that the portal sends: queued in the instance directory, sent while it runs.

A message is a file in ``mail`` from the commit on that it belongs to; a mail server that cannot
be reached is tried again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from waeup.kofa.deployment import conf


class MailServer(click.ParamType):
    """``HOST`` or ``HOST:PORT`` of a mail server, as a pair."""

    name = "HOST[:PORT]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """See `click.ParamType`."""
        try:
            return conf.mail_server(str(value))
        except ValueError:
            self.fail(f"{value!r} is not of the form {self.name}.", param, ctx)


def queue_messages(path: Path) -> None:
    """Let messages be queued below `path`, for a portal that sends them."""
    from zope.component import provideUtility
    from zope.sendmail.delivery import QueuedMailDelivery
    from zope.sendmail.interfaces import IMailDelivery

    provideUtility(QueuedMailDelivery(str(path)), IMailDelivery)


@contextmanager
def sending(path: Path, server: tuple[str, int] | None) -> Iterator[None]:
    """Send what is queued below `path` by a mail server, as long as the block runs."""
    if server is None:
        yield
        return
    from zope.sendmail.mailer import SMTPMailer
    from zope.sendmail.queue import QueueProcessorThread

    thread = QueueProcessorThread()
    thread.setMailer(SMTPMailer(*server))
    thread.setQueuePath(str(path))
    thread.start()
    try:
        yield
    finally:
        thread.stop()
