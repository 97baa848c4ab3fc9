namespace Tcpcp.Cli;

/// <summary>What the exit codes of every command mean.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>It failed, and the connection still works where it was.</summary>
    public const int Failed = 1;

    public const int WrongUse = 2;

    /// <summary>Nobody knows yet who owns the connection.</summary>
    public const int InDoubt = 3;
}
