namespace Tcpcp.Relay.Sessions;

/// <summary>How long an open session may do nothing. Null: for ever.</summary>
/// <param name="Idle">No byte either way.</param>
/// <param name="HalfClosed">One side has closed, and no byte comes from the other.</param>
/// <param name="Lifetime">All in all.</param>
internal readonly record struct SessionTimeouts(TimeSpan? Idle, TimeSpan? HalfClosed, TimeSpan? Lifetime);
