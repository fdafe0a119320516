"""How Sphinx builds the manual: `make docs`."""

project = "waeup.kofa"
author = "WAeUP Kofa contributors"
copyright = author
version = release = "2.0.0.dev0"

# Lists that are made of the code: `.. from-code::`.
extensions = ["waeup.kofa.tests.manual.sphinxext"]
exclude_patterns = ["_build"]
root_doc = "index"
nitpicky = True
# Single backquotes name things of the code; there are no pages of modules to link to.
default_role = "code"

html_theme = "alabaster"
html_theme_options = {
    "description": "Tables into a portal, and out again",
    "fixed_sidebar": True,
    # Examples have up to 110 columns.
    "page_width": "1240px",
    "body_max_width": "980px",
}
html_show_sourcelink = False
