"""An echo server whose connections can move: python3 echo.py AGENT_SOCKET ADDRESS PORT. Orders on standard input: pass HOST."""
import socket, sys, threading

from tcpcp_client import Agent


class Echo:
    """One connection. Between two turns of its loop every byte that was read has been written: the boundary at which it can move."""

    def __init__(self, connection, echoed=0, epoch=0):
        self.connection, self.echoed, self.epoch = connection, echoed, epoch
        self.start()

    def start(self):
        self.stopping, self.thread = False, threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.connection.settimeout(0.01)
        while not self.stopping:
            try:
                data = self.connection.recv(65536)
            except TimeoutError:
                continue
            if not data:
                print(f"ended after {self.echoed} bytes", flush=True)
                self.connection.close()
                connections.remove(self)
                return
            self.connection.settimeout(None)
            self.connection.sendall(data)
            self.connection.settimeout(0.01)
            self.echoed += len(data)

    def quiesce(self):
        self.stopping = True
        self.thread.join()
        return str(self.echoed).encode()


connections = []
agent = Agent("echo", lambda state: None if state.isdigit() else "This is not the state of an echo connection.",
              lambda sockets, state, epoch: connections.append(Echo(sockets[0], int(state), epoch)), sys.argv[1])
listener = socket.create_server((sys.argv[2], int(sys.argv[3])))
threading.Thread(target=lambda: [connections.append(Echo(listener.accept()[0])) for _ in iter(int, 1)], daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    for echo in list(connections):
        failure, owner, detail = agent.pass_connections([echo.connection], "echo", line.split()[1], echo.quiesce, echo.epoch)
        print("passed", failure or "None", owner, detail, flush=True)
        if owner != "Origin":
            connections.remove(echo)
            echo.connection.close()
        elif echo.stopping:
            echo.start()
