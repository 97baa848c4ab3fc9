"""Runs a command as a Linux of an earlier version would: VERSION COMMAND... What is newer is answered as if the kernel had never heard of it (seccomp)."""
import ctypes, errno, os, struct, sys

SOL_SOCKET, SOL_TCP = 1, 6
SETSOCKOPT, GETSOCKOPT, BPF, PIDFD_OPEN, PIDFD_GETFD = 54, 55, 321, 434, 438  # x86-64
NEWER = [  # since which version, the system call, (number of an argument, its value)..., the error without it
    ((3, 5), (SETSOCKOPT, GETSOCKOPT), ((1, SOL_TCP), (2, 19)), errno.ENOPROTOOPT),  # TCP_REPAIR
    ((4, 8), (SETSOCKOPT, GETSOCKOPT), ((1, SOL_TCP), (2, 29)), errno.ENOPROTOOPT),  # TCP_REPAIR_WINDOW
    ((5, 3), (PIDFD_OPEN,), (), errno.ENOSYS),
    ((5, 6), (PIDFD_GETFD,), (), errno.ENOSYS),
    ((5, 14), (SETSOCKOPT, GETSOCKOPT), ((1, SOL_SOCKET), (2, 71)), errno.ENOPROTOOPT),  # SO_NETNS_COOKIE
    ((5, 14), (SETSOCKOPT, GETSOCKOPT), ((1, SOL_SOCKET), (2, 72)), errno.ENOPROTOOPT),  # SO_BUF_LOCK
    ((6, 6), (BPF,), ((0, 28),), errno.EINVAL),  # BPF_LINK_CREATE, for TCX
]
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
ALLOW, ERROR = 0x7FFF0000, 0x00050000  # linux/seccomp.h
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2

version = tuple(int(part) for part in sys.argv[1].split("."))
program = []
for calls, arguments, error in ((calls, arguments, error) for since, calls, arguments, error in NEWER if version < since):
    for call in calls:
        tests = [(0, call)] + [(16 + 8 * number, value) for number, value in arguments]
        for i, (offset, value) in enumerate(tests):
            rest = 2 * (len(tests) - i - 1) + 1
            program += [(LOAD, 0, 0, offset), (JUMP_IF_EQUAL, 0, rest, value)]
        program.append((RETURN, 0, 0, ERROR | error))
program.append((RETURN, 0, 0, ALLOW))
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
prog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prog, 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[2], sys.argv[2:])
