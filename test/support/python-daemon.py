"""A stand-in for the daemon that the original program, written in Python, runs: one thread a
connection, one request a connection, and one lock that is taken before the request is read.

python-daemon.py SOCKET [--no-pid-file] [--slow-end SECONDS]

Answers `ping`, `call` of test.echo and of test.sleep [SECONDS], and `stop`. With --slow-end it lives on for
so long after it has answered `stop`. Says on stdout which commands it has read.
"""
import json, os, socketserver, sys, threading, time

path = sys.argv[1]
pid_file = None if "--no-pid-file" in sys.argv else path.replace(".sock", ".pid")
slow_end = float(sys.argv[sys.argv.index("--slow-end") + 1]) if "--slow-end" in sys.argv else 0
lock = threading.Lock()


def answer(request):
    command = request.get("command")
    kwargs = request.get("kwargs") or {}
    unknown = set(kwargs) - {"timeout", "job"}
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown.pop()!r}")
    if command == "ping":
        return "pong"
    if command == "stop":
        return "Daemon shutting down"
    if command != "call":
        raise ValueError(f"Unknown command: {command}")
    params = request.get("params") or []
    if request["method"] == "test.sleep":
        time.sleep(params[0])
        return params[0]
    return params


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        with lock:
            line = self.rfile.readline()
            if not line.strip():
                return
            request = json.loads(line)
            print(request.get("command"), request.get("method") or "", flush=True)
            try:
                frame = {"type": "result", "result": answer(request)}
            except Exception as e:
                frame = {"type": "error", "error": str(e), "error_type": type(e).__name__,
                         "trace": None, "extra": None}
            try:
                self.wfile.write(json.dumps(frame).encode() + b"\n")
            except OSError:
                pass  # nobody waits for it any more
        if request.get("command") == "stop":
            threading.Thread(target=self.server.shutdown).start()


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


os.umask(0o077)
with Server(path, Handler) as server:
    if pid_file is not None:
        with open(pid_file, "w") as f:
            f.write(str(os.getpid()))
    print("listening", flush=True)
    server.serve_forever(poll_interval=0.02)
    time.sleep(slow_end)
    for name in (path, pid_file):
        if name is not None and os.path.exists(name):
            os.unlink(name)
