"""The ideal road: convolution as one Fourier product with guard bands, exact and streamed."""

from optics.ideal.conv import MAX_BYTES, KernelCache, check_tensors, ideal_conv2d, is_finite

__all__ = ["MAX_BYTES", "KernelCache", "check_tensors", "ideal_conv2d", "is_finite"]
