"""Chaos: kill what works, at every moment that matters, and count what came of it.

Real worker processes, a real PostgreSQL and real department servers, with proxies between them
that end a process at its N-th commit or its N-th call. No product code knows of it. It stands
beside the product like the benchmarks, since it needs both the hub and the sandbox.
"""
