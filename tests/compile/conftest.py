"""Keeps the compiled code of the tests out of the user's folder."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYTORCH_COMPILE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
