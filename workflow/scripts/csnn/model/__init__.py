"""The Keras CNN: built, trained or loaded, tuned, described."""
