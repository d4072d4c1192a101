"""A seccomp filter: a classic BPF program that the kernel runs on every system call of the process.

Everything is allowed but what is named here. The process can't start others, reach the network, look into
other processes, change the rights of files, or load code into the kernel. Numbers of calls: the kernel's
syscall tables.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass

# machine -> (AUDIT_ARCH_*, column in _CALLS)
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# name: (x86_64, aarch64); None where the machine has no such call
_EXEC = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "personality": (135, 92),
    # Landlock has no say in these.
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "sched_setaffinity": (203, 122),
    "setpriority": (141, 140),
}
_CONNECT = {"connect": (42, 203)}
_NETWORK = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_OWN_PROCESS = {"kill": (62, 129), "tgkill": (234, 131)}  # only with this process as first argument
_OWN_OR_ZERO = {"prlimit64": (302, 261)}

_CLONE_THREAD = 0x00010000
_X32 = 0x40000000
_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NR, _ARCH, _ARG0 = 0, 4, 16  # offsets in struct seccomp_data; the low half of the first argument
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


@dataclass(frozen=True)
class Unsupported(Exception):
    reason: str


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def program(machine: str, pid: int, *, network: bool) -> bytes:
    """The filter for a process `pid`; with `network`, it may serve but not connect. Raises Unsupported."""
    if machine not in _ARCHITECTURES:
        raise Unsupported(f"no system call table for {machine}")
    arch, column = _ARCHITECTURES[machine]
    refused = _EXEC | _CONNECT | ({} if network else _NETWORK)
    refuse = _instruction(_RET, _ERRNO | _EPERM)

    out = [_instruction(_LD, _ARCH), _instruction(_JEQ, arch, 1, 0), _instruction(_RET, _KILL)]
    out += [_instruction(_LD, _NR), _instruction(_JGE, _X32, 0, 1), refuse]
    for numbers in refused.values():
        number = numbers[column]
        if number is not None:
            out += [_instruction(_JEQ, number, 0, 1), refuse]
    # glibc tries clone3, whose flags lie in memory that a filter can't read, and falls back to clone
    out += [_instruction(_JEQ, _CLONE3[column], 0, 1), _instruction(_RET, _ERRNO | _ENOSYS)]
    out += [
        _instruction(_JEQ, _CLONE[column], 0, 4),
        _instruction(_LD, _ARG0),
        _instruction(_JSET, _CLONE_THREAD, 1, 0),
        refuse,
        _instruction(_RET, _ALLOW),
    ]
    for calls, zero in ((_OWN_PROCESS, False), (_OWN_OR_ZERO, True)):
        for number in (numbers[column] for numbers in calls.values()):
            out += [
                _instruction(_JEQ, number, 0, 5),
                _instruction(_LD, _ARG0),
                _instruction(_JEQ, pid, 2, 0),
                _instruction(_JEQ, 0 if zero else pid, 1, 0),
                refuse,
                _instruction(_RET, _ALLOW),
            ]
    out.append(_instruction(_RET, _ALLOW))
    return b"".join(out)


def install(*, network: bool) -> None:
    """Put the filter on this process, for good. Needs no_new_privs. Raises OSError or Unsupported."""
    code = program(platform.machine(), os.getpid(), network=network)
    libc = ctypes.CDLL(None, use_errno=True)
    loaded = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(loaded), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
