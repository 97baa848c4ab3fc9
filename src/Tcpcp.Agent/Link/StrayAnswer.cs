using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>What is answered to a message about a pass that has no link here; null: nothing.</summary>
internal delegate PassMessage? StrayAnswer(PassId pass, PassMessage message);
