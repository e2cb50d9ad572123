"""The equations of layers that look at images: convolution, pooling, batch normalization.

Images are (N, height, width, channels), as Keras holds them.
"""

from __future__ import annotations

import numpy as np

from mnist_core.layer_maths import Layer

EPSILON = 1e-3  # Keras's, in batch normalization


class Conv2D(Layer):
    """z_rcf = Σ_ijk x_(sr+i)(sc+j)k w_ijkf + b_f

    Filter f over the channels k of the k × k pixels from row sr and column sc on, s the stride.
    """

    def padded(self, x: np.ndarray) -> np.ndarray:
        """Return x with the zeros around it that "same" asks for: with them every stride fits."""
        if self.arguments["padding"] == "valid":
            return x
        sides = [self._sides(size) for size in x.shape[1:3]]
        return np.pad(x, [(0, 0), *sides, (0, 0)])

    def _sides(self, size: int) -> tuple[int, int]:
        """Return how many zeros stand before and after `size` pixels, as TensorFlow puts them."""
        kernel, stride = self.arguments["kernel_size"], self.arguments["strides"]
        total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        return total // 2, total - total // 2

    def windows(self, x: np.ndarray) -> np.ndarray:
        """Return what the filters look at, (N, rows, columns, channels, k, k): a view, no copy."""
        kernel, stride = self.arguments["kernel_size"], self.arguments["strides"]
        found = np.lib.stride_tricks.sliding_window_view(self.padded(x), (kernel, kernel), (1, 2))
        return found[:, ::stride, ::stride]

    def forward(self, x):
        # (N, rows, columns, channels, k, k) · (k, k, channels, filters), summed over the three
        z = np.tensordot(self.windows(x), self.weights["kernel"], ((3, 4, 5), (2, 0, 1)))
        return z + self.weights["bias"] if "bias" in self.weights else z

    def backward(self, x, z, slope):
        windows, places = self.windows(x), ((0, 1, 2), (0, 1, 2))
        # dL/dw_ijkf = Σ_rc x_(sr+i)(sc+j)k dL/dz_rcf: a filter's weight is used at every place
        kernel = np.tensordot(windows, slope, places).transpose(1, 2, 0, 3)
        gradients = {"kernel": kernel}
        if "bias" in self.weights:
            gradients["bias"] = slope.sum(axis=(0, 1, 2))
        # dL/dx: every pixel collects from all places whose window held it
        wide = np.zeros_like(self.padded(x))
        stride = self.arguments["strides"]
        rows, columns = (stride * size for size in slope.shape[1:3])
        for i, j in np.ndindex(self.weights["kernel"].shape[:2]):
            part = wide[:, i : i + rows : stride, j : j + columns : stride]  # a view
            part += slope @ self.weights["kernel"][i, j].T
        if self.arguments["padding"] == "valid":
            return wide, gradients
        (top, _), (left, _) = (self._sides(size) for size in x.shape[1:3])
        return wide[:, top : top + x.shape[1], left : left + x.shape[2]], gradients


class BatchNormalization(Layer):
    """y = γ (x - μ) / √(σ² + ε) + β, each unit or filter with its own four numbers"""

    def _normalized(self, x):
        return (x - self.weights["mean"]) / np.sqrt(self.weights["variance"] + EPSILON)

    def forward(self, x):
        return self.weights["gamma"] * self._normalized(x) + self.weights["beta"]

    def backward(self, x, y, slope):
        over = tuple(range(x.ndim - 1))  # digits and places
        gradients = {
            "gamma": (slope * self._normalized(x)).sum(axis=over),
            "beta": slope.sum(axis=over),
        }
        scale = self.weights["gamma"] / np.sqrt(self.weights["variance"] + EPSILON)
        return slope * scale, gradients


class _Pooling(Layer):
    def squares(self, x: np.ndarray) -> np.ndarray:
        """Return the squares, (N, rows, columns, channels, s · s); what fills none is left out."""
        size = self.arguments["pool_size"]
        count, height, width, channels = x.shape
        rows, columns = height // size, width // size
        whole = x[:, : rows * size, : columns * size]
        parts = whole.reshape(count, rows, size, columns, size, channels)
        return parts.transpose(0, 1, 3, 5, 2, 4).reshape(count, rows, columns, channels, -1)

    def _together(self, parts: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Put squares back into an image of the shape of `like`; zeros where none was."""
        size = self.arguments["pool_size"]
        count, rows, columns, channels, _ = parts.shape
        image = parts.reshape(count, rows, columns, channels, size, size)
        image = image.transpose(0, 1, 4, 2, 5, 3)
        whole = np.zeros_like(like)
        whole[:, : rows * size, : columns * size] = image.reshape(
            count, rows * size, columns * size, channels
        )
        return whole


class MaxPooling2D(_Pooling):
    """The largest value of each square; the slope goes to where it was"""

    def forward(self, x):
        return self.squares(x).max(axis=-1)

    def backward(self, x, y, slope):
        parts = self.squares(x)
        there = np.arange(parts.shape[-1]) == parts.argmax(axis=-1)[..., None]
        return self._together(there * slope[..., None], x), {}


class AveragePooling2D(_Pooling):
    """The mean of each square; each of its pixels gets an equal share of the slope"""

    def forward(self, x):
        return self.squares(x).mean(axis=-1)

    def backward(self, x, y, slope):
        parts = self.squares(x)
        share = np.broadcast_to(slope[..., None] / parts.shape[-1], parts.shape)
        return self._together(share, x), {}


KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind for kind in (Conv2D, BatchNormalization, MaxPooling2D, AveragePooling2D)
}
