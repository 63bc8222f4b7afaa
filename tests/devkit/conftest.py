"""The fixtures that simulate installed plugins, from the tests of the core."""

from tests.core.conftest import make_site, site  # noqa: F401
