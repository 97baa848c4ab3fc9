using System.Text.Json.Serialization;
using Tcpcp.Core;

namespace Tcpcp.Cli.Save;

/// <summary>What <c>tcpcp dump</c> did.</summary>
/// <param name="Connection">LOCAL-PEER.</param>
/// <param name="File">Where it was saved.</param>
/// <param name="FileBytes">Size of the file.</param>
/// <param name="Kind">copy or released.</param>
/// <param name="Encrypted">True if it needs a key.</param>
/// <param name="Processes">The processes that held it and were stopped meanwhile.</param>
/// <param name="StoppedMs">How long they were stopped, in milliseconds.</param>
/// <param name="UnreadBytes">Received and not read.</param>
/// <param name="SentBytes">Sent and not acknowledged.</param>
/// <param name="UnsentBytes">Written and not sent.</param>
/// <param name="GateClosed">True if this host drops the connection's packets from now on.</param>
internal sealed record DumpReport(
    string Connection, string File, long FileBytes, string Kind, bool Encrypted, IReadOnlyList<int> Processes, double StoppedMs,
    int UnreadBytes, int SentBytes, int UnsentBytes, bool GateClosed)
{
    public static DumpReport Of(
        ConnectionSnapshot snapshot, string file, SavedConnectionKind kind, bool encrypted, IReadOnlyList<int> processes,
        TimeSpan stopped) => new(
        snapshot.Connection.ToString(), file, new FileInfo(file).Length, kind == SavedConnectionKind.Released ? "released" : "copy",
        encrypted, processes, Math.Round(stopped.TotalMilliseconds, 3), snapshot.Unread.Length, snapshot.Sent.Length, snapshot.Unsent.Length,
        kind == SavedConnectionKind.Released);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DumpReport))]
internal sealed partial class DumpReportContext : JsonSerializerContext;
