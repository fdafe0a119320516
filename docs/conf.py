"""How Sphinx builds the manual: `make docs`."""

project = "waeup.kofa"
author = "WAeUP Kofa contributors"
copyright = author
version = release = "2.0.0.dev0"

extensions: list[str] = []
exclude_patterns = ["_build"]
root_doc = "index"
nitpicky = True
# Single backquotes name things of the code; there are no pages of modules to link to.
default_role = "code"

html_theme = "alabaster"
html_theme_options = {
    "description": "Tables into a portal, and out again",
    "fixed_sidebar": True,
}
html_show_sourcelink = False
