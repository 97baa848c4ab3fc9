using System.Runtime.InteropServices;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Linux.Nftables;

/// <summary>
/// nftables commands through libnftables (nftables/libnftables.h), in the network namespace of the calling thread. For set-up, not for the
/// path of a connection: a call costs a millisecond.
/// </summary>
[KernelHeader("nftables/libnftables.h")]
internal static partial class LibNftables
{
    /// <summary>Name of the library that is loaded.</summary>
    public const string Library = "libnftables.so.1";

    private const uint NFT_CTX_DEFAULT = 0;
    private const uint NFT_CTX_OUTPUT_JSON = 1 << 4;

    // The library's parser has global state.
    private static readonly Lock s_lock = new();

    /// <summary>Runs the commands as one transaction and returns the output of those that list something.</summary>
    /// <param name="commands">What <c>nft -f</c> would read; several commands are separated by new lines.</param>
    /// <param name="json">Input that begins with a brace is read as JSON by the library; this makes the output JSON.</param>
    /// <exception cref="NftablesException">A command was refused; the message is the library's. Nothing was changed.</exception>
    public static string Run(string commands, bool json = false) => Run(commands, json, dryRun: false);

    /// <summary>Lets the kernel examine the commands as one transaction, which is then given up: nothing changes.</summary>
    /// <exception cref="NftablesException">A command would be refused.</exception>
    public static void Check(string commands) => Run(commands, json: false, dryRun: true);

    private static string Run(string commands, bool json, bool dryRun)
    {
        ArgumentNullException.ThrowIfNull(commands);
        lock (s_lock)
            return DescriptorTable.RunWithLowNumbers(() => RunLocked(commands, json, dryRun));
    }

    private static string RunLocked(string commands, bool json, bool dryRun)
    {
        nint context = OpenContext();
        try
        {
            if (nft_ctx_buffer_output(context) != 0 || nft_ctx_buffer_error(context) != 0)
                throw KernelException.Of("nft_ctx_buffer_output", Errno.ENOMEM);
            if (json || commands.AsSpan().TrimStart().StartsWith('{'))
                nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_JSON);
            nft_ctx_set_dry_run(context, dryRun);
            if (nft_run_cmd_from_buffer(context, commands) != 0)
                throw new NftablesException(Text(nft_ctx_get_error_buffer(context)), commands);
            return Text(nft_ctx_get_output_buffer(context));
        }
        finally
        {
            nft_ctx_free(context);
        }
    }

    private static nint OpenContext()
    {
        try
        {
            nint context = nft_ctx_new(NFT_CTX_DEFAULT);
            return context != 0 ? context : throw KernelException.Of("nft_ctx_new", Errno.ENOMEM);
        }
        catch (DllNotFoundException e)
        {
            throw new DllNotFoundException($"{Library} is not installed: apt-get install libnftables1", e);
        }
    }

    private static string Text(nint buffer) => Marshal.PtrToStringUTF8(buffer) ?? "";

    [LibraryImport(Library)]
    private static partial nint nft_ctx_new(uint flags);

    [LibraryImport(Library)]
    private static partial void nft_ctx_free(nint context);

    [LibraryImport(Library)]
    private static partial int nft_ctx_buffer_output(nint context);

    [LibraryImport(Library)]
    private static partial int nft_ctx_buffer_error(nint context);

    [LibraryImport(Library)]
    private static partial nint nft_ctx_get_output_buffer(nint context);

    [LibraryImport(Library)]
    private static partial nint nft_ctx_get_error_buffer(nint context);

    [LibraryImport(Library)]
    private static partial void nft_ctx_output_set_flags(nint context, uint flags);

    [LibraryImport(Library)]
    private static partial void nft_ctx_set_dry_run(nint context, [MarshalAs(UnmanagedType.U1)] bool dry);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int nft_run_cmd_from_buffer(nint context, string commands);
}
