"""The distribution `waeup.kofa`: what it needs, and the command that it installs."""

from pathlib import Path

from setuptools import find_namespace_packages, setup

HERE = Path(__file__).parent

INSTALL_REQUIRES = [
    "Babel",
    "bcrypt",
    "BTrees",
    "charset-normalizer",
    "click",
    "google-re2",
    "grok >= 6",
    "grokcore.component",
    "grokcore.message",
    "grokcore.site",
    "grokcore.view",
    "limits",
    "martian",
    "persistent",
    "prometheus-client",
    "python-calamine",
    "python-json-logger",
    "rapidfuzz",
    "rich",
    "transaction",
    "tzdata",  # where the machine has no time zones of its own
    "urllib3",
    "waitress",
    "Werkzeug",
    "XlsxWriter",
    "zc.lockfile",
    "ZConfig",
    "ZODB",
    "zope.app.publication",
    "zope.app.wsgi",
    "zope.authentication",
    "zope.browser",
    "zope.browserpage",
    "zope.component",
    "zope.configuration",
    "zope.container",
    "zope.error",
    "zope.event",
    "zope.i18n",
    "zope.i18nmessageid",
    "zope.interface",
    "zope.lifecycleevent",
    "zope.location",
    "zope.pluggableauth",
    "zope.principalregistry",  # the principals of configure.zcml
    "zope.processlifetime",
    "zope.proxy",
    "zope.publisher",
    "zope.schema",
    "zope.security",
    "zope.securitypolicy",
    "zope.sendmail",
    "zope.session",
    "zope.site",
    "zope.traversing",
]

# psycopg2 for RelStorage, psycopg for procrastinate; their binaries, since neither libpq nor a
# compiler is everywhere.
POSTGRESQL_REQUIRES = ["procrastinate", "psycopg[binary]", "psycopg2-binary", "RelStorage"]

ZEO_REQUIRES = ["ZEO"]

TEST_REQUIRES = [
    *POSTGRESQL_REQUIRES,
    *ZEO_REQUIRES,
    "axe-playwright-python",  # axe-core, which checks pages for what bars people
    "hypothesis",
    "openapi-spec-validator",
    "pillow",  # pictures for the manual
    "PyYAML",  # reads files for containers and for Prometheus
    "schemathesis",
    "selenium",
    "standardwebhooks",
    "tuspy",
    "WebTest",
    "xlwt",  # workbooks of before 2007
    "zope.annotation",
    "zope.app.testing",
    "zope.dottedname",
    "zope.location",
    "zope.testbrowser[wsgi]",
    "zope.testing",
    "zope.testrunner",
]

DOCS_REQUIRES = ["Sphinx"]

setup(
    name="waeup.kofa",
    version="2.0.0.dev0",
    description="The data center of the student portal WAeUP Kofa, as a Grok component package",
    long_description="\n\n".join(
        (HERE / name).read_text(encoding="utf-8") for name in ("README.rst", "CHANGES.txt")
    ),
    long_description_content_type="text/x-rst",
    license="ZPL-2.1",
    license_files=["LICENSE"],
    classifiers=[
        "Environment :: Web Environment",
        "Framework :: Zope",
        "Intended Audience :: Education",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
    packages=find_namespace_packages(where="src", include=["waeup.*"]),
    package_dir={"": "src"},
    # By kind, not by MANIFEST.in alone: an install from a copy without git has them too.
    package_data={
        "": ["*.zcml", "*.xml", "*.pt", "*.txt", "*.css", "*.js", "*.svg", "*.po", "*.pot"]
    },
    include_package_data=True,
    zip_safe=False,
    python_requires=">=3.10,<3.14",
    install_requires=INSTALL_REQUIRES,
    extras_require={
        "test": TEST_REQUIRES,
        "docs": DOCS_REQUIRES,
        "postgresql": POSTGRESQL_REQUIRES,
        "zeo": ZEO_REQUIRES,
    },
    entry_points={"console_scripts": ["kofactl = waeup.kofa.cli:main"]},
)
