using System.Net.Sockets;
using Tcpcp.Linux;

namespace Tcpcp.Cli;

/// <summary>The system says what it refuses; this adds what to do about it.</summary>
internal static class FailureAdvice
{
    /// <returns>The message, as sentences.</returns>
    public static string Add(Exception e)
    {
        string message = e.Message.TrimEnd().TrimEnd('.');
        return Of(e) is { } advice ? $"{message}: {advice}" : $"{message}.";
    }

    private static string? Of(Exception e) => ErrnoOf(e) switch
    {
        Errno.EPERM => "run as root, or with CAP_NET_ADMIN (and CAP_SYS_PTRACE for processes of other users).",
        Errno.EACCES => "run as a user who may, or change its owner or its mode.",
        Errno.ENOSPC or Errno.EDQUOT => "make room there, or name another place.",
        Errno.EROFS => "name a place that can be written to.",
        Errno.ENODEV => "'ip link' lists the interfaces that there are.",
        Errno.EADDRINUSE => "end the program that has it ('ss -ltnp' names it), or name another port.",
        Errno.EADDRNOTAVAIL => "name an address that this host has ('ip address' lists them).",
        _ => null,
    };

    // .NET's own exceptions for files bear the number as HResult.
    private static int ErrnoOf(Exception e) => e switch
    {
        KernelException refused => refused.Errno,
        UnauthorizedAccessException => Errno.EACCES,
        SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } => Errno.EADDRINUSE,
        SocketException { SocketErrorCode: SocketError.AddressNotAvailable } => Errno.EADDRNOTAVAIL,
        IOException { HResult: > 0 } => e.HResult,
        { InnerException: { } inner } => ErrnoOf(inner),
        _ => 0,
    };
}
