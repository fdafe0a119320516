"""Answers that were given to programs, for those who ask again since they did not get them.

A program sends a key of its own with a request that changes something.  The answer is kept in the
transaction of the change: either both are there or none.  Who sends the same request with the
same key gets the answer of before, and nothing is done again.

What was asked is kept only as a digest that is made with the secret of the token, which the
database does not have.  The module path is a database format.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from BTrees.OOBTree import OOBTree
from persistent import Persistent

#: How long an answer is kept, and how many of one account at most.
KEPT, MOST = timedelta(hours=24), 1000
#: After so many answers old ones are looked for.
LOOK = 50
#: Bytes of an answer at most; of a longer one only that there was one is kept.
LONGEST = 100_000
# A BTree that is empty before or after a change cannot be merged with the change of somebody
# else: one key that is no name stays in it.
_KEEPER = ""


class Reply(Persistent):
    """An answer: `status`, `headers` and `body`, which is None for one that is kept nowhere.

    `digest` is that of the request, `date` (UTC) the time of the answer.
    """

    def __init__(
        self,
        digest: bytes,
        date: datetime,
        status: int,
        headers: tuple[tuple[str, str], ...],
        body: bytes | None,
    ) -> None:
        self.digest = digest
        self.date = date
        self.status = status
        self.headers = headers
        self.body = body if body is None or len(body) <= LONGEST else None


class Replies(Persistent):
    """The answers of a portal, by account and key."""

    def __init__(self) -> None:
        self._by_user = OOBTree({_KEEPER: None})

    def find(self, user: str, key: str, now: datetime) -> Reply | None:
        """Return the answer that an account got for a key, unless that was too long ago."""
        kept = self._by_user.get(user)
        reply: Reply | None = None if kept is None else kept.get(key)
        return None if reply is None or reply.date <= now - KEPT else reply

    def keep(self, user: str, key: str, reply: Reply) -> None:
        """Keep an answer; old ones of the account go, and those beyond `MOST`."""
        kept = self._by_user.get(user)
        if kept is None:
            kept = self._by_user[user] = OOBTree({_KEEPER: None})
        kept[key] = reply
        # One of them is the keeper.
        number = len(kept) - 1
        if number > MOST or number % LOOK == 0:
            _prune(kept, reply.date)

    def forget(self, user: str) -> None:
        """Forget the answers of an account that has gone."""
        if user != _KEEPER and user in self._by_user:
            del self._by_user[user]

    def forget_old(self, now: datetime) -> None:
        """Forget the answers that are found no more, of all accounts."""
        for user in list(self.users()):
            _prune(self._by_user[user], now)

    def users(self) -> Iterator[str]:
        """Generate the names of the accounts that answers are kept for."""
        return (name for name in self._by_user if name != _KEEPER)


def _prune(kept: OOBTree, now: datetime) -> None:
    """Remove the answers of an account that are too old, and the oldest of too many.

    Of too many some more, so that it need not be done each time.
    """
    dates = sorted((each.date, name) for name, each in kept.items() if name != _KEEPER)
    excess = max(len(dates) - MOST + LOOK, 0) if len(dates) > MOST else 0
    for at, (date, name) in enumerate(dates):
        if at >= excess and date > now - KEPT:
            break
        del kept[name]


def replies_of(datacenter: Any) -> Replies | None:
    """Return the answers of a portal, None as long as there was none."""
    found: Replies | None = datacenter.replies
    return found


def keep_reply(site: Any, user: str, key: str, reply: Reply) -> None:
    """Keep an answer; those of accounts that are gone go."""
    datacenter = site["datacenter"]
    if datacenter.replies is None:
        datacenter.replies = Replies()
    replies: Replies = datacenter.replies
    _forget_gone(site, replies)
    replies.keep(user, key, reply)


def forget_old(site: Any, now: datetime) -> bool:
    """Forget the answers that are found no more; tell whether there was anything to look at.

    They may hold what is to be forgotten elsewhere, and their accounts need not ask again.
    """
    replies = replies_of(site["datacenter"])
    if replies is None:
        return False
    _forget_gone(site, replies)
    replies.forget_old(now)
    return True


def _forget_gone(site: Any, replies: Replies) -> None:
    """Forget the answers of accounts that are gone."""
    for name in list(replies.users()):
        if name not in site["users"]:
            replies.forget(name)
