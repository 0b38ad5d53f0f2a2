"""Tandem's exceptions, each of which is also the exception that Python code expects there."""

from ._core import (
    DeviceError,
    InputError,
    NumericalError,
    OutOfDeviceMemory,
    SystemError,  # noqa: A004
)

__all__ = ["DeviceError", "InputError", "NumericalError", "OutOfDeviceMemory", "SystemError"]
