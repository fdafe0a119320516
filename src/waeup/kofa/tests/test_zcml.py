"""The directive ``kofa:datacenter``."""

import os
import unittest

from zope.component import getUtility
from zope.configuration import xmlconfig
from zope.configuration.config import ConfigurationConflictError
from zope.testing.cleanup import cleanUp

import waeup.kofa
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tabular import Limits

CONFIGURE = """
<configure xmlns="http://namespaces.zope.org/zope" xmlns:kofa="http://namespaces.waeup.org/kofa">
  <include package="zope.component" file="meta.zcml" />
  <include package="waeup.kofa" file="meta.zcml" />
  %s
</configure>
"""


class DataCenterDirective(unittest.TestCase):
    """Where data centers keep their files."""

    def setUp(self):
        cleanUp()
        self.addCleanup(cleanUp)

    def test_a_path_is_registered(self):
        xmlconfig.string(CONFIGURE % '<kofa:datacenter path="/srv/kofa" />')
        self.assertEqual(getUtility(IDataCenterConfig), {"path": "/srv/kofa"})

    def test_limits_are_registered_where_they_are_given(self):
        xmlconfig.string(
            CONFIGURE % '<kofa:datacenter path="/srv/kofa" upload_limit="5" max_rows="7" />'
        )
        config = getUtility(IDataCenterConfig)
        self.assertEqual(config["upload_limit"], 5)
        self.assertEqual(config["limits"], Limits(rows=7))

    def test_a_relative_path_counts_from_the_package(self):
        xmlconfig.string(
            CONFIGURE
            % '<configure package="waeup.kofa"><kofa:datacenter path="files" /></configure>'
        )
        expected = os.path.join(os.path.dirname(waeup.kofa.__file__), "files")
        self.assertEqual(getUtility(IDataCenterConfig)["path"], expected)

    def test_two_directives_conflict(self):
        with self.assertRaises(ConfigurationConflictError):
            xmlconfig.string(
                CONFIGURE % '<kofa:datacenter path="/a" /><kofa:datacenter path="/b" />'
            )
