"""Plugins that are installed on paper, as in the tests of the core."""

from tests.core.conftest import make_site, site  # noqa: F401
