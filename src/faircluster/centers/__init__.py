"""Points to centers, blind to groups."""

from faircluster.centers.geometry import Geometry, Means, Medians, Medoids

__all__ = ["Geometry", "Means", "Medians", "Medoids"]
