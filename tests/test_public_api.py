import subprocess
import sys

import pytest

import opencwm


def test_every_public_name_exists_and_is_listed_once_in_order() -> None:
    assert opencwm.__all__ == sorted(set(opencwm.__all__))
    for name in opencwm.__all__:
        assert getattr(opencwm, name) is not None
    assert set(opencwm.__all__) <= set(dir(opencwm))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = opencwm.nothing


def test_importing_the_package_imports_no_part_of_it_that_is_heavy() -> None:
    heavy = {"numpy", "torch", "onnxruntime", "pyarrow", "rich"}
    code = f"import sys, opencwm; print([m for m in sys.modules if m.split('.')[0] in {heavy!r}])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
