"""What systemd does for a socket unit: makes the socket, starts COMMAND when somebody connects and
hands it the socket as fd 3, and does so again when it has ended.

activate.py KIND PATH COMMAND [ARG ...], where KIND is what is handed over
"""
import os, select, socket, subprocess, sys

kind, path, command = sys.argv[1], sys.argv[2], sys.argv[3:]
os.umask(0o177)
if kind == "tcp":
    handed = socket.create_server(("127.0.0.1", 0))
elif kind == "file":
    handed = open(path, "w")
elif kind == "datagrams":
    handed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    handed.bind(path)
else:
    handed = socket.socket(socket.AF_UNIX)
    handed.bind(path)
    handed.listen(128)
os.dup2(handed.fileno(), 3, inheritable=True)
print("listening", flush=True)
while True:
    if kind == "unix":
        select.select([handed], [], [])
    pid = "$$" if kind != "foreign" else "1"
    line = f'LISTEN_PID={pid} LISTEN_FDS=1 LISTEN_FDNAMES=x exec "$@"'
    child = subprocess.Popen(["/bin/sh", "-c", line, "sh", *command], pass_fds=(3,))
    print("started", child.pid, flush=True)
    print("ended", child.wait(), flush=True)
    if kind != "unix":
        break
