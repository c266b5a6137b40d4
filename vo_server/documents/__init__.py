"""Documents of the standards, made of elements from the model: VOSI, and the parts that registry records share with it."""
