"""TensorFlow's Keras as NengoDL needs it, under the name that users' own builders import."""

from csnn.nengodl.compat import nengo_dl, tf, use_threads

__all__ = ["nengo_dl", "tf", "use_threads"]
