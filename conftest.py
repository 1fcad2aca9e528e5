"""Leave out what needs the extras `deep` and `dask` where they are missing; their tests say so."""

from importlib.util import find_spec

_NEEDS = {"deep": "torch", "dask": "distributed"}
_ABSENT = [folder for folder, name in _NEEDS.items() if not find_spec(name)]
collect_ignore_glob = [f"src/faircluster/{folder}/*" for folder in _ABSENT]
