"""Client of the tcpcp agent of this host (docs/local-api.md): passes live TCP connections and takes those that come. Python 3.9 or newer.
What this sample leaves out: connecting again after a restart of the agent (Known), and operators' requests."""
import array, contextlib, fcntl, itertools, os, socket, threading

HELLO, REGISTER, PASS, QUIESCED, ANSWER = range(10, 15)
WELCOME, REGISTERED, FAILED, QUIESCE, PASSED, ARRIVING, GO, WITHDRAWN = range(40, 48)
OWNERS = {1: "Origin", 2: "Destination", 3: "InDoubt", 4: "Nobody"}
INLINE, MAX_PACKET, MAX_STATE, F_ADD_SEALS, ALL_SEALS = 32 << 10, 64 << 10, 16 << 20, 1033, 15

def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)

def encode(fields):
    """A protobuf message from {field number: int, str, bytes or a message of this form}."""
    out = b""
    for number, value in fields.items():
        value = encode(value) if isinstance(value, dict) else value.encode() if isinstance(value, str) else value
        out += varint(number << 3) + varint(value) if isinstance(value, int) else varint(number << 3 | 2) + varint(len(value)) + value
    return out

def decode(data):
    """{field number: its last value}, of the two wire types that the protocol uses: an int, or bytes."""
    fields, at = {}, 0
    def number():
        nonlocal at
        byte, at = data[at], at + 1
        return byte if byte < 128 else byte & 127 | number() << 7
    while at < len(data):
        key, value = number(), number()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields[key >> 3] = value
    return fields


class Agent:
    """examine(state) -> objection or None; go(sockets, state, epoch). Both are called on the receiving thread."""

    def __init__(self, application, examine, go, path="/run/tcpcp/agent.sock"):
        self.examine, self.go, self.arrived, self.passes = examine, go, {}, {}
        self.numbers = itertools.count(2)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        for question, answer in ({HELLO: {1: 1, 2: "python"}}, WELCOME), ({1: 1, REGISTER: {1: application}}, REGISTERED):
            self.send(question)
            if answer not in (heard := self.receive()[0]):
                raise ConnectionError(decode(heard.get(FAILED, b"")).get(1, b"The agent is gone.").decode())
        threading.Thread(target=self.run, daemon=True).start()

    def pass_connections(self, sockets, application, destination, quiesce, epoch=0):
        """Passes sockets; quiesce() stops using them and returns the state. Returns failure, owner, detail: of the owner Origin, go on."""
        self.passes[number := next(self.numbers)] = [quiesce, threading.Event(), None]
        self.send({1: number, PASS: {1: application, 2: destination, 3: epoch}}, [one.fileno() for one in sockets])
        self.passes[number][1].wait()
        return self.passes.pop(number)[2]

    def send(self, message, descriptors=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self.socket.sendmsg([encode(message)], rights)

    def receive(self):
        data, descriptors, flags, _ = socket.recv_fds(self.socket, MAX_PACKET, 253, socket.MSG_CMSG_CLOEXEC)
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ConnectionError("A packet was cut.")
        return decode(data), descriptors

    def run(self):
        while (received := self.receive()) and received[0]:
            message, descriptors = received
            threading.Thread(target=self.handle, args=received).start() if QUIESCE in message else self.handle(message, descriptors)
        for entry in self.passes.values():
            entry[2] = ("Interrupted", "InDoubt", "The agent is gone.")
            entry[1].set()

    def handle(self, message, descriptors):
        number, name = message.get(1, 0), message.get(2, b"")
        if QUIESCE in message:
            state = self.passes[number][0]()
            if len(state) <= INLINE:
                return self.send({2: name, QUIESCED: {1: state}})
            with open(os.memfd_create("state", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb", buffering=0) as memory:
                memory.write(state)
                fcntl.fcntl(memory, F_ADD_SEALS, ALL_SEALS)
                self.send({2: name, QUIESCED: {2: 1}}, [memory.fileno()])
        elif (PASSED in message or FAILED in message) and number in self.passes:
            said = decode(message[PASSED]) if PASSED in message else {1: b"NotPassable", 2: 1, 3: decode(message[FAILED]).get(1, b"")}
            self.passes[number][2] = said.get(1, b"").decode(), OWNERS[said[2]], said.get(3, b"").decode()
            self.passes[number][1].set()
        elif ARRIVING in message:
            said = decode(message[ARRIVING])
            with open(descriptors.pop(), "rb") if said.get(4) else contextlib.nullcontext() as memory:
                state = os.pread(memory.fileno(), MAX_STATE, 0) if memory else said.get(3, b"")
            self.arrived[name] = [socket.socket(fileno=one) for one in descriptors], state, said.get(5, 0)
            if not said.get(8):
                self.send({2: name, ANSWER: {1: self.examine(state) or ""}})
        elif GO in message and name in self.arrived:
            self.go(*self.arrived.pop(name))
        elif WITHDRAWN in message:
            [one.close() for one in self.arrived.pop(name, ([],))[0]]
