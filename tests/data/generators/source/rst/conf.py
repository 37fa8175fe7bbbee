"""Sphinx's settings for the handbook; the theme is given on the command line."""

project = "Workshop handbook"
author = "The makers of widgets"
copyright = "2026, The makers of widgets"
version = release = "4.2"
extensions = ["sphinx_design", "sphinx_copybutton", "sphinx.ext.mathjax"]
html_show_sourcelink = True
html_last_updated_fmt = "%Y-%m-%d"
language = "en"
html_context = {"github_user": "widgets", "github_repo": "handbook", "github_version": "main", "doc_path": ""}
