"""NengoDL: made to run on current TensorFlow, its Converter, and its simulator as the reference."""
