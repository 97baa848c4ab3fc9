namespace Tcpcp.EndToEnd.Tests.Packages;

/// <summary>Two hosts that systemd boots in containers, on roots over this machine's own, with the package at hand; and a peer, on one bridge.</summary>
internal static class SystemdHosts
{
    // $1: the package. Leaves the function "inside", which runs something in a root of that name.
    public const string Roots = """
        set -eu
        top=$(mktemp -d); mount -t tmpfs tmpfs "$top"; cd "$top"
        root() {
            mkdir -p "$1/upper" "$1/work" "$1/root"
            mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
            mount --rbind /dev "$1/root/dev"; mount -t proc proc "$1/root/proc"
            cp "$package" "$1/root/tcpcp.deb"
            rm -f "$1/root/var/lib/man-db/auto-update" # its index takes longer than all else
        }
        inside() { local where=$1; shift; chroot "$where/root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
        # Documents and man pages too, where the machine leaves them out.
        install_package() { inside "$1" dpkg --no-triggers --path-include='/usr/share/*' --install /tcpcp.deb; rm "$1/root/tcpcp.deb"; }
        package=$1

        """;

    // Each has control groups of its own, and takes orders as files. /mnt is one directory for both, and for "admin", a root that does not run.
    private const string Boot = Roots + """
        driver=$2
        ip link add bridge type bridge; ip link set bridge up; ip link set lo up; ip address add 10.9.0.254/24 dev bridge
        mkdir carried; root admin; mount --bind carried admin/root/mnt
        inside admin dpkg --no-triggers --install /tcpcp.deb >/dev/null
        for name in a b; do
            number=$([ $name = a ] && echo 1 || echo 2)
            root $name; mv $name/root/tcpcp.deb "$name/root/root/$(basename "$package")"
            umount -l $name/root/dev $name/root/proc
            mkdir $name/root/orders; : >$name/root/etc/machine-id
            cat >$name/root/etc/systemd/system/trial.service <<END
        [Unit]
        DefaultDependencies=no
        Wants=systemd-journald.service
        After=systemd-journald.service
        [Service]
        Type=oneshot
        WorkingDirectory=/root
        ExecStart=/bin/bash /trial $number
        END
            cat >$name/root/trial <<'END'
        mkdir -p /sys/fs/bpf
        ip link set lo up; ip address add 10.9.0.$1/24 dev host0; ip link set host0 up
        [ $1 = 2 ] || ip address add 10.9.0.100/32 dev host0
        export LC_ALL=C.UTF-8
        for ((n = 1; ; n++)); do
            until [ -e /orders/$n ]; do [ ! -e /orders/end ] || systemctl poweroff -ff; sleep 0.02; done
            bash /orders/$n </dev/null >/orders/$n.said 2>&1
            echo $? >/orders/$n.new; mv /orders/$n.new /orders/$n.code
        done
        END
            groups=tcpcp-$$-$name
            (
                for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
                    [ ! -e $hierarchy/cgroup.procs ] || { mkdir -p $hierarchy/$groups; echo $BASHPID >$hierarchy/$groups/cgroup.procs; }
                done
                SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes exec timeout --signal KILL 80 systemd-nspawn --directory $name/root --boot --register=no --keep-unit --machine=$groups \
                    --network-bridge=bridge --capability=all --system-call-filter=bpf --bind=/dev/net/tun --bind="$top/carried:/mnt" --console=pipe systemd.unit=trial.service
            ) </dev/null >$name/console 2>&1 &
        done
        clean() {
            touch a/root/orders/end b/root/orders/end; wait
            for name in a b; do
                for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
                    [ ! -d $hierarchy/tcpcp-$$-$name ] || find $hierarchy/tcpcp-$$-$name -depth -type d -exec rmdir {} + || true
                done
            done
        }
        trap clean EXIT
        python3 -c "$driver" 2>&1 || { code=$?; cat a/console b/console; exit $code; }
        """;

    private const string Driver = """
        import os, re, socket, subprocess, sys, time

        class Host:
            def __init__(self, name):
                self.name, self.orders = name, 0

            # Runs shell commands there; their exit code and what they say.
            def run(self, command, limit=60):
                self.orders += 1
                path = f"{self.name}/root/orders/{self.orders}"
                with open(path + ".new", "w") as file:
                    file.write(command + "\n")
                os.rename(path + ".new", path)
                until = time.monotonic() + limit
                while not os.path.exists(path + ".code"):
                    assert time.monotonic() < until, f"host-{self.name} does not end: {command}"
                    time.sleep(0.02)
                return int(open(path + ".code").read()), open(path + ".said").read()

            # They must succeed.
            def do(self, command):
                code, said = self.run(command)
                assert code == 0, f"host-{self.name}: {command}: {code}: {said}"
                return said

        hosts = a, b = Host("a"), Host("b")

        """;

    /// <param name="package">The Debian package; it lies in /root of both hosts.</param>
    /// <param name="orders">Python, with the hosts a and b.</param>
    public static async Task<(int ExitCode, string Said)> RunAsync(string package, string orders)
    {
        if (!File.Exists("/usr/bin/systemd-nspawn"))
            Assert.Skip("systemd-nspawn is not installed.");
        (int exitCode, string output, string error) = await Command.RunProgramAsync("unshare", "-m", "-n", "bash", "-c", Boot, "bash", package, Driver + orders);
        return (exitCode, $"{output}{error}");
    }
}
