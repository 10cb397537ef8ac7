"""Published photo models in the form that a card runs by Vulkan: pnnx converts, ncnn runs."""
