"""For every test: what it leaves behind is cleaned up, whoever made it."""

import sys
import tempfile

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # a loaded machine is no failure
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory):
    """Libraries' temporary files go where pytest cleans up its own.

    TensorFlow's generated sources and Beam's staging folders outlive a process that is killed.
    The name is short because sockets are made below it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
        patch.setattr(tempfile, "tempdir", None)  # the answer found before
        yield


@pytest.fixture(autouse=True)
def _determinism_ends():
    """Deterministic training makes its process so, where other tests' timings are refused."""
    yield
    if config := sys.modules.get("tensorflow.python.framework.config"):
        config.disable_op_determinism()  # for which TensorFlow has no public name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Whole files to a process, and all that share one trained run to the same process."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "tests/end_to_end" if file.startswith("tests/end_to_end/") else file

    return Together(config, log)
