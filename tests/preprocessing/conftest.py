"""Archives and their dataset, made once for all tests; none of them changes either."""

import pytest

from tests.preprocessing.conversions import run
from tests.preprocessing.drawn_images import write_archives


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    return write_archives(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="session")
def dataset(archives, tmp_path_factory):
    output = tmp_path_factory.mktemp("dataset") / "new"
    run(archives, output)
    return output
