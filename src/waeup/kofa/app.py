"""The portal: the site that holds the data center and the objects that files are imported into.

A University is made by ``grok.create_application`` or simply put into the
root folder; either way it is complete: data center, settings, log-in and
sessions are its local utilities, its containers are made with it.
"""

import grok
from zope.authentication.interfaces import IAuthentication
from zope.component.hooks import site as site_set
from zope.interface import implementer
from zope.lifecycleevent.interfaces import IObjectAddedEvent
from zope.pluggableauth.authentication import PluggableAuthentication
from zope.session.interfaces import IClientIdManager, ISessionDataContainer
from zope.session.session import PersistentSessionDataContainer

from waeup.kofa.authentication import (
    ClientIdManager,
    setup_authentication,
    setup_sessions,
)
from waeup.kofa.configuration import Configuration, configuration_of
from waeup.kofa.datacenter import DataCenter
from waeup.kofa.interfaces import IDataCenter, IDataCenterConfig, IUniversity
from waeup.kofa.logger import Logger
from waeup.kofa.students.container import StudentsContainer
from waeup.kofa.university.facultiescontainer import FacultiesContainer
from waeup.kofa.users.container import UsersContainer


@implementer(IUniversity)
class University(grok.Application, grok.Container, Logger):
    """A university's portal."""

    grok.local_utility(
        DataCenter, provides=IDataCenter, public=True, name_in_container="datacenter"
    )
    grok.local_utility(
        Configuration,
        provides=IDataCenterConfig,
        public=True,
        name_in_container="configuration",
    )
    grok.local_utility(
        PluggableAuthentication, provides=IAuthentication, setup=setup_authentication
    )
    grok.local_utility(ClientIdManager, provides=IClientIdManager)
    grok.local_utility(
        PersistentSessionDataContainer, provides=ISessionDataContainer, setup=setup_sessions
    )

    def __init__(self) -> None:
        super().__init__()
        self["users"] = UsersContainer()
        self["faculties"] = FacultiesContainer()
        self["students"] = StudentsContainer()

    @property
    def title(self) -> str:
        """The name of the portal; shown in the head of each page."""
        return configuration_of(self).title

    @property
    def acronym(self) -> str:
        """Begins the names of files that people fetch."""
        return configuration_of(self).acronym


@grok.subscribe(University, IObjectAddedEvent)
def log_new_university(site: University, event: IObjectAddedEvent) -> None:
    """Let the log begin with the portal itself."""
    if event.object is site:
        with site_set(site):
            site.logger.info("University `%s` added.", site.__name__)
