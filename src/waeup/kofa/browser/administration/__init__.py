"""The portal and its people, beside the way of the files: how it is set, and who may come.

`tasks` is where it begins.  The portal has `settings`, `letters`, `webhooks`, `storage`, `system`
and `maintenance`.  Its people: `people` for who manages them, `account` and `access` for what
everybody does with the own account.
"""
