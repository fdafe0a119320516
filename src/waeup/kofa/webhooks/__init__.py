"""Webhooks: other programs are told by HTTP that runs have ended, exports are ready, files came.

`record` is what the database knows: subscriptions, and messages that wait or are over.  A message
is written in the transaction that makes it true (`outbox`), signed (`signing`) and sent to an
address that is checked before (`addresses`, `sending`) by whoever has the duty
(`waeup.kofa.deployment.delivering`).
"""
