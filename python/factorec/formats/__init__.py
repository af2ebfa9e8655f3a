"""Files that hold models, and files that hold rows."""

from . import artifact, fm_artifact, knn_artifact, model_file, recordio

__all__ = ["artifact", "fm_artifact", "knn_artifact", "model_file", "recordio"]
