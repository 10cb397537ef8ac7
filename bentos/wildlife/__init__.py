"""Which animal is in a photo: EfficientNet-Lite0 over ImageNet's animal classes."""
