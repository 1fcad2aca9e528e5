"""Leave out what needs the extra `deep` where it is missing; its tests say so themselves."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["src/faircluster/deep/*"]
