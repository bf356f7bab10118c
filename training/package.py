"""The network classes of the ``segment-anything`` package, loaded without the package.

Its ``__init__`` imports torchvision, which nothing here needs and which must fit torch to the minor version. So its
folder ``modeling`` is loaded by itself, under a private name; whoever imports ``segment_anything`` gets their own.
"""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from hqdata.errors import UsageError, explain

_NAME = "_hqdata_segment_anything_modeling"


@cache
def modeling() -> ModuleType:
    """Load the package's folder ``modeling``; its files are attributes (``image_encoder``, ``mask_decoder``, ...).

    Raises:
        UsageError: the package is not installed.
    """
    found = importlib.util.find_spec("segment_anything")
    if found is None or found.origin is None:
        raise UsageError(explain("the package segment-anything is missing", do="pip install 'hqdata[train]'"))
    folder = Path(found.origin).parent / "modeling"
    spec = importlib.util.spec_from_file_location(
        _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise UsageError(explain("this segment-anything has no modeling code", expected=folder))
    module = importlib.util.module_from_spec(spec)
    # Its files import one another by this name.
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    return module
