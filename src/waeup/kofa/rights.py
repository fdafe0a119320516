"""The ids of the portal's own permissions; kinds of objects may ask for others.

They are those of Kofa 1.9.  `waeup.kofa.permissions` registers them, and says who has one.
"""

MANAGE_DATA_CENTER = "waeup.manageDataCenter"
IMPORT_DATA = "waeup.importData"
EXPORT_DATA = "waeup.exportData"
MANAGE_USERS = "waeup.manageUsers"
MANAGE_PORTAL = "waeup.managePortal"
