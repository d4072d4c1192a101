"""Everything on one machine, from one command: `python -m marketplace.embedded` (`make run`).

Vocabulary
    service   a program that should be running all the time: its name, command and environment
    child     a service's process, leader of its own session and process group
    step      a command that runs once and must end well before the services start
    guard     a tiny process that kills every group when the supervisor is gone
"""

from __future__ import annotations
