using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary>A connection of this host as it is written on the command line: <c>pid:PID/FD</c> or <c>LOCAL-PEER</c>.</summary>
internal abstract record ConnectionArgument
{
    private const string Prefix = "pid:";

    private const string Forms = "write pid:PID/FD, for example pid:4711/5, or LOCAL-PEER, for example 192.0.2.1:80-192.0.2.9:51514 " +
        "or [2001:db8::1]:80-[2001:db8::9]:51514; 'tcpcp list' shows both.";

    private ConnectionArgument()
    {
    }

    /// <summary>The argument CONNECTION of a command.</summary>
    public static Argument<ConnectionArgument> Create()
    {
        Argument<ConnectionArgument> argument = new("CONNECTION")
        {
            Description = "pid:PID/FD, or LOCAL-PEER as 192.0.2.1:80-192.0.2.9:51514, [2001:db8::1]:80-[2001:db8::9]:51514.",
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                if (TryParse(text) is { } parsed)
                    return parsed;
                result.AddError($"'{text}' is not a connection: {Forms}");
                return null;
            },
        };
        argument.CompletionSources.Add(_ => LiveConnections.Names());
        return argument;
    }

    /// <summary>Null if the text is neither form.</summary>
    public static ConnectionArgument? TryParse(string text)
    {
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            return FourTuple.TryParse(text, CultureInfo.InvariantCulture, out FourTuple connection) ? new Ends(connection) : null;
        ReadOnlySpan<char> numbers = text.AsSpan(Prefix.Length);
        int slash = numbers.IndexOf('/');
        return slash > 0 && TryParse(numbers[..slash], out int processId) && processId > 0 && TryParse(numbers[(slash + 1)..], out int descriptor)
            ? new Descriptor(processId, descriptor)
            : null;
    }

    /// <summary>Finds the connection, in the calling thread's network namespace and /proc.</summary>
    /// <exception cref="ConnectionNotFoundException">There is none; the message says what to do.</exception>
    public ResolvedConnection Resolve(SocketDiagnostics diagnostics)
    {
        ListedSocket socket = Find(diagnostics);
        SocketOwners owners = SocketOwners.Read();
        return new ResolvedConnection(socket, owners.Of(socket.Inode), owners.Unreadable);
    }

    protected abstract ListedSocket Find(SocketDiagnostics diagnostics);

    private static bool TryParse(ReadOnlySpan<char> text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>By both ends.</summary>
    public sealed record Ends(FourTuple Connection) : ConnectionArgument
    {
        public override string ToString() => Connection.ToString();

        protected override ListedSocket Find(SocketDiagnostics diagnostics)
        {
            if (diagnostics.Find(Connection) is { } socket)
                return socket;
            throw new ConnectionNotFoundException(diagnostics.Find(Connection.Reversed) is null
                ? $"There is no connection {Connection} in this network namespace. 'tcpcp list' shows those that there are."
                : $"There is no connection {Connection} here, but {Connection.Reversed}: write this host's end first.");
        }
    }

    /// <summary>By a descriptor of a process.</summary>
    public sealed record Descriptor(int ProcessId, int Number) : ConnectionArgument
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{ProcessId}/{Number}");

        protected override ListedSocket Find(SocketDiagnostics diagnostics)
        {
            uint inode = Inode();
            foreach (ListedSocket socket in diagnostics.List())
            {
                if (socket.Inode == inode)
                    return socket;
            }

            throw new ConnectionNotFoundException(string.Create(CultureInfo.InvariantCulture, $"Descriptor {Number} of process {ProcessId} ") +
                (IsElsewhere()
                    ? string.Create(CultureInfo.InvariantCulture,
                        $"is in another network namespace: run 'nsenter --net=/proc/{ProcessId}/ns/net tcpcp ...' with this connection.")
                    : "is a socket, but not a TCP connection of this network namespace. 'tcpcp list' shows those that there are."));
        }

        private uint Inode()
        {
            try
            {
                return SocketOwners.InodeOf(ProcessId, Number) ?? throw new ConnectionNotFoundException(string.Create(
                    CultureInfo.InvariantCulture, $"Descriptor {Number} of process {ProcessId} is not a socket. ") +
                    $"'tcpcp list --pid {ProcessId}' shows its connections.");
            }
            catch (KernelException e) when (e.Errno is Errno.EACCES or Errno.EPERM)
            {
                throw new ConnectionNotFoundException(string.Create(
                    CultureInfo.InvariantCulture, $"The descriptors of process {ProcessId} are not yours to see: run tcpcp as root."));
            }
            catch (KernelException)
            {
                throw new ConnectionNotFoundException(SocketOwners.CommandOf(ProcessId) is { } command
                    ? string.Create(CultureInfo.InvariantCulture, $"Process {ProcessId} ({command}) has no descriptor {Number}. ") +
                        $"'tcpcp list --pid {ProcessId}' shows its connections."
                    : string.Create(CultureInfo.InvariantCulture, $"There is no process {ProcessId}."));
            }
        }

        private bool IsElsewhere()
        {
            try
            {
                string path = string.Create(CultureInfo.InvariantCulture, $"/proc/{ProcessId}/ns/net");
                return File.ResolveLinkTarget(path, returnFinalTarget: false)?.Name
                    != File.ResolveLinkTarget("/proc/thread-self/ns/net", returnFinalTarget: false)?.Name;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return false; // it has ended, or is another user's
            }
        }
    }
}
