namespace Tcpcp.Core;

/// <summary>What became of a connection after it was saved.</summary>
public enum SavedConnectionKind
{
    /// <summary>It went on where it was: the file is a copy, outdated with the next segment, and reviving it makes two owners while the
    /// original lives.</summary>
    Copy = 0,

    /// <summary>It was given up: the file is the connection, and is to be revived once.</summary>
    Released = 1,
}
