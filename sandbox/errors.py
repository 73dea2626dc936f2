"""Errors of the sandbox, separate from the hub's tree because the hub must not know the sandbox.

SandboxError
├── StateMissing      the state folder has no such file; build the population first
└── ServerUnreachable a sandbox server did not answer its control path
"""

from __future__ import annotations


class SandboxError(Exception):
    """Root of every error that the sandbox raises on purpose."""


class StateMissing(SandboxError):
    """The state folder lacks a file that `python -m sandbox population` writes."""


class ServerUnreachable(SandboxError):
    """A sandbox server gave no usable answer on its control path."""
